import { DeniedError, NotFoundError, PreconditionError, UnsupportedError, UsageError } from "../errors.ts"
import type { S3Dialect } from "./s3-dialect.ts"
import { headObject } from "./s3-read.ts"
import type { S3Session } from "./s3-session.ts"
import type { Feature } from "./services.ts"
import type { Conditions, CopySource, CustomerKey, ObjectAddress } from "./store.ts"

/** Where a condition is put to the service: services honour them in one place and ignore them in the other. */
export type ConditionPlace = "put" | "complete"

/** What to send with a copy: the source's ETag, by S3's name for it or by RGW's, and what concerns the target. */
export interface CopyPin {
  readonly source: "standard" | "rgw" | null
  readonly target: Conditions
}

/** Decides which conditions the service can be trusted with, and stands in for those it ignores. */
export class S3Conditions {
  readonly #session: S3Session
  readonly #dialect: S3Dialect
  readonly #probes = new Map<Feature, Promise<boolean>>()

  constructor(session: S3Session, dialect: S3Dialect) {
    this.#session = session
    this.#dialect = dialect
  }

  /**
   * What to send of the conditions. Those the service is known to honour, or found to, are sent; the others are
   * looked at here, right before the write, which is better than nothing and said so.
   *
   * @throws {PreconditionError} if the look shows that a condition does not hold.
   */
  async toSend(
    address: ObjectAddress,
    place: ConditionPlace,
    conditions: Conditions | undefined,
    options: { signal?: AbortSignal | undefined; customerKey?: CustomerKey | undefined },
  ): Promise<Conditions> {
    if (!conditions?.ifNoneMatch && conditions?.ifMatch === undefined) return {}
    const feature: Feature = `${place}-${conditions.ifNoneMatch ? "if-none-match" : "if-match"}`
    if (await this.#honoured(feature, address.bucket, options.signal)) return conditions
    await this.#look(address, conditions, options)
    return {}
  }

  /**
   * The same for a copy. An object that is copied onto itself is pinned by its source's ETag already; the condition on
   * the target, where a service has one, closes the moment between the service's look and its write.
   *
   * @throws {PreconditionError} if the service checks neither and the look shows that they do not hold.
   */
  async forCopy(
    source: CopySource,
    target: ObjectAddress,
    conditions: Conditions | undefined,
    options: { signal?: AbortSignal | undefined; customerKey?: CustomerKey | undefined },
  ): Promise<CopyPin> {
    const { bucket } = target
    const { signal } = options
    const pinned = source.ifMatch === undefined ? null : await this.#sourcePin(bucket, signal)
    const onItself =
      source.versionId === undefined && source.address.bucket === bucket && source.address.key === target.key
    const asked = conditions?.ifNoneMatch !== undefined || conditions?.ifMatch !== undefined
    const checked =
      asked && !conditions.ifNoneMatch && (await this.#honoured("copy-target-if-match", bucket, signal))
    if (asked && !checked && !(onItself && pinned && conditions.ifMatch === source.ifMatch)) {
      await this.#look(target, conditions, options)
    }
    if (source.ifMatch !== undefined && pinned === null && source.versionId === undefined) {
      await this.#lookAtSource(source, signal)
    }
    return { source: pinned, target: checked ? conditions : {} }
  }

  /** Whether the condition on a copied part's source is honoured: as on a whole object's, by S3's own name. */
  async honoursSource(bucket: string, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#honoured("copy-source-if-match", bucket, signal)
  }

  async #sourcePin(bucket: string, signal: AbortSignal | undefined): Promise<CopyPin["source"]> {
    if (await this.#honoured("copy-source-if-match", bucket, signal)) return "standard"
    return (await this.#honoured("copy-if-match", bucket, signal)) ? "rgw" : null
  }

  async #lookAtSource(
    { address, ifMatch, customerKey }: CopySource,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { etag } = await headObject(this.#session, address, { signal, customerKey })
    if (etag !== ifMatch) {
      throw new PreconditionError(`cannot copy s3://${address.bucket}/${address.key}: it changed meanwhile`)
    }
    this.#tellOfLooking(address)
  }

  async #look(
    address: ObjectAddress,
    conditions: Conditions,
    options: { signal?: AbortSignal | undefined; customerKey?: CustomerKey | undefined },
  ): Promise<void> {
    await look(this.#session, address, conditions, options)
    this.#tellOfLooking(address)
  }

  #tellOfLooking(address: ObjectAddress): void {
    const { endpoint } = this.#session
    this.#session.notice(
      "conditions",
      `${endpoint} does not check conditions itself: what is at s3://${address.bucket}/${address.key} was looked up just before`,
      "another writer in between goes unnoticed; keep writers apart by other means",
    )
  }

  async #honoured(feature: Feature, bucket: string, signal: AbortSignal | undefined): Promise<boolean> {
    const known = await this.#dialect.offers(feature)
    if (known !== undefined) return known
    const probe = this.#probes.get(feature) ?? this.#probe(feature, bucket, signal)
    this.#probes.set(feature, probe)
    return probe.finally(() => this.#probes.delete(feature))
  }

  /** Tries a condition on an object of its own and remembers the answer, if it gets as far as an answer. */
  async #probe(feature: Feature, bucket: string, signal: AbortSignal | undefined): Promise<boolean> {
    const { Trial } = await import("./s3-condition-trial.ts")
    const trial = new Trial(this.#session, bucket, signal)
    let honoured: boolean
    try {
      honoured = await trial.run(feature)
    } catch (error) {
      // Who may not write under the probe's prefix learns nothing by it.
      if (error instanceof DeniedError || error instanceof UsageError) return false
      if (!(error instanceof UnsupportedError)) throw error
      honoured = false
    } finally {
      await trial.clean()
    }
    await this.#dialect.learn(feature, honoured)
    return honoured
  }
}

async function look(
  session: S3Session,
  address: ObjectAddress,
  { ifNoneMatch, ifMatch }: Conditions,
  options: { signal?: AbortSignal | undefined; customerKey?: CustomerKey | undefined },
): Promise<void> {
  const etag = await headObject(session, address, options).then(
    (info) => info.etag,
    (error: unknown) => {
      if (error instanceof NotFoundError) return null
      throw error
    },
  )
  const name = `s3://${address.bucket}/${address.key}`
  if (ifNoneMatch && etag !== null) throw new PreconditionError(`cannot write ${name}: it exists already`)
  if (ifMatch !== undefined && etag !== ifMatch) {
    throw new PreconditionError(`cannot write ${name}: it changed meanwhile`)
  }
}
