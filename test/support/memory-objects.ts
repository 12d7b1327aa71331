import { DeniedError, NotFoundError, PreconditionError, UsageError } from "../../src/errors.ts"
import type {
  CallOptions,
  ObjectAddress,
  ObjectInfo,
  ObjectSettings,
  ReadOptions,
  StoredObject,
  StoreLimits,
} from "../../src/store/store.ts"
import { infoOf, type MemoryVersion, memoryLimits, name, type RecordedCall, sameKey } from "./memory-model.ts"

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

/** The objects of a store in memory, with all their versions. */
export class MemoryObjects {
  readonly endpoint = "memory:"
  /** Every operation so far, in the order they were asked for. */
  readonly calls: RecordedCall[] = []
  protected readonly options: MemoryStoreOptions
  protected readonly held: StoreLimits
  readonly #buckets = new Map<string, Map<string, MemoryVersion[]>>()
  #serial = 0

  constructor(options: MemoryStoreOptions = {}) {
    this.options = options
    this.held = { ...memoryLimits, ...options.limits }
    for (const bucket of options.buckets ?? ["vault"]) this.#buckets.set(bucket, new Map())
  }

  /** The stored bytes of an object. @throws {NotFoundError} if there is none. */
  bytes(key: string, bucket = "vault"): Uint8Array {
    return this.current({ bucket, key }, undefined, "read").data
  }

  /** What was given beside the bytes. @throws {NotFoundError} if there is no such object. */
  settings(key: string, bucket = "vault"): ObjectSettings {
    return this.current({ bucket, key }, undefined, "read").settings
  }

  /** Replaces stored bytes behind everybody's back: same ETag, same metadata. */
  tamper(key: string, change: (data: Uint8Array) => Uint8Array, bucket = "vault"): void {
    const version = this.current({ bucket, key }, undefined, "read")
    const data = change(Uint8Array.from(version.data))
    this.replace({ bucket, key }, version, {
      ...version,
      data,
      info: { ...version.info, bytes: data.length },
    })
  }

  /** Puts something else beside an object's bytes, as S3 does with tags, retention and the like. */
  amend(address: ObjectAddress, settings: Partial<ObjectSettings>, versionId?: string): void {
    const version = this.current(address, versionId, "change")
    const { etag, bytes } = version.info
    const merged = { ...version.settings, ...settings }
    const info = {
      ...infoOf(merged, { ...version.info, etag, bytes }),
      lastModified: version.info.lastModified,
    }
    this.replace(address, version, { ...version, settings: merged, info })
  }

  protected nextId(): number {
    return ++this.#serial
  }

  protected now(): Date {
    return this.options.now?.() ?? new Date()
  }

  protected begin(
    operation: string,
    address: ObjectAddress,
    options: CallOptions,
    more: Partial<RecordedCall> = {},
  ): void {
    options.signal?.throwIfAborted()
    this.calls.push({ operation, bucket: address.bucket, key: address.key, ...more })
  }

  protected objects(bucket: string): Map<string, MemoryVersion[]> {
    const objects = this.#buckets.get(bucket)
    if (!objects) throw new NotFoundError(`no bucket s3://${bucket}`, { what: "bucket" })
    return objects
  }

  /** Oldest first. */
  protected versions(address: ObjectAddress): MemoryVersion[] {
    const objects = this.objects(address.bucket)
    const versions = objects.get(address.key) ?? []
    objects.set(address.key, versions)
    return versions
  }

  protected current(address: ObjectAddress, versionId: string | undefined, verb: string): MemoryVersion {
    const versions = this.versions(address)
    const found =
      versionId === undefined
        ? versions.at(-1)
        : versions.find((version) => (version.info.versionId ?? "null") === versionId)
    if (found && !found.deleted) return found
    throw new NotFoundError(`cannot ${verb} ${name(address)}: no such object`, { what: "object" })
  }

  protected readable(address: ObjectAddress, options: ReadOptions): MemoryVersion {
    const version = this.current(address, options.versionId, "read")
    if (sameKey(version.settings, options.customerKey)) return version
    throw new DeniedError(`cannot read ${name(address)}: it needs the customer's key`)
  }

  /** @throws {PreconditionError} for what must be restored from an archive first. */
  protected thawed(address: ObjectAddress, version: MemoryVersion): MemoryVersion {
    if (!version.info.archived) return version
    throw new PreconditionError(`cannot read ${name(address)}: it is archived`)
  }

  protected checkMetadata(address: ObjectAddress, { metadata }: ObjectSettings): void {
    const entries = Object.entries(metadata)
    const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
    const longest = Math.max(0, ...entries.map(([, value]) => value.length))
    if (bytes > this.held.maxMetadataBytes || longest > this.held.maxMetadataValueBytes) {
      throw new UsageError(`cannot write ${name(address)}: its metadata is too large`)
    }
  }

  protected replace(address: ObjectAddress, old: MemoryVersion, replacement: MemoryVersion): void {
    const versions = this.versions(address)
    versions.splice(versions.indexOf(old), 1, replacement)
  }

  protected store(
    address: ObjectAddress,
    data: Uint8Array,
    settings: ObjectSettings,
    stored: { etag: string; partSizes?: readonly number[] | undefined; deleted?: boolean },
  ): StoredObject {
    const { etag, partSizes, deleted = false } = stored
    const versionId = this.options.versioned ? `v${this.nextId()}` : undefined
    const parts = partSizes?.length
    const lastModified = this.now()
    const info: ObjectInfo = infoOf(settings, { etag, versionId, bytes: data.length, lastModified, parts })
    const versions = this.versions(address)
    if (!this.options.versioned) versions.length = 0
    versions.push({ data, info, settings, deleted, partSizes })
    return { etag, versionId }
  }
}
