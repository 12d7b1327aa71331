import { DeniedError, NotFoundError, PreconditionError, UsageError } from "../../src/errors.ts"
import type {
  CallOptions,
  CompleteOptions,
  CreateUploadOptions,
  DeleteOptions,
  GetOptions,
  ListedObject,
  ListedPart,
  ListedUpload,
  ListOptions,
  ObjectAddress,
  ObjectBody,
  ObjectInfo,
  ObjectSettings,
  ObjectStore,
  PartBody,
  PartOptions,
  PutOptions,
  PutStreamOptions,
  ReadOptions,
  StoredObject,
  StoreLimits,
  UploadedPart,
} from "../../src/store/store.ts"
import {
  checkConditions,
  checksumOf,
  collect,
  inKeyOrder,
  type MemoryUpload,
  type MemoryVersion,
  memoryLimits,
  name,
  partsEtag,
  type RecordedCall,
  sameKey,
  wholeEtag,
} from "./memory-model.ts"

export interface MemoryStoreOptions {
  /** The buckets there are; "vault" alone if not given. */
  readonly buckets?: readonly string[]
  /** What differs from AWS's limits. They are enforced. */
  readonly limits?: Partial<StoreLimits>
  /** Every write makes a version with an id of its own. */
  readonly versioned?: boolean
  /** Bytes of each slice of a body that is read. */
  readonly sliceBytes?: number
  readonly now?: () => Date
}

/** An object store in memory that behaves like S3, for tests: it passes the contract suite the real ones pass. */
export class MemoryStore implements ObjectStore {
  readonly endpoint = "memory:"
  /** Every operation so far, in the order they were asked for. */
  readonly calls: RecordedCall[] = []
  readonly uploads = new Map<string, MemoryUpload>()
  readonly #buckets = new Map<string, Map<string, MemoryVersion[]>>()
  readonly #limits: StoreLimits
  readonly #options: MemoryStoreOptions
  #serial = 0

  constructor(options: MemoryStoreOptions = {}) {
    this.#options = options
    this.#limits = { ...memoryLimits, ...options.limits }
    for (const bucket of options.buckets ?? ["vault"]) this.#buckets.set(bucket, new Map())
  }

  /** The stored bytes of an object. @throws {NotFoundError} if there is none. */
  bytes(key: string, bucket = "vault"): Uint8Array {
    return this.#current({ bucket, key }, undefined, "read").data
  }

  /** What was given beside the bytes. @throws {NotFoundError} if there is no such object. */
  settings(key: string, bucket = "vault"): ObjectSettings {
    return this.#current({ bucket, key }, undefined, "read").settings
  }

  /** Replaces stored bytes behind everybody's back: same ETag, same metadata. */
  tamper(key: string, change: (data: Uint8Array) => Uint8Array, bucket = "vault"): void {
    const version = this.#current({ bucket, key }, undefined, "read")
    const data = change(Uint8Array.from(version.data))
    const info = { ...version.info, bytes: data.length }
    this.#versions({ bucket, key }).splice(-1, 1, { ...version, data, info })
  }

  /** Forgets unfinished uploads, as a lifecycle rule does. */
  loseUploads(): void {
    this.uploads.clear()
  }

  async limits(bucket: string, options: CallOptions = {}): Promise<StoreLimits> {
    options.signal?.throwIfAborted()
    this.#objects(bucket)
    return this.#limits
  }

  async head(address: ObjectAddress, options: ReadOptions = {}): Promise<ObjectInfo> {
    this.#begin("head", address, options)
    return this.#readable(address, options).info
  }

