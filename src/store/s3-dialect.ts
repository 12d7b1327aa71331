import { DeniedError, NotFoundError, UsageError } from "../errors.ts"
import { type Dialect, DialectFile } from "./dialect.ts"
import type { S3Session } from "./s3-session.ts"
import {
  type Feature,
  type ServiceName,
  type ServiceProfile,
  serviceOfEndpoint,
  serviceOfHeaders,
  serviceProfile,
} from "./services.ts"
import type { CallOptions, StoreLimits } from "./store.ts"

/** What the endpoint of a session is and does: known by its profile, remembered, or found out here. */
export class S3Dialect {
  readonly #session: S3Session
  readonly #file: DialectFile
  #remembered: Promise<Dialect> | undefined
  #told: Promise<ServiceName | null> | undefined
  /** What all of it comes to, for as long as nothing is learnt: it is asked for with each of thousands of objects. */
  #settled: { readonly profile: ServiceProfile; readonly dialect: Dialect; limits?: StoreLimits } | undefined

  constructor(session: S3Session) {
    this.#session = session
    this.#file = new DialectFile(session.options.dialectFile, session.options.now ?? Date.now)
  }

  async limits(bucket: string, options: CallOptions = {}): Promise<StoreLimits> {
    if (this.#settled?.limits) return this.#settled.limits
    if (!(await this.#profile())) await this.#ask(bucket, options)
    const { limits } = (await this.#profile()) ?? serviceProfile("generic")
    const settled = this.#settled
    const found = {
      ...limits,
      conditionalPut: (await this.offers("put-if-none-match")) ?? true,
      conditionalComplete: (await this.offers("complete-if-none-match")) ?? true,
      trailers: (await this.offers("trailers")) ?? false,
    }
    if (settled) settled.limits = found
    return found
  }

  /**
   * Whether the endpoint does this; undefined if nobody knows yet. What was found out wins over the profile.
   * Nothing is sent to find out.
   */
  async offers(feature: Feature): Promise<boolean | undefined> {
    if (this.#settled) return offered(feature, this.#settled.dialect, this.#settled.profile)
    const remembered = this.#load()
    const dialect = await remembered
    const profile = await this.#profile()
    // Something may have been learnt meanwhile.
    if (profile && remembered === this.#remembered) this.#settled = { profile, dialect }
    return offered(feature, dialect, profile)
  }

  /** Remembers an answer, here and in the file. */
  async learn(feature: Feature, answer: boolean): Promise<void> {
    const dialect = await this.#load()
    if (dialect.features[feature] === answer) return
    await this.#save({ ...dialect, features: { ...dialect.features, [feature]: answer } })
  }

  /** The service, by the user's word, its host, what is remembered or how it answered; null before any answer. */
  async #profile(): Promise<ServiceProfile | null> {
    const session = this.#session
    this.#told ??= this.#tell()
    const told = await this.#told
    if (told) return serviceProfile(told)
    const remembered = await this.#load()
    if (remembered.service) return serviceProfile(remembered.service)
    if (!session.answered) return null
    const service = serviceOfHeaders(session.answered) ?? "generic"
    await this.#save({ ...remembered, service })
    return serviceProfile(service)
  }

  async #tell(): Promise<ServiceName | null> {
    return this.#session.options.service ?? serviceOfEndpoint(await this.#session.customEndpoint())
  }

  async #ask(bucket: string, { signal }: CallOptions): Promise<void> {
    const sending = { action: `ask s3://${bucket}`, bucket, about: "bucket", signal } as const
    try {
      const { headBucket } = await import("./s3-client.ts")
      await this.#session.run(sending, (client, http) => headBucket(client, bucket, http))
    } catch (error) {
      // Who may not list a bucket may still write to it, and the refusal's headers tell as much.
      const answered = error instanceof DeniedError || error instanceof UsageError
      if (!answered && !(error instanceof NotFoundError)) throw error
    }
  }

  #load(): Promise<Dialect> {
    this.#remembered ??= this.#file.load(this.#session.endpoint)
    return this.#remembered
  }

  async #save(dialect: Dialect): Promise<void> {
    this.#remembered = Promise.resolve(dialect)
    this.#settled = undefined
    await this.#file.save(this.#session.endpoint, dialect)
  }
}

function offered(feature: Feature, found: Dialect, profile: ServiceProfile | null): boolean | undefined {
  return found.features[feature] ?? profile?.features[feature]
}
