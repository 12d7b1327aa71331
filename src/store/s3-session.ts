import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3"
import type { NodeHttpHandler } from "@smithy/node-http-handler"
import { UnavailableError } from "../errors.ts"
import { ConnectionPool } from "./http/pool.ts"
import { Pace } from "./pace.ts"
import type { Configured, ConnectionSettings } from "./s3-client.ts"
import { Direct, type DirectOptions, type Route } from "./s3-direct.ts"
import type { DirectOutput } from "./s3-direct-answer.ts"
import type { DirectInput, DirectOperation, ListingInput } from "./s3-direct-request.ts"
import type { Task } from "./s3-errors.ts"
import { failureOf, isExpiredCredentials, isSkewed, regionOf, translate } from "./s3-errors.ts"
import type { HttpOptions } from "./s3-http.ts"
import type { ListingOutput } from "./s3-listing-document.ts"
import type { Payload } from "./s3-payload.ts"
import { routeTo } from "./s3-route.ts"
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

const CONNECT_MS = 10_000
// A Complete of thousands of parts may be silent for a minute and more.
const SILENCE_MS = 180_000
const CONNECTIONS = 128

// The SDK takes longer to load than all else that a small command does: it is loaded when it is needed.
const sdk = () => import("./s3-client.ts")

/** What is asked in one region. */
interface Line {
  readonly region: string
  /** Made when it is first needed. */
  client: Promise<S3Client> | undefined
  /** Milliseconds the service's clock is ahead of ours, since it said that one of them is wrong. */
  clockOffset: number
  /** By bucket. */
  readonly routes: Map<string, Route>
}

/** The connections of one store: its clients, one for each region it was sent to, and what they have in common. */
export class S3Session {
  readonly options: S3StoreOptions
  readonly endpoint: string
  /** Headers of the last answer, with names in lower case. */
  answered: Readonly<Record<string, string>> | undefined
  readonly #regions = new Map<string, string>()
  readonly #lines = new Map<string, Line>()
  readonly #noticed = new Set<string>()
  readonly #givenEndpoint: string | undefined
  readonly #settings: ConnectionSettings
  readonly #pool: ConnectionPool
  readonly #direct: Direct
  #configured: Promise<Configured> | undefined
  #sdkConnections: NodeHttpHandler | undefined

  constructor(options: S3StoreOptions) {
    this.options = options
    this.#givenEndpoint =
      options.endpoint ?? (process.env["AWS_ENDPOINT_URL_S3"] || process.env["AWS_ENDPOINT_URL"] || undefined)
    this.endpoint = withoutUser(this.#givenEndpoint ?? "https://s3.amazonaws.com")
    this.#settings = {
      connections: options.connections ?? CONNECTIONS,
      connectMs: options.timeouts?.connectMs ?? CONNECT_MS,
      silenceMs: options.timeouts?.silenceMs ?? SILENCE_MS,
    }
    this.#pool = new ConnectionPool(this.#settings)
    this.#direct = new Direct(this.#pool, (headers) => this.#look(headers))
  }

