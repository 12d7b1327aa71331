import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import { UnavailableError } from "../errors.ts"
import { Pace } from "./pace.ts"
import type { Task } from "./s3-errors.ts"
import { failureOf, isExpiredCredentials, isSkewed, regionOf, translate } from "./s3-errors.ts"
import { connectionAgents, type HttpOptions } from "./s3-http.ts"
import { limitDocument } from "./s3-limit.ts"
import { addPayloadHeaders } from "./s3-payload.ts"
import { S3Sha256 } from "./s3-sha256.ts"
import { ShortWay } from "./s3-short-way.ts"
import type { ServiceName } from "./services.ts"

export interface S3StoreOptions {
  /** Amazon's own for the region if not given. */
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  /** A profile of the AWS configuration files. */
  readonly profile?: string | undefined
  readonly pathStyle?: boolean | undefined
  readonly accelerate?: boolean | undefined
  /** What is at the endpoint, where its host or its answers would not tell. */
  readonly service?: ServiceName | undefined
  /** Where to remember what endpoints can do. */
  readonly dialectFile?: string | undefined
  /** Instead of the SDK's own chain. */
  readonly credentials?: S3ClientConfig["credentials"] | undefined
  /** Connections at once, at most; 128 if not given. */
  readonly connections?: number | undefined
  /** Something the user should know, once; nothing failed. */
  readonly onNotice: (message: string, hint?: string) => void
  readonly userAgent?: string | undefined
  readonly now?: (() => number) | undefined
  /** Milliseconds until a connection that does not come about, or one that is silent, is given up. */
  readonly timeouts?: { readonly connectMs?: number; readonly silenceMs?: number } | undefined
}

/** What a request needs besides its input. */
export interface Sending extends Task {
  readonly signal?: AbortSignal | undefined
  /** False if the body is a stream: then nothing is tried a second time. */
  readonly restartable?: boolean | undefined
}

interface Connected {
  readonly client: S3Client
  readonly shortWay: ShortWay
}

const nothing = () => undefined
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const CONNECT_MS = 10_000
// A Complete of thousands of parts may be silent for a minute and more.
const SILENCE_MS = 180_000

/** The connections of one store: its clients, one for each region it was sent to, and what they have in common. */
export class S3Session {
  readonly options: S3StoreOptions
  readonly endpoint: string
  /** Headers of the last answer, with names in lower case. */
  answered: Readonly<Record<string, string>> | undefined
  readonly #regions = new Map<string, string>()
  readonly #clients = new Map<string, Promise<Connected>>()
  readonly #noticed = new Set<string>()
  readonly #givenEndpoint: string | undefined
  #configured: Promise<Configured> | undefined
  #handler: NodeHttpHandler | undefined

  constructor(options: S3StoreOptions) {
    this.options = options
    this.#givenEndpoint =
      options.endpoint ?? (process.env["AWS_ENDPOINT_URL_S3"] || process.env["AWS_ENDPOINT_URL"] || undefined)
    this.endpoint = withoutUser(this.#givenEndpoint ?? "https://s3.amazonaws.com")
  }

  /** How fast the body of an answer has to come. */
  pace(): Pace {
    return new Pace(this.options.now ?? Date.now, this.options.timeouts?.silenceMs ?? SILENCE_MS)
  }

  /**
   * Run a request until it is answered. It is sent again, once, where the answer says how to: to the bucket's own
   * region, or with the service's time; expired credentials are renewed for the caller's next attempt.
   */
  async run<T>(
    sending: Sending,
    attempt: (client: S3Client, http: HttpOptions, shortWay: ShortWay) => Promise<T>,
  ): Promise<T> {
    const { signal, bucket } = sending
    const http: HttpOptions = signal ? { abortSignal: signal } : {}
    for (let mayRepeat = sending.restartable ?? true; ; mayRepeat = false) {
      signal?.throwIfAborted()
      const { client, shortWay } = await this.#connected(bucket)
      try {
        return await attempt(client, http, shortWay)
      } catch (error) {
        signal?.throwIfAborted()
        const failure = failureOf(error)
        if (!failure) throw error
        const region = regionOf(failure)
        if (mayRepeat && region !== undefined && region !== this.#regions.get(bucket)) {
          this.#regions.set(bucket, region)
          continue
        }
        if (mayRepeat && isSkewed(failure)) {
          // The SDK has taken the service's time from this answer and signs with it from now on.
          this.notice("skew", "this computer's clock is off; the service's time is used", "set the clock")
          continue
        }
        const translated = translate(failure, sending, error)
        if (isExpiredCredentials(failure) && (await renewed(client))) {
          const message = `cannot ${sending.action}: the credentials expired and were renewed`
          throw new UnavailableError(message, { cause: error, transient: "credentials" })
        }
        throw translated
      }
    }
  }

  /** The client for a bucket's region; made on first use. */
  #connected(bucket: string): Promise<Connected> {
    const region = this.#regions.get(bucket) ?? this.options.region ?? ""
    const connected = this.#clients.get(region) ?? this.#create(region)
    this.#clients.set(region, connected)
    return connected
  }

