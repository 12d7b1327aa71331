import { DeniedError, NotFoundError, PreconditionError, UsageError } from "../../src/errors.ts"
import type {
  Acl,
  CallOptions,
  CompleteOptions,
  CopyOptions,
  CopySource,
  CreateUploadOptions,
  DeleteOptions,
  GetOptions,
  ListedObject,
  ListedPart,
  ListedUpload,
  ListedVersion,
  ListOptions,
  ObjectAddress,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PartBody,
  PartCopyOptions,
  PartOptions,
  PutOptions,
  PutStreamOptions,
  ReadOptions,
  StoredObject,
  StoreLimits,
  UploadedPart,
} from "../../src/store/store.ts"
import {
  cannedGrants,
  checkConditions,
  checksumOf,
  collect,
  inKeyOrder,
  type MemoryUpload,
  name,
  OWNER,
  partsEtag,
  sameKey,
  wholeEtag,
} from "./memory-model.ts"
import { MemoryObjects } from "./memory-objects.ts"

export type { MemoryStoreOptions } from "./memory-objects.ts"

/** An object store in memory that behaves like S3, for tests: it passes the contract suite the real ones pass. */
export class MemoryStore extends MemoryObjects implements ObjectStore {
  readonly uploads = new Map<string, MemoryUpload>()

  /** Forgets unfinished uploads, as a lifecycle rule does. */
  loseUploads(): void {
    this.uploads.clear()
  }

  async limits(bucket: string, options: CallOptions = {}): Promise<StoreLimits> {
    options.signal?.throwIfAborted()
    this.objects(bucket)
    return this.held
  }

  async head(address: ObjectAddress, options: ReadOptions = {}): Promise<ObjectInfo> {
    this.begin("head", address, options)
    return this.readable(address, options).info
  }

