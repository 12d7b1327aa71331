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
import { PreconditionError, UnavailableError } from "../errors.ts"
import { withHeaders } from "./s3-headers.ts"
import type { HttpOptions } from "./s3-http.ts"
import { conditionsInput, quoted } from "./s3-inputs.ts"
import { listUploads } from "./s3-list-uploads.ts"
import { listVersions } from "./s3-list-versions.ts"
import { etagOf } from "./s3-outputs.ts"
import type { S3Session } from "./s3-session.ts"
import type { Feature } from "./services.ts"
import type { Conditions } from "./store.ts"

/** A tiny object under `.s3ep-probe/` that is written with conditions that hold and conditions that do not. */
export class Trial {
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
