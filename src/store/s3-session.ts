import { Agent as HttpAgent } from "node:http"
import { Agent as HttpsAgent } from "node:https"
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import { UnavailableError } from "../errors.ts"
import type { Task } from "./s3-errors.ts"
import { failureOf, isExpiredCredentials, isSkewed, regionOf, translate } from "./s3-errors.ts"
import { addPayloadHeaders } from "./s3-payload.ts"
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
}

export interface HttpOptions {
  readonly abortSignal?: AbortSignal
}

/** What a request needs besides its input. */
export interface Sending extends Task {
  readonly signal?: AbortSignal | undefined
  /** False if the body is a stream: then nothing is tried a second time. */
  readonly restartable?: boolean | undefined
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
  /** The endpoint asked for, by option or environment; undefined for Amazon's own. */
  readonly customEndpoint: string | undefined
  /** Headers of the last answer, with names in lower case. */
  answered: Readonly<Record<string, string>> | undefined
  readonly #regions = new Map<string, string>()
  readonly #clients = new Map<string, Promise<S3Client>>()
  readonly #noticed = new Set<string>()
  #handler: NodeHttpHandler | undefined

  constructor(options: S3StoreOptions) {
    this.options = options
    this.customEndpoint =
      options.endpoint ?? (process.env["AWS_ENDPOINT_URL_S3"] || process.env["AWS_ENDPOINT_URL"] || undefined)
    this.endpoint = withoutUser(this.customEndpoint ?? "https://s3.amazonaws.com")
  }

  /**
   * Run a request until it is answered. It is sent again, once, where the answer says how to: to the bucket's own
   * region, or with the service's time; expired credentials are renewed for the caller's next attempt.
   */
  async run<T>(sending: Sending, attempt: (client: S3Client, http: HttpOptions) => Promise<T>): Promise<T> {
    const { signal, bucket } = sending
    const http: HttpOptions = signal ? { abortSignal: signal } : {}
    for (let mayRepeat = sending.restartable ?? true; ; mayRepeat = false) {
      signal?.throwIfAborted()
      const client = await this.client(bucket)
      try {
        return await attempt(client, http)
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
  client(bucket: string): Promise<S3Client> {
    const region = this.#regions.get(bucket) ?? this.options.region ?? ""
    const client = this.#clients.get(region) ?? this.create(region)
    this.#clients.set(region, client)
    return client
  }

  /** Another client for a region, or for the configured one if it is ""; it shares the connections. */
  async create(region: string, more: Partial<S3ClientConfig> = {}): Promise<S3Client> {
    const { options } = this
    const pathStyle = options.pathStyle ?? this.customEndpoint !== undefined
    const config: S3ClientConfig = {
      region: region || (await configuredRegion(options.profile)),
      forcePathStyle: pathStyle && !options.accelerate,
      useAccelerateEndpoint: options.accelerate ?? false,
      maxAttempts: 1,
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      // With the agents given below the SDK sends the body without waiting; the header would only confuse.
      expectContinueHeader: false,
      requestHandler: this.handler(),
      // Or the SDK writes warnings to stderr.
      logger: silent,
      ...(this.customEndpoint !== undefined && { endpoint: this.customEndpoint }),
      ...(options.profile !== undefined && { profile: options.profile }),
      ...(options.credentials && { credentials: options.credentials }),
      ...(options.userAgent !== undefined && { customUserAgent: options.userAgent }),
      ...more,
    }
    const client = new S3Client(config)
    addPayloadHeaders(client)
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        this.answered = headersOf(result.response) ?? this.answered
        return result
      },
      { step: "deserialize", name: "rememberAnswer", priority: "low" },
    )
    return client
  }

  handler(): NodeHttpHandler {
    const maxSockets = this.options.connections ?? 128
    const agent = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets, noDelay: true }
    this.#handler ??= new NodeHttpHandler({
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      connectionTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
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

/** From AWS_REGION or the profile; S3-compatible services mostly take any, and AWS says where a bucket is. */
async function configuredRegion(profile: string | undefined): Promise<string> {
  const client = new S3Client(profile === undefined ? {} : { profile })
  try {
    return await client.config.region()
  } catch {
    return "us-east-1"
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
