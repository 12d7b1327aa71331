import { Readable } from "node:stream"
import { buffer } from "node:stream/consumers"
import type { S3Client, ServiceInputTypes, ServiceOutputTypes } from "@aws-sdk/client-s3"
import type { HttpOptions } from "./s3-http.ts"
import { preparedHeaders } from "./s3-payload.ts"

type Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = Parameters<
  typeof S3Client.prototype.send<Input, Output>
>[0]
type Signer = Awaited<ReturnType<S3Client["config"]["signer"]>>
type AuthScheme = NonNullable<Parameters<S3Client["config"]["signer"]>[0]>
type Request = Parameters<Signer["sign"]>[0]

type Stack = Pick<S3Client["middlewareStack"], "identify">

interface Answer {
  statusCode: number
  readonly headers: Record<string, string>
  body: Readable
}

/** The SDK's serializer of a service's requests and answers. */
interface Protocol {
  serializeRequest(operation: object, input: object, context: object): Promise<Request>
  deserializeResponse<Output>(operation: object, context: object, answer: Answer): Promise<Output>
}

/** What the SDK's middleware is given beside a request: of which command it is, to which endpoint, how it is signed. */
interface Circumstances {
  readonly commandName?: string
  readonly endpointV2?: { readonly url: URL; readonly headers?: object }
  readonly authSchemes?: readonly AuthScheme[]
  readonly __smithy_context?: { readonly commandInstance?: unknown }
}

/** Where requests of one kind to one bucket go, and what all of them have in common. */
interface Route {
  readonly protocol: Protocol
  readonly operation: object
  readonly context: object
  readonly headers: Readonly<Record<string, string>>
  readonly signer: Signer
}

/** What is asked for by the thousand, and answered with headers or the bytes of an object. */
const SHORT = new Set(["GetObjectCommand", "HeadObjectCommand", "PutObjectCommand"])
const COMMON_HEADERS = ["host", "user-agent", "x-amz-user-agent"]
// The bucket is elsewhere, the clock is off, the credentials have changed: the SDK knows what to make of these.
const LONG_WAY_STATUSES = new Set([301, 302, 303, 307, 308, 400, 401, 403])

/**
 * Sends requests past the SDK's middleware, which costs more than all else that is done for a small object: with the
 * SDK's serializer, signer and connections, to where an earlier request of the kind went in the same bucket. What is out
 * of the ordinary goes the long way: other commands, the first of a kind, customers' keys, headers the SDK has no word
 * for, directory buckets and access points of several regions; and, a second time, what is redirected or refused.
 */
export class ShortWay {
  readonly #client: S3Client
  readonly #onAnswer: (answer: Answer, command: string) => void
  readonly #routes = new Map<string, Route>()