  /** How fast the body of an answer has to come. */
  pace(): Pace {
    return new Pace(this.options.now ?? Date.now, this.#settings.silenceMs)
  }

  /** Run a request of the SDK's until it is answered; see `#repeat`. */
  run<T>(sending: Sending, attempt: (client: S3Client, http: HttpOptions) => Promise<T>): Promise<T> {
    return this.#repeat(sending, async (line) => attempt(await this.#client(line), httpOptions(sending)))
  }

  /**
   * As `run`, for what is asked by the thousand: past the SDK, where nothing is out of the ordinary.
   *
   * @param payload - made anew for each attempt.
   */
  ask(
    sending: Sending,
    operation: DirectOperation,
    input: DirectInput,
    payload?: () => Payload,
  ): Promise<DirectOutput> {
    return this.#repeat(sending, async (line) => {
      const body = payload?.()
      const route = this.#route(line, input.Bucket)
      const options = { ...this.#directOptions(line, sending), payload: body }
      const answer = route && (await this.#direct.ask(route, operation, input, options))
      if (answer) return answer
      const { askSdk } = await sdk()
      return askSdk(await this.#client(line), operation, input, body, httpOptions(sending))
    })
  }

  /** As `ask`, for a page of a listing. */
  list(sending: Sending, input: ListingInput): Promise<ListingOutput> {
    return this.#repeat(sending, async (line) => {
      const route = this.#route(line, input.Bucket)
      const page = route && (await this.#direct.list(route, input, this.#directOptions(line, sending)))
      if (page) return page
      const { listWithSdk } = await sdk()
      return listWithSdk(await this.#client(line), input, httpOptions(sending))
    })
  }

  #directOptions(line: Line, { action, signal }: Sending): DirectOptions {
    return { at: new Date(Date.now() + line.clockOffset), action, pace: this.pace(), signal }
  }

  /**
   * A request is sent again, once, where the answer says how to: to the bucket's own region, or with the service's
   * time; expired credentials are renewed for the caller's next attempt.
   */
  async #repeat<T>(sending: Sending, attempt: (line: Line) => Promise<T>): Promise<T> {
    const { signal, bucket } = sending
    for (let mayRepeat = sending.restartable ?? true; ; mayRepeat = false) {
      signal?.throwIfAborted()
      const line = this.#line(bucket)
      try {
        return await attempt(line)
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
          // The SDK has taken the service's time from this answer, if it was its own.
          line.clockOffset = offsetOf(failure.headers["date"])
          this.notice("skew", "this computer's clock is off; the service's time is used", "set the clock")
          continue
        }
        const translated = translate(failure, sending, error)
        if (isExpiredCredentials(failure) && (await (await sdk()).renewed(await this.#client(line)))) {
          const message = `cannot ${sending.action}: the credentials expired and were renewed`
          throw new UnavailableError(message, { cause: error, transient: "credentials" })
        }
        throw translated
      }
    }
  }

  /** The endpoint asked for, by option, environment or AWS profile; undefined for Amazon's own. */
  async customEndpoint(): Promise<string | undefined> {
    return this.#givenEndpoint ?? (await this.#configuration()).endpoint
  }

  #line(bucket: string): Line {
    const region = this.#regions.get(bucket) ?? this.options.region ?? ""
    const known = this.#lines.get(region)
    if (known) return known
    const line: Line = { region, client: undefined, clockOffset: 0, routes: new Map() }
    this.#lines.set(region, line)
    return line
  }

  #client(line: Line): Promise<S3Client> {
    line.client ??= this.#create(line)
    return line.client
  }

  async #create(line: Line): Promise<S3Client> {
    const { createClient, sdkConnections } = await sdk()
    const endpoint = await this.customEndpoint()
    this.#sdkConnections ??= sdkConnections(this.#settings)
    return createClient(this.options, {
      region: line.region || (await this.#configuration()).region,
      endpoint,
      requestHandler: this.#sdkConnections,
      onAnswer: (headers) => this.#look(headers),
      onRoute: (bucket, route) => line.routes.set(bucket, route),
    })
  }

  /** Where to ask for what is in a bucket; null as long as only the SDK can tell. */
  #route(line: Line, bucket: string): Route | null {
    const known = line.routes.get(bucket)
    if (known) return known
    const found = routeTo(bucket, this.#givenEndpoint, line.region, this.options)
    if (!found) return null
    line.routes.set(bucket, found)
    return found
  }

  #look(headers: Readonly<Record<string, string>>): void {
    this.answered = headers
  }

  #configuration(): Promise<Configured> {
    this.#configured ??= sdk().then(({ configured }) => configured(this.options.profile))
    return this.#configured
  }

  /** Tells the user something, the first time only. */
  notice(topic: string, message: string, hint?: string): void {
    if (this.#noticed.has(topic)) return
    this.#noticed.add(topic)
    this.options.onNotice(message, hint)
  }

  close(): void {
    this.#pool.close()
    this.#sdkConnections?.destroy()
  }
}

function httpOptions({ signal }: Sending): HttpOptions {
  return signal ? { abortSignal: signal } : {}
}

function offsetOf(date: string | undefined): number {
  const serviceTime = Date.parse(date ?? "")
  return Number.isNaN(serviceTime) ? 0 : serviceTime - Date.now()
}

function withoutUser(endpoint: string): string {
  if (!URL.canParse(endpoint)) return endpoint
  const url = new URL(endpoint)
  url.username = ""
  url.password = ""
  return url.href.replace(/\/$/, "")
}