  async get(address: ObjectAddress, options: GetOptions = {}): Promise<ObjectBody> {
    this.begin("get", address, options, { range: options.range })
    const { data, info } = this.thawed(address, this.readable(address, options))
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag) {
      throw new PreconditionError(`cannot read ${name(address)}: it changed meanwhile`)
    }
    const start = options.range?.start ?? 0
    const end = Math.min(options.range?.end ?? info.bytes, info.bytes)
    if (options.range && start >= end) {
      throw new UsageError(`cannot read ${name(address)} from byte ${start}: it has ${info.bytes}`)
    }
    const sliceBytes = this.options.sliceBytes ?? 65_536
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let at = start; at < end; at += sliceBytes) {
        options.signal?.throwIfAborted()
        yield data.slice(at, Math.min(at + sliceBytes, end))
      }
    }
    return { info, range: { start, end }, body: body() }
  }

  async put(address: ObjectAddress, body: Uint8Array, options: PutOptions): Promise<StoredObject> {
    this.begin("put", address, options, { bytes: body.length })
    if (body.length > this.held.maxPutBytes) throw new UsageError(`cannot write ${name(address)}: too big`)
    this.checkMetadata(address, options.settings)
    checkConditions(address, this.versions(address).at(-1), options.conditions)
    return this.store(address, Uint8Array.from(body), options.settings, { etag: wholeEtag(body) })
  }

  async putStream(
    address: ObjectAddress,
    body: AsyncIterable<Uint8Array>,
    options: PutStreamOptions,
  ): Promise<StoredObject> {
    this.begin("putStream", address, options)
    this.checkMetadata(address, options.settings)
    const slices: Uint8Array[] = []
    let bytes = 0
    for await (const slice of body) {
      options.signal?.throwIfAborted()
      slices.push(Uint8Array.from(slice))
      bytes += slice.length
      options.onSent?.(slice.length)
      if (bytes > this.held.maxParts * options.partBytes) {
        throw new UsageError(`cannot write ${name(address)}: more than ${this.held.maxParts} parts`)
      }
    }
    checkConditions(address, this.versions(address).at(-1), options.conditions)
    const data = new Uint8Array(Buffer.concat(slices))
    return this.store(address, data, options.settings, { etag: wholeEtag(data) })
  }

  async copy(source: CopySource, target: ObjectAddress, options: CopyOptions): Promise<StoredObject> {
    this.begin("copy", target, options)
    const { data, etag, settings } = this.#copied(source)
    if (data.length > this.held.maxPutBytes) throw new UsageError(`cannot copy ${name(target)}: too big`)
    this.checkMetadata(target, options.settings)
    checkConditions(target, this.versions(target).at(-1), options.conditions)
    const tags = options.settings.tags ?? settings.tags
    // One part, whatever the source was made of, as on S3.
    return this.store(
      target,
      data,
      { ...options.settings, tags },
      { etag: /-/.test(etag) ? wholeEtag(data) : etag },
    )
  }

  async delete(address: ObjectAddress, options: DeleteOptions = {}): Promise<void> {
    this.begin("delete", address, options)
    const versions = this.versions(address)
    const { versionId } = options
    const at =
      versionId === undefined ? -1 : versions.findIndex((v) => (v.info.versionId ?? "null") === versionId)
    const doomed = versions.at(at)
    if (!doomed || (versionId !== undefined && at < 0)) return
    if (this.options.versioned && versionId === undefined) {
      this.store(address, new Uint8Array(), { metadata: {} }, { etag: "", deleted: true })
      return
    }
    const { retention, legalHold } = doomed.info
    const bypassed = options.bypassGovernance && retention?.mode === "GOVERNANCE"
    if (legalHold || (retention?.until && retention.until > this.now() && !bypassed)) {
      throw new PreconditionError(`cannot delete ${name(address)}: it is locked`)
    }
    versions.splice(at, 1)
  }

  async *list(bucket: string, options: ListOptions = {}): AsyncGenerator<ListedObject> {
    this.begin("list", { bucket, key: options.prefix ?? "" }, options)
    const prefix = options.prefix ?? ""
    let previous = ""
    for (const key of [...this.objects(bucket).keys()].sort(inKeyOrder)) {
      options.signal?.throwIfAborted()
      const version = this.versions({ bucket, key }).at(-1)
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

  async *listVersions(
    bucket: string,
    options: { prefix?: string } & CallOptions = {},
  ): AsyncGenerator<ListedVersion> {
    this.begin("listVersions", { bucket, key: options.prefix ?? "" }, options)
    for (const key of [...this.objects(bucket).keys()].sort(inKeyOrder)) {
      if (!key.startsWith(options.prefix ?? "")) continue
      const versions = this.versions({ bucket, key })
      for (const version of versions.toReversed()) {
        options.signal?.throwIfAborted()
        const { versionId = "null", bytes, etag, lastModified, storageClass } = version.info
        const kind = version.deleted ? "marker" : "version"
        const isLatest = version === versions.at(-1)
        yield { kind, key, versionId, isLatest, bytes, etag, lastModified, storageClass }
      }
    }
  }

  async getTags(address: ObjectAddress, options: ReadOptions = {}): Promise<Record<string, string>> {
    this.begin("getTags", address, options)
    return { ...this.current(address, options.versionId, "read").settings.tags }
  }

  async putTags(
    address: ObjectAddress,
    tags: Readonly<Record<string, string>>,
    options: ReadOptions = {},
  ): Promise<void> {
    this.begin("putTags", address, options)
    this.amend(address, { tags: { ...tags } }, options.versionId)
  }

  async getAcl(address: ObjectAddress, options: ReadOptions = {}): Promise<Acl> {
    this.begin("getAcl", address, options)
    const { grants, acl } = this.current(address, options.versionId, "read").settings
    return { owner: OWNER, grants: grants ?? cannedGrants(acl) }
  }

  async putAcl(address: ObjectAddress, { grants }: Acl, options: ReadOptions = {}): Promise<void> {
    this.begin("putAcl", address, options)
    this.amend(address, { grants }, options.versionId)
  }

  async hasAcls(bucket: string, options: CallOptions = {}): Promise<boolean> {
    this.begin("hasAcls", { bucket, key: "" }, options)
    return true
  }

  async partSizes(
    address: ObjectAddress,
    _info: ObjectInfo,
    options: ReadOptions = {},
  ): Promise<readonly number[] | null> {
    this.begin("partSizes", address, options)
    return this.readable(address, options).partSizes ?? null
  }

  async createUpload(address: ObjectAddress, options: CreateUploadOptions): Promise<string> {
    this.begin("createUpload", address, options)
    this.objects(address.bucket)
    this.checkMetadata(address, options.settings)
    const uploadId = `upload-${this.nextId()}`
    this.uploads.set(uploadId, {
      address: { ...address },
      settings: options.settings,
      initiated: this.now(),
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
    this.begin("uploadPart", address, options, { partNumber, bytes })
    const upload = this.#upload(address, uploadId)
    if (partNumber < 1 || partNumber > this.held.maxParts || bytes > this.held.maxPartBytes) {
      throw new UsageError(`cannot upload part ${partNumber} of ${name(address)}: over the limits`)
    }
    if (!sameKey(upload.settings, options.customerKey)) throw new DeniedError("the customer's key is another")
    const data = await collect(body, (sent) => options.onSent?.(sent))
    options.signal?.throwIfAborted()
    const part = { partNumber, etag: wholeEtag(data), bytes, checksum: checksumOf(data, options.checksum) }
    upload.parts.set(partNumber, { ...part, data, lastModified: this.now() })
    return part
  }

  async uploadPartCopy(
    source: CopySource,
    address: ObjectAddress,
    uploadId: string,
    partNumber: number,
    options: PartCopyOptions,
  ): Promise<UploadedPart> {
    this.begin("uploadPartCopy", address, options, { partNumber, range: options.range })
    const upload = this.#upload(address, uploadId)
    const { data: whole } = this.#copied(source)
    const { start, end } = options.range ?? { start: 0, end: whole.length }
    if (end > whole.length || start >= end) throw new UsageError(`${name(source.address)} has no such range`)
    const data = whole.slice(start, end)
    if (data.length > this.held.maxPartBytes) throw new UsageError(`cannot copy to ${name(address)}: too big`)
    const part = { partNumber, etag: wholeEtag(data), bytes: data.length, checksum: checksumOf(data) }
    upload.parts.set(partNumber, { ...part, data, lastModified: this.now() })
    return part
  }

  async *listParts(
    address: ObjectAddress,
    uploadId: string,
    options: ReadOptions = {},
  ): AsyncGenerator<ListedPart> {
    this.begin("listParts", address, options)
    const parts = [...this.#upload(address, uploadId).parts.values()]
    for (const { data: _, ...part } of parts.sort((a, b) => a.partNumber - b.partNumber)) yield part
  }

  async completeUpload(
    address: ObjectAddress,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: CompleteOptions,
  ): Promise<StoredObject> {
    this.begin("completeUpload", address, options)
    const upload = this.#upload(address, uploadId)
    if (parts.length === 0) throw new RangeError("an upload has at least one part")
    checkConditions(address, this.versions(address).at(-1), options.conditions)
    const data = parts.map((part, index) => {
      const held = upload.parts.get(part.partNumber)
      const ordered = index === 0 || (parts[index - 1]?.partNumber ?? 0) < part.partNumber
      if (!held || held.etag !== part.etag || !ordered) {
        throw new PreconditionError(
          `cannot complete ${name(address)}: part ${part.partNumber} is not as listed`,
        )
      }
      if (index < parts.length - 1 && held.bytes < this.held.minPartBytes) {
        throw new UsageError(`cannot complete ${name(address)}: part ${part.partNumber} is too small`)
      }
      return held.data
    })
    this.uploads.delete(uploadId)
    const whole = new Uint8Array(Buffer.concat(data))
    return this.store(address, whole, upload.settings, {
      etag: partsEtag(parts),
      partSizes: data.map((part) => part.length),
    })
  }

  async abortUpload(address: ObjectAddress, uploadId: string, options: CallOptions = {}): Promise<void> {
    this.begin("abortUpload", address, options)
    this.#upload(address, uploadId)
    this.uploads.delete(uploadId)
  }

  async *listUploads(
    bucket: string,
    options: { prefix?: string } & CallOptions = {},
  ): AsyncGenerator<ListedUpload> {
    this.begin("listUploads", { bucket, key: options.prefix ?? "" }, options)
    this.objects(bucket)
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

  /** The source of a copy, its condition checked. */
  #copied({ address, versionId, ifMatch, customerKey }: CopySource) {
    const { data, info, settings } = this.thawed(address, this.readable(address, { versionId, customerKey }))
    if (ifMatch !== undefined && ifMatch !== info.etag) {
      throw new PreconditionError(`cannot copy ${name(address)}: it changed meanwhile`)
    }
    return { data, etag: info.etag, settings }
  }

  #upload(address: ObjectAddress, uploadId: string): MemoryUpload {
    this.objects(address.bucket)
    const upload = this.uploads.get(uploadId)
    if (upload && upload.address.bucket === address.bucket && upload.address.key === address.key)
      return upload
    throw new NotFoundError(`the upload of ${name(address)} is gone`, { what: "upload" })
  }
}
