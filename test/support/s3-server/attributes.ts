import { readGrants } from "./acl.ts"
import type { Bucket } from "./bucket.ts"
import { type Checksum, checksumHeader } from "./checksums.ts"
import { type Context, isoTime, quoted } from "./context.ts"
import { encryptionHeaders, readEncryption } from "./encryption.ts"
import { refuseIf, S3Error } from "./errors.ts"
import { defaultRetention, readLock } from "./lock.ts"
import type { ObjectAttributes, ObjectVersion, Tag } from "./model.ts"

const contentHeaders = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
  "x-amz-website-redirect-location",
]

const storageClasses = new Set([
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER",
  "GLACIER_IR",
  "DEEP_ARCHIVE",
])

const METADATA_PREFIX = "x-amz-meta-"

/** aws-chunked is how a body travelled, not what it is. */
function storedEncoding(value: string): string {
  return value
    .split(",")
    .map((coding) => coding.trim())
    .filter((coding) => coding !== "aws-chunked" && coding !== "")
    .join(",")
}

function readHeaders(headers: ReadonlyMap<string, string>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of contentHeaders) {
    const value = headers.get(name)
    if (value === undefined) continue
    const stored = name === "content-encoding" ? storedEncoding(value) : value
    if (stored !== "") kept[name] = stored
  }
  return kept
}

function readMetadata({ request, dialect }: Context): Record<string, string> {
  const metadata: Record<string, string> = {}
  let bytes = 0
  for (const [header, value] of request.headers) {
    if (!header.startsWith(METADATA_PREFIX)) continue
    const name = header.slice(METADATA_PREFIX.length)
    bytes += name.length + value.length
    refuseIf(
      bytes > dialect.maxMetadataBytes || value.length > dialect.maxMetadataValueBytes,
      "MetadataTooLarge",
      "Your metadata headers exceed the maximum allowed metadata size",
    )
    metadata[name] = value
  }
  return metadata
}

/** @throws {S3Error} InvalidTag beyond S3's limits. */
export function checkTags(tags: Tag[]): Tag[] {
  refuseIf(tags.length > 10, "InvalidTag", "Object tags cannot be greater than 10")
  refuseIf(new Set(tags.map((tag) => tag.Key)).size !== tags.length, "InvalidTag", "Duplicate tag keys")
  for (const tag of tags) {
    refuseIf(
      tag.Key.length < 1 || tag.Key.length > 128,
      "InvalidTag",
      "The TagKey you have provided is invalid",
    )
    refuseIf(tag.Value.length > 256, "InvalidTag", "The TagValue you have provided is invalid")
  }
  return tags
}

export function readTags(header: string | undefined): Tag[] {
  return checkTags([...new URLSearchParams(header ?? "")].map(([Key, Value]) => ({ Key, Value })))
}

/** Everything a write says besides its bytes. @throws {S3Error} for what S3 would not take. */
export function readAttributes(context: Context, bucket: Bucket): ObjectAttributes {
  const { headers } = context.request
  const storageClass = headers.get("x-amz-storage-class") ?? "STANDARD"
  refuseIf(!storageClasses.has(storageClass), "InvalidStorageClass", "The storage class is not valid")
  const encryption = readEncryption(headers)
  const lock = readLock(headers, bucket, context.nowMs)
  const retention = lock.retention ?? defaultRetention(bucket, context.nowMs)
  return {
    headers: readHeaders(headers),
    metadata: readMetadata(context),
    tags: readTags(headers.get("x-amz-tagging")),
    storageClass,
    legalHold: lock.legalHold,
    ...readGrants(headers),
    ...(encryption === undefined ? {} : { encryption }),
    ...(retention === undefined ? {} : { retention }),
  }
}

export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  if (checksum === undefined) return {}
  return { [checksumHeader(checksum.algorithm)]: checksum.value, "x-amz-checksum-type": checksum.type }
}

export function versionHeader(
  version: Pick<ObjectVersion, "versionId">,
  bucket: Bucket,
): Record<string, string> {
  return bucket.configuration.versioning === undefined ? {} : { "x-amz-version-id": version.versionId }
}

/** The headers of GET and HEAD that tell of the object, its length and range aside. */
export function describeObject(version: ObjectVersion, bucket: Bucket): Record<string, string> {
  const { headers, metadata, tags, storageClass, encryption, retention, legalHold } = version.attributes
  return {
    "content-type": "binary/octet-stream",
    ...headers,
    ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [METADATA_PREFIX + name, value])),
    "last-modified": new Date(version.modifiedMs).toUTCString(),
    etag: quoted(version.etag),
    "accept-ranges": "bytes",
    ...versionHeader(version, bucket),
    ...encryptionHeaders(encryption),
    ...(storageClass === "STANDARD" ? {} : { "x-amz-storage-class": storageClass }),
    ...(tags.length === 0 ? {} : { "x-amz-tagging-count": String(tags.length) }),
    ...(retention === undefined
      ? {}
      : {
          "x-amz-object-lock-mode": retention.mode,
          "x-amz-object-lock-retain-until-date": isoTime(retention.untilMs),
        }),
    ...(legalHold ? { "x-amz-object-lock-legal-hold": "ON" } : {}),
  }
}

const overridable = [
  "content-type",
  "content-language",
  "expires",
  "cache-control",
  "content-disposition",
  "content-encoding",
]

/** `response-content-type` and its like. */
export function responseOverrides(query: ReadonlyMap<string, string>): Record<string, string> {
  const overrides: Record<string, string> = {}
  for (const name of overridable) {
    const value = query.get(`response-${name}`)
    if (value !== undefined) overrides[name] = value
  }
  return overrides
}

/**
 * The version a request is about.
 *
 * @throws {S3Error} NoSuchKey, NoSuchVersion, or MethodNotAllowed for a delete marker named by its id.
 */
export function findVersion(bucket: Bucket, key: string, versionId: string | undefined): ObjectVersion {
  const versions = bucket.versionsOf(key)
  if (versionId === undefined) {
    const [newest] = versions
    if (newest === undefined || newest.deleteMarker) {
      throw new S3Error("NoSuchKey", "The specified key does not exist.", {
        details: { Key: key },
        headers:
          newest === undefined ? {} : { "x-amz-delete-marker": "true", "x-amz-version-id": newest.versionId },
      })
    }
    return newest
  }
  const version = versions.find((candidate) => candidate.versionId === versionId)
  if (version === undefined) {
    throw new S3Error("NoSuchVersion", "The specified version does not exist.", {
      details: { Key: key, VersionId: versionId },
    })
  }
  if (version.deleteMarker) {
    throw new S3Error("MethodNotAllowed", "The specified method is not allowed against this resource.", {
      headers: { "x-amz-delete-marker": "true", "x-amz-version-id": versionId, allow: "DELETE" },
    })
  }
  return version
}

/** @throws {S3Error} InvalidObjectState for what must be restored from an archive first. */
export function checkReadable({ attributes }: ObjectVersion): void {
  const { storageClass } = attributes
  if (storageClass !== "GLACIER" && storageClass !== "DEEP_ARCHIVE") return
  throw new S3Error("InvalidObjectState", "The operation is not valid for the object's storage class", {
    details: { StorageClass: storageClass },
  })
}