  /** The endpoint asked for, by option, environment or AWS profile; undefined for Amazon's own. */
  async customEndpoint(): Promise<string | undefined> {
    return this.#givenEndpoint ?? (await this.#configuration()).endpoint
  }

  /** @param region - "" for the configured one. */
  async #create(region: string): Promise<Connected> {
    const { options } = this
    const endpoint = await this.customEndpoint()
    const pathStyle = options.pathStyle ?? endpoint !== undefined
    const config: S3ClientConfig = {
      region: region || (await this.#configuration()).region,
      forcePathStyle: pathStyle && !options.accelerate,
      useAccelerateEndpoint: options.accelerate ?? false,
      maxAttempts: 1,
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      // With the agents given below the SDK sends the body without waiting; the header would only confuse.
      expectContinueHeader: false,
      requestHandler: this.#connections(),
      sha256: S3Sha256,
      // Or the SDK writes warnings to stderr.
      logger: silent,
      ...(endpoint !== undefined && { endpoint }),
      ...(options.profile !== undefined && { profile: options.profile }),
      ...(options.credentials && { credentials: options.credentials }),
      ...(options.userAgent !== undefined && { customUserAgent: options.userAgent }),
    }
    const client = new S3Client(config)
    addPayloadHeaders(client)
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const result = await next(args)
          this.#look(result.response, commandName)
          return result
        },
      { step: "deserialize", name: "lookAtAnswer", priority: "low" },
    )
    const shortWay = new ShortWay(client, (...answer) => this.#look(...answer))
    return { client, shortWay }
  }

  #look(answer: unknown, command: string | undefined): void {
    this.answered = headersOf(answer) ?? this.answered
    limitDocument(answer, command)
  }

  #configuration(): Promise<Configured> {
    this.#configured ??= configured(this.options.profile)
    return this.#configured
  }

  #connections(): NodeHttpHandler {
    this.#handler ??= new NodeHttpHandler({
      ...connectionAgents(this.options.connections ?? 128),
      connectionTimeout: this.options.timeouts?.connectMs ?? CONNECT_MS,
      socketTimeout: this.options.timeouts?.silenceMs ?? SILENCE_MS,
    })
    return this.#handler
  }

  /** Tells the user something, the first time only. */
  notice(topic: string, message: string, hint?: string): void {
    if (this.#noticed.has(topic)) return
    this.#noticed.add(topic)
    this.options.onNotice(message, hint)
  }

  close(): void {
    this.#handler?.destroy()
  }
}

async function renewed(client: S3Client): Promise<boolean> {
  try {
    const before = await client.config.credentials()
    const after = await client.config.credentials({ forceRefresh: true })
    return before.sessionToken !== after.sessionToken || before.accessKeyId !== after.accessKeyId
  } catch {
    return false
  }
}

interface Configured {
  readonly region: string
  readonly endpoint: string | undefined
}

/** What the environment and the AWS profile say; the SDK finds and reads them. */
async function configured(profile: string | undefined): Promise<Configured> {
  const client = new S3Client(profile === undefined ? {} : { profile })
  try {
    // S3-compatible services mostly take any region, and AWS says where a bucket is.
    const region = await client.config.region().catch(() => "us-east-1")
    const endpoint = await client.config.serviceConfiguredEndpoint?.().catch(() => undefined)
    return { region, endpoint }
  } finally {
    client.destroy()
  }
}

function headersOf(response: unknown): Record<string, string> | undefined {
  const headers =
    typeof response === "object" && response !== null ? Reflect.get(response, "headers") : undefined
  if (typeof headers !== "object" || headers === null) return undefined
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

function withoutUser(endpoint: string): string {
  if (!URL.canParse(endpoint)) return endpoint
  const url = new URL(endpoint)
  url.username = ""
  url.password = ""
  return url.href.replace(/\/$/, "")
}