  /** @param onAnswer - is given each answer that came the short way, before it is read. */
  constructor(client: S3Client, onAnswer: (answer: Answer, command: string) => void) {
    this.#client = client
    this.#onAnswer = onAnswer
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const output = await next(args)
        await this.#learn(context, args)
        return output
      },
      { step: "build", priority: "low", name: "learnRoute" },
    )
  }

  /** As the client's own `send`: the same answers, the same errors. */
  async send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: Command<Input, Output>,
    http: HttpOptions,
  ): Promise<Output> {
    const name = command.constructor.name
    const route = isOrdinary(command) ? this.#routes.get(routeName(name, command.input)) : undefined
    if (!route) return this.#client.send(command, http)
    const request = await this.#prepare(route, command.input)
    const response = await this.#ask(request, http)
    if (LONG_WAY_STATUSES.has(response.statusCode)) {
      response.body.destroy()
      return this.#client.send(command, http)
    }
    this.#onAnswer(response, name)
    try {
      if (name === "PutObjectCommand") await exposeError(response)
      exposeExpires(response)
      return await route.protocol.deserializeResponse<Output>(route.operation, route.context, response)
    } catch (error) {
      throw withAnswer(error, response)
    }
  }

  async #ask(request: Request, http: HttpOptions): Promise<Answer> {
    try {
      return (await this.#client.config.requestHandler.handle(request, http)).response
    } catch (error) {
      throw markAsTheirs(error)
    }
  }

  async #prepare({ protocol, operation, context, headers, signer }: Route, input: object): Promise<Request> {
    const request = await protocol.serializeRequest(operation, input, context)
    Object.assign(request.headers, headers, preparedHeaders(request.body))
    const signingDate = new Date(Date.now() + this.#client.config.systemClockOffset)
    return signer.sign(request, { signingDate })
  }

  async #learn(
    circumstances: Circumstances,
    { input, request }: { input: object; request: unknown },
  ): Promise<void> {
    const { commandName = "", endpointV2, authSchemes = [], __smithy_context: smithy } = circumstances
    const name = routeName(commandName, input)
    if (!SHORT.has(commandName) || this.#routes.has(name)) return
    const { config } = this.#client
    const [scheme, ...others] = authSchemes
    const plain = scheme?.name === "sigv4" && scheme.signingName === "s3" && others.length === 0
    const operation = operationOf(smithy?.commandInstance)
    if (!plain || !endpointV2 || !operation || !isProtocol(config.protocol) || !hasHeaders(request)) return
    const signer = await config.signer(scheme)
    const endpoint = async () => endpointOf(endpointV2.url)
    this.#routes.set(name, {
      protocol: config.protocol,
      operation,
      // The SDK copies its two hundred settings for each request.
      context: Object.assign(Object.create(config), circumstances, { endpoint }),
      headers: pick(request.headers, COMMON_HEADERS),
      signer,
    })
  }
}

function routeName(command: string, input: object): string {
  return `${command} ${Reflect.get(input, "Bucket")}`
}

/** Neither with headers added to it nor with a key that the SDK has to prepare. */
function isOrdinary({ input, middlewareStack }: { input: object; middlewareStack: Stack }): boolean {
  return !("SSECustomerKey" in input) && middlewareStack.identify().length === 0
}

/** As the SDK's serializers want it of the schema that its commands carry. */
function operationOf(command: unknown): object | null {
  const schema: unknown =
    typeof command === "object" && command !== null ? Reflect.get(command, "schema") : null
  if (!Array.isArray(schema)) return null
  const [, namespace, name, traits, input, output] = schema
  return { namespace, name, traits, input, output }
}

function endpointOf({ protocol, hostname, port, pathname }: URL) {
  return { protocol, hostname, path: pathname, ...(port !== "" && { port: Number(port) }) }
}

function isProtocol(protocol: unknown): protocol is Protocol {
  return typeof protocol === "object" && protocol !== null && "serializeRequest" in protocol
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request
}

function pick(headers: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)))
}

/** Some services answer a write with 200 and an error in the body. The SDK, too, makes it 503. */
async function exposeError(answer: Answer): Promise<void> {
  if (answer.statusCode >= 300 || answer.headers["content-length"] === "0") return
  const body = await buffer(answer.body)
  if (body.subarray(-16).toString().endsWith("</Error>")) answer.statusCode = 503
  answer.body = Readable.from([body])
}

/** As the SDK does: a date that is none would be an error, and is kept as it was written. */
function exposeExpires({ headers }: Answer): void {
  const { expires } = headers
  if (expires === undefined) return
  headers["expiresstring"] = expires
  delete headers["expires"]
}

/** By `$metadata` errors of the SDK are told from others. */
function markAsTheirs(error: unknown): unknown {
  if (error instanceof Error && !("$metadata" in error)) Object.assign(error, { $metadata: {} })
  return error
}

function withAnswer(error: unknown, answer: Answer): unknown {
  if (typeof error === "object" && error !== null)
    Object.defineProperty(error, "$response", { value: answer })
  return error
}
