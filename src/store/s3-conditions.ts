import { randomUUID } from "node:crypto"
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3"
import { DeniedError, NotFoundError, PreconditionError, UnsupportedError, UsageError } from "../errors.ts"
import type { S3Dialect } from "./s3-dialect.ts"
import { conditionsInput } from "./s3-inputs.ts"
import { etagOf } from "./s3-outputs.ts"
import { headObject } from "./s3-read.ts"
import type { HttpOptions, S3Session } from "./s3-session.ts"
import type { Feature } from "./services.ts"
import type { Conditions, CustomerKey, ObjectAddress } from "./store.ts"

/** Where a condition is put to the service: services honour them in one place and ignore them in the other. */
export type ConditionPlace = "put" | "complete"

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
    await look(this.#session, address, conditions, options)
    const { endpoint } = this.#session
    this.#session.notice(
      "conditions",
      `${endpoint} does not check conditions itself: what is at s3://${address.bucket}/${address.key} was looked up just before`,
      "another writer in between goes unnoticed; keep writers apart by other means",
    )
    return {}
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

/** A tiny object under `.s3ep-probe/` that is written with conditions that hold and conditions that do not. */
class Trial {
  readonly #session: S3Session
  readonly #target: { readonly Bucket: string; readonly Key: string }
  readonly #signal: AbortSignal | undefined
  readonly #versions = new Set<string | undefined>()

  constructor(session: S3Session, bucket: string, signal: AbortSignal | undefined) {
    this.#session = session
    this.#target = { Bucket: bucket, Key: `.s3ep-probe/${randomUUID()}` }
    this.#signal = signal
  }

  async run(feature: Feature): Promise<boolean> {
    const write = feature.startsWith("put") ? this.#put : this.#complete
    const { etag } = await this.#put({})
    if (feature.endsWith("if-none-match")) return !(await holds(write.call(this, { ifNoneMatch: "*" })))
    const wrong = await holds(write.call(this, { ifMatch: "00000000000000000000000000000000" }))
    return !wrong && (await holds(write.call(this, { ifMatch: etag })))
  }

  async clean(): Promise<void> {
    for (const versionId of this.#versions) {
      const input = { ...this.#target, ...(versionId !== undefined && { VersionId: versionId }) }
      await this.#send((client, http) => client.send(new DeleteObjectCommand(input), http)).catch(() => {
        const name = `s3://${this.#target.Bucket}/${this.#target.Key}`
        this.#session.notice("probe", `could not remove ${name}, written to see whether conditions work`)
      })
    }
  }

  #send<T>(attempt: (client: S3Client, http: HttpOptions) => Promise<T>): Promise<T> {
    const { Bucket: bucket, Key: key } = this.#target
    const sending = {
      action: `write s3://${bucket}/${key}`,
      bucket,
      about: "object",
      signal: this.#signal,
    } as const
    return this.#session.run(sending, attempt)
  }

  async #put(conditions: Conditions): Promise<{ etag: string }> {
    const input = { ...this.#target, Body: Buffer.from("s3ep"), ...conditionsInput(conditions) }
    const output = await this.#send((client, http) => client.send(new PutObjectCommand(input), http))
    this.#versions.add(output.VersionId)
    return { etag: etagOf(output.ETag) }
  }

  async #complete(conditions: Conditions): Promise<{ etag: string }> {
    const { UploadId } = await this.#send((client, http) =>
      client.send(new CreateMultipartUploadCommand(this.#target), http),
    )
    const upload = { ...this.#target, UploadId }
    try {
      const part = await this.#send((client, http) =>
        client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: Buffer.from("s3ep") }), http),
      )
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] }
      const input = { ...upload, MultipartUpload, ...conditionsInput(conditions) }
      const output = await this.#send((client, http) =>
        client.send(new CompleteMultipartUploadCommand(input), http),
      )
      this.#versions.add(output.VersionId)
      return { etag: etagOf(output.ETag) }
    } catch (error) {
      await this.#send((client, http) => client.send(new AbortMultipartUploadCommand(upload), http)).catch(
        () => undefined,
      )
      throw error
    }
  }
}

/** False if the service refused the condition as unmet, or said that it knows no such thing. */
async function holds(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if (error instanceof PreconditionError) return false
    throw error
  }
}
