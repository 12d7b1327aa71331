import { randomUUID } from "node:crypto"
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3"
import {
  DeniedError,
  NotFoundError,
  PreconditionError,
  UnavailableError,
  UnsupportedError,
  UsageError,
} from "../errors.ts"
import type { S3Dialect } from "./s3-dialect.ts"
import { withHeaders } from "./s3-headers.ts"
import type { HttpOptions } from "./s3-http.ts"
import { conditionsInput, quoted } from "./s3-inputs.ts"
import { listUploads, listVersions } from "./s3-list.ts"
import { etagOf } from "./s3-outputs.ts"
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
  /** Whether a request was not answered: it may have made something all the same. */
  #unsure = false

  constructor(session: S3Session, bucket: string, signal: AbortSignal | undefined) {
    this.#session = session
    this.#target = { Bucket: bucket, Key: `.s3ep-probe/${randomUUID()}` }
    this.#signal = signal
  }

  async run(feature: Feature): Promise<boolean> {
    if (feature.startsWith("copy")) return this.#copies(feature)
    const write = feature.startsWith("put") ? this.#put : this.#complete
    const { etag } = await this.#put({})
    if (feature.endsWith("if-none-match")) return !(await holds(write.call(this, { ifNoneMatch: "*" })))
    const wrong = await holds(write.call(this, { ifMatch: "00000000000000000000000000000000" }))
    return !wrong && (await holds(write.call(this, { ifMatch: etag })))
  }

  async #copies(feature: Feature): Promise<boolean> {
    const { etag } = await this.#put({})
    const copy = (ifMatch: string) => holds(this.#copy(feature, ifMatch))
    return !(await copy("00000000000000000000000000000000")) && (await copy(etag))
  }

  /** Leaves nothing behind; what an unanswered request may have made under this key is nobody else's. */
  async clean(): Promise<void> {
    if (this.#unsure) await this.#findAll().catch(() => this.#versions.add(undefined))
    for (const versionId of this.#versions) {
      const input = { ...this.#target, ...(versionId !== undefined && { VersionId: versionId }) }
      await this.#send((client, http) => client.send(new DeleteObjectCommand(input), http)).catch(() => {
        const name = `s3://${this.#target.Bucket}/${this.#target.Key}`
        this.#session.notice("probe", `could not remove ${name}, written to see whether conditions work`)
      })
    }
  }

  async #findAll(): Promise<void> {
    const { Bucket, Key } = this.#target
    const options = { prefix: Key, signal: this.#signal }
    for await (const { uploadId } of listUploads(this.#session, Bucket, options)) await this.#abort(uploadId)
    for await (const { versionId } of listVersions(this.#session, Bucket, options)) {
      this.#versions.add(versionId === "null" ? undefined : versionId)
    }
  }

  async #abort(uploadId: string | undefined): Promise<void> {
    const input = { ...this.#target, UploadId: uploadId }
    await this.#send((client, http) => client.send(new AbortMultipartUploadCommand(input), http)).catch(
      () => undefined,
    )
  }

  async #send<T>(attempt: (client: S3Client, http: HttpOptions) => Promise<T>): Promise<T> {
    const { Bucket: bucket, Key: key } = this.#target
    const sending = {
      action: `write s3://${bucket}/${key}`,
      bucket,
      about: "object",
      signal: this.#signal,
    } as const
    try {
      return await this.#session.run(sending, attempt)
    } catch (error) {
      if (error instanceof UnavailableError) this.#unsure = true
      throw error
    }
  }

  async #put(conditions: Conditions): Promise<{ etag: string }> {
    const input = { ...this.#target, Body: Buffer.from("s3ep"), ...conditionsInput(conditions) }
    const output = await this.#send((client, http) => client.send(new PutObjectCommand(input), http))
    this.#versions.add(output.VersionId)
    return { etag: etagOf(output.ETag) }
  }

  async #copy(feature: Feature, ifMatch: string): Promise<void> {
    const { Bucket, Key } = this.#target
    const command = new CopyObjectCommand({
      ...this.#target,
      CopySource: `${Bucket}/${Key}`,
      MetadataDirective: "REPLACE",
      ...(feature === "copy-source-if-match" && { CopySourceIfMatch: quoted(ifMatch) }),
      ...(feature === "copy-target-if-match" && { IfMatch: quoted(ifMatch) }),
    })
    const headers: Record<string, string> =
      feature === "copy-if-match" ? { "x-amz-copy-if-match": ifMatch } : {}
    const output = await this.#send((client, http) => client.send(withHeaders(command, headers), http))
    this.#versions.add(output.VersionId)
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
      await this.#abort(UploadId)
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