  async get(address: ObjectAddress, options: GetOptions = {}): Promise<ObjectBody> {
    this.#begin("get", address, options, { range: options.range })
    const { data, info } = this.#readable(address, options)
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag) {
      throw new PreconditionError(`cannot read ${name(address)}: it changed meanwhile`)
    }
    const start = options.range?.start ?? 0
    const end = Math.min(options.range?.end ?? info.bytes, info.bytes)
    if (options.range && start >= end) {
      throw new UsageError(`cannot read ${name(address)} from byte ${start}: it has ${info.bytes}`)
    }
    const sliceBytes = this.#options.sliceBytes ?? 65_536
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let at = start; at < end; at += sliceBytes) {
        options.signal?.throwIfAborted()
        yield data.slice(at, Math.min(at + sliceBytes, end))
      }
    }
    return { info, range: { start, end }, body: body() }
  }

  async put(address: ObjectAddress, body: Uint8Array, options: PutOptions): Promise<StoredObject> {
    this.#begin("put", address, options, { bytes: body.length })
    if (body.length > this.#limits.maxPutBytes) throw new UsageError(`cannot write ${name(address)}: too big`)
    this.#checkMetadata(address, options.settings)
    checkConditions(address, this.#versions(address).at(-1), options.conditions)
    return this.#store(address, Uint8Array.from(body), options.settings, wholeEtag(body), undefined)
  }

  async putStream(
    address: ObjectAddress,
    body: AsyncIterable<Uint8Array>,
    options: PutStreamOptions,
  ): Promise<StoredObject> {
    this.#begin("putStream", address, options)
    this.#checkMetadata(address, options.settings)
    const slices: Uint8Array[] = []
    let bytes = 0
    for await (const slice of body) {
      options.signal?.throwIfAborted()
      slices.push(Uint8Array.from(slice))
      bytes += slice.length
      options.onSent?.(slice.length)
      if (bytes > this.#limits.maxParts * options.partBytes) {
        throw new UsageError(`cannot write ${name(address)}: more than ${this.#limits.maxParts} parts`)
      }
    }
    checkConditions(address, this.#versions(address).at(-1), options.conditions)
    const data = new Uint8Array(Buffer.concat(slices))
    return this.#store(address, data, options.settings, wholeEtag(data), undefined)
  }

  async delete(address: ObjectAddress, options: DeleteOptions = {}): Promise<void> {
    this.#begin("delete", address, options)
    const versions = this.#versions(address)
    const { versionId } = options
    const at = versionId === undefined ? -1 : versions.findIndex((v) => v.info.versionId === versionId)
    const doomed = versions.at(at)
    if (!doomed || (versionId !== undefined && at < 0)) return
    if (this.#options.versioned && versionId === undefined) {
      this.#store(address, new Uint8Array(), { metadata: {} }, "", undefined, true)
      return
    }
    const { retention, legalHold } = doomed.info
    const bypassed = options.bypassGovernance && retention?.mode === "GOVERNANCE"
    if (legalHold || (retention?.until && retention.until > this.#now() && !bypassed)) {
      throw new PreconditionError(`cannot delete ${name(address)}: it is locked`)
    }
    versions.splice(at, 1)
  }

  async *list(bucket: string, options: ListOptions = {}): AsyncGenerator<ListedObject> {
    this.#begin("list", { bucket, key: options.prefix ?? "" }, options)
    const prefix = options.prefix ?? ""
    let previous = ""
    for (const key of [...this.#objects(bucket).keys()].sort(inKeyOrder)) {
      options.signal?.throwIfAborted()
      const version = this.#versions({ bucket, key }).at(-1)
      if (!version || version.deleted || !key.startsWith(prefix)) continue
      if (options.startAfter !== undefined && inKeyOrder(key, options.startAfter) <= 0) continue
      const cut = options.delimiter ? key.indexOf(options.delimiter, prefix.length) : -1
      if (cut < 0) {
        const { bytes, etag, lastModified, storageClass } = version.info
        yield { kind: "object", key, bytes, etag, lastModified, storageClass }
      } else if (previous !== key.slice(0, cut + 1)) {
        previous = key.slice(0, cut + 1)
        yield { kind: "prefix", key: previous }
      }
    }
  }

  async createUpload(address: ObjectAddress, options: CreateUploadOptions): Promise<string> {
    this.#begin("createUpload", address, options)
    this.#objects(address.bucket)
    this.#checkMetadata(address, options.settings)
    const uploadId = `upload-${++this.#serial}`
    this.uploads.set(uploadId, {
      address: { ...address },
      settings: options.settings,
      initiated: this.#now(),
      parts: new Map(),
    })
    return uploadId
  }

  async uploadPart(
    address: ObjectAddress,
    uploadId: string,
    partNumber: number,
    body: PartBody,
    options: PartOptions,
  ): Promise<UploadedPart> {
    const bytes = body instanceof Uint8Array ? body.length : body.bytes
    this.#begin("uploadPart", address, options, { partNumber, bytes })
    const upload = this.#upload(address, uploadId)
    if (partNumber < 1 || partNumber > this.#limits.maxParts || bytes > this.#limits.maxPartBytes) {
      throw new UsageError(`cannot upload part ${partNumber} of ${name(address)}: over the limits`)
    }
    if (!sameKey(upload.settings, options.customerKey)) throw new DeniedError("the customer's key is another")
    const data = await collect(body, (sent) => options.onSent?.(sent))
    options.signal?.throwIfAborted()
    const part = { partNumber, etag: wholeEtag(data), bytes, checksum: checksumOf(data, options.checksum) }
    upload.parts.set(partNumber, { ...part, data, lastModified: this.#now() })
    return part
  }

  async *listParts(
    address: ObjectAddress,
    uploadId: string,
    options: ReadOptions = {},
  ): AsyncGenerator<ListedPart> {
    this.#begin("listParts", address, options)
    const parts = [...this.#upload(address, uploadId).parts.values()]
    for (const { data: _, ...part } of parts.sort((a, b) => a.partNumber - b.partNumber)) yield part
  }

  async completeUpload(
    address: ObjectAddress,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: CompleteOptions,
  ): Promise<StoredObject> {
    this.#begin("completeUpload", address, options)
    const upload = this.#upload(address, uploadId)
    if (parts.length === 0) throw new RangeError("an upload has at least one part")
    checkConditions(address, this.#versions(address).at(-1), options.conditions)
    const data = parts.map((part, index) => {
      const held = upload.parts.get(part.partNumber)
      const ordered = index === 0 || (parts[index - 1]?.partNumber ?? 0) < part.partNumber
      if (!held || held.etag !== part.etag || !ordered) {
        throw new PreconditionError(
          `cannot complete ${name(address)}: part ${part.partNumber} is not as listed`,
        )
      }
      if (index < parts.length - 1 && held.bytes < this.#limits.minPartBytes) {
        throw new UsageError(`cannot complete ${name(address)}: part ${part.partNumber} is too small`)
      }
      return held.data
    })
    this.uploads.delete(uploadId)
    const whole = new Uint8Array(Buffer.concat(data))
    return this.#store(address, whole, upload.settings, partsEtag(parts), parts.length)
  }

  async abortUpload(address: ObjectAddress, uploadId: string, options: CallOptions = {}): Promise<void> {
    this.#begin("abortUpload", address, options)
    this.#upload(address, uploadId)
    this.uploads.delete(uploadId)
  }

  async *listUploads(
    bucket: string,
    options: { prefix?: string } & CallOptions = {},
  ): AsyncGenerator<ListedUpload> {
    this.#begin("listUploads", { bucket, key: options.prefix ?? "" }, options)
    this.#objects(bucket)
    const found = [...this.uploads].filter(
      ([, { address }]) => address.bucket === bucket && address.key.startsWith(options.prefix ?? ""),
    )
    found.sort(([, a], [, b]) => inKeyOrder(a.address.key, b.address.key))
    for (const [uploadId, { address, initiated }] of found) {
      yield { address, uploadId, initiated, initiator: "memory" }
    }
  }

  close(): void {
    this.calls.push({ operation: "close", bucket: "" })
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date()
  }

  #begin(
    operation: string,
    address: ObjectAddress,
    options: CallOptions,
    more: Partial<RecordedCall> = {},
  ): void {
    options.signal?.throwIfAborted()
    this.calls.push({ operation, bucket: address.bucket, key: address.key, ...more })
  }

  #objects(bucket: string): Map<string, MemoryVersion[]> {
    const objects = this.#buckets.get(bucket)
    if (!objects) throw new NotFoundError(`no bucket s3://${bucket}`, { what: "bucket" })
    return objects
  }

  #versions(address: ObjectAddress): MemoryVersion[] {
    const objects = this.#objects(address.bucket)
    const versions = objects.get(address.key) ?? []
    objects.set(address.key, versions)
    return versions
  }

  #current(address: ObjectAddress, versionId: string | undefined, verb: string): MemoryVersion {
    const versions = this.#versions(address)
    const found =
      versionId === undefined ? versions.at(-1) : versions.find((v) => v.info.versionId === versionId)
    if (found && !found.deleted) return found
    throw new NotFoundError(`cannot ${verb} ${name(address)}: no such object`, { what: "object" })
  }

  #readable(address: ObjectAddress, options: ReadOptions): MemoryVersion {
    const version = this.#current(address, options.versionId, "read")
    if (sameKey(version.settings, options.customerKey)) return version
    throw new DeniedError(`cannot read ${name(address)}: it needs the customer's key`)
  }

  #upload(address: ObjectAddress, uploadId: string): MemoryUpload {
    this.#objects(address.bucket)
    const upload = this.uploads.get(uploadId)
    if (upload && upload.address.bucket === address.bucket && upload.address.key === address.key)
      return upload
    throw new NotFoundError(`the upload of ${name(address)} is gone`, { what: "upload" })
  }

  #checkMetadata(address: ObjectAddress, { metadata }: ObjectSettings): void {
    const entries = Object.entries(metadata)
    const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
    const longest = Math.max(0, ...entries.map(([, value]) => value.length))
    if (bytes > this.#limits.maxMetadataBytes || longest > this.#limits.maxMetadataValueBytes) {
      throw new UsageError(`cannot write ${name(address)}: its metadata is too large`)
    }
  }

  #store(
    address: ObjectAddress,
    data: Uint8Array,
    settings: ObjectSettings,
    etag: string,
    parts: number | undefined,
    deleted = false,
  ): StoredObject {
    const versionId = this.#options.versioned ? `v${++this.#serial}` : undefined
    const encryption = settings.encryption?.kind
    const info: ObjectInfo = {
      etag,
      versionId,
      bytes: data.length,
      lastModified: this.#now(),
      metadata: { ...settings.metadata },
      contentType: settings.contentType,
      storageClass: settings.storageClass,
      serverSideEncryption:
        encryption === "sse-kms" ? "aws:kms" : encryption === undefined ? undefined : "AES256",
      retention: settings.retention,
      legalHold: settings.legalHold ?? false,
      parts,
    }
    const versions = this.#versions(address)
    if (!this.#options.versioned) versions.length = 0
    versions.push({ data, info, settings, deleted })
    return { etag, versionId }
  }
}
