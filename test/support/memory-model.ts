import { createHash } from "node:crypto"
import { crc32 } from "node:zlib"
import { base64, hex, u32be } from "../../src/bytes.ts"
import { PreconditionError } from "../../src/errors.ts"
import type {
  Checksum,
  ChecksumChoice,
  Conditions,
  CustomerKey,
  Grant,
  ObjectAddress,
  ObjectInfo,
  ObjectSettings,
  PartBody,
  StoreLimits,
  UploadedPart,
} from "../../src/store/store.ts"

/** One stored version of an object, or the marker a versioned bucket leaves for a deletion. */
export interface MemoryVersion {
  readonly data: Uint8Array
  readonly info: ObjectInfo
  readonly settings: ObjectSettings
  readonly deleted: boolean
  /** Of an object that was uploaded in parts. */
  readonly partSizes?: readonly number[] | undefined
}

export interface MemoryPart extends UploadedPart {
  readonly data: Uint8Array
  readonly lastModified: Date
}

export interface MemoryUpload {
  readonly address: ObjectAddress
  readonly settings: ObjectSettings
  readonly initiated: Date
  readonly parts: Map<number, MemoryPart>
}

/** What was asked of the store, for tests that count or look. */
export interface RecordedCall {
  readonly operation: string
  readonly bucket: string
  readonly key?: string
  readonly partNumber?: number
  readonly bytes?: number
  readonly range?: { readonly start: number; readonly end?: number | undefined } | undefined
}

/** Whose all objects are. */
export const OWNER = "memory"
const EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"

/** What a canned ACL stands for; those of other accounts are the owner's alone here. */
export function cannedGrants(acl: string | undefined): Grant[] {
  const owner: Grant = { grantee: { kind: "user", id: OWNER }, permission: "FULL_CONTROL" }
  return acl === "public-read"
    ? [{ grantee: { kind: "group", id: EVERYONE }, permission: "READ" }, owner]
    : [owner]
}

const SSE = { "sse-s3": "AES256", "sse-kms": "aws:kms", "sse-c": "AES256" } as const

/** What HEAD says of an object that was stored with these settings. */
export function infoOf(
  settings: ObjectSettings,
  stored: Pick<ObjectInfo, "etag" | "versionId" | "bytes" | "lastModified" | "parts">,
): ObjectInfo {
  const { encryption, storageClass, tags } = settings
  const kms = encryption?.kind === "sse-kms" ? encryption : undefined
  return {
    etag: stored.etag,
    versionId: stored.versionId,
    bytes: stored.bytes,
    lastModified: stored.lastModified,
    parts: stored.parts,
    metadata: { ...settings.metadata },
    missingMetadata: 0,
    contentType: settings.contentType,
    cacheControl: settings.cacheControl,
    contentDisposition: settings.contentDisposition,
    contentEncoding: settings.contentEncoding,
    contentLanguage: settings.contentLanguage,
    expires: settings.expires,
    websiteRedirect: settings.websiteRedirect,
    storageClass,
    archived: storageClass === "GLACIER" || storageClass === "DEEP_ARCHIVE",
    serverSideEncryption:
      encryption === undefined ? undefined : kms?.dual ? "aws:kms:dsse" : SSE[encryption.kind],
    customerEncrypted: encryption?.kind === "sse-c",
    kmsKeyId: kms?.keyId,
    bucketKey: kms?.bucketKey ?? false,
    tagCount: tags && Object.keys(tags).length > 0 ? Object.keys(tags).length : undefined,
    checksum: undefined,
    retention: settings.retention,
    legalHold: settings.legalHold ?? false,
  }
}

/** AWS's limits, so that a test has to say where it wants others. */
export const memoryLimits: StoreLimits = {
  maxParts: 10_000,
  minPartBytes: 5 * 1024 ** 2,
  maxPartBytes: 5 * 1024 ** 3,
  maxPutBytes: 5 * 1024 ** 3,
  maxObjectBytes: 50_000 * 1024 ** 3,
  maxMetadataBytes: 2048,
  maxMetadataValueBytes: 2048,
  conditionalPut: true,
  conditionalComplete: true,
  trailers: true,
}

export function name(address: ObjectAddress): string {
  return `s3://${address.bucket}/${address.key}`
}

/** As S3 makes them: the MD5 of the bytes, or of the parts' MD5s with their count. */
export function wholeEtag(data: Uint8Array): string {
  return hex(createHash("md5").update(data).digest())
}

export function partsEtag(parts: readonly UploadedPart[]): string {
  const digests = parts.map((part) => Buffer.from(part.etag, "hex"))
  return `${hex(createHash("md5").update(Buffer.concat(digests)).digest())}-${parts.length}`
}

export function checksumOf(data: Uint8Array, choice: ChecksumChoice = "auto"): Checksum | undefined {
  switch (choice) {
    case "auto":
    case "crc32":
      return { kind: "crc32", value: base64(u32be(crc32(data))) }
    case "sha256":
      return { kind: "sha256", value: createHash("sha256").update(data).digest("base64") }
    default:
      return undefined
  }
}

/** All bytes of a part, in memory of their own. A stream of another length than promised is the caller's bug. */
export async function collect(body: PartBody, onSlice: (bytes: number) => void): Promise<Uint8Array> {
  if (body instanceof Uint8Array) {
    onSlice(body.length)
    return Uint8Array.from(body)
  }
  const slices: Uint8Array[] = []
  for await (const slice of body.stream) {
    slices.push(Uint8Array.from(slice))
    onSlice(slice.length)
  }
  const data = new Uint8Array(Buffer.concat(slices))
  if (data.length !== body.bytes) throw new RangeError(`${body.bytes} bytes promised, ${data.length} given`)
  return data
}

export function checkConditions(
  address: ObjectAddress,
  current: MemoryVersion | undefined,
  conditions: Conditions | undefined,
): void {
  const exists = current !== undefined && !current.deleted
  if (conditions?.ifNoneMatch && exists) {
    throw new PreconditionError(`cannot write ${name(address)}: it exists already`)
  }
  if (conditions?.ifMatch !== undefined && current?.info.etag !== conditions.ifMatch) {
    throw new PreconditionError(`cannot write ${name(address)}: it changed meanwhile`)
  }
}

export function sameKey(settings: ObjectSettings, shown: CustomerKey | undefined): boolean {
  const wanted = settings.encryption?.kind === "sse-c" ? settings.encryption.key.bytes : undefined
  if (!wanted || !shown) return !wanted && !shown
  return Buffer.compare(wanted, shown.bytes) === 0
}

export function inKeyOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
