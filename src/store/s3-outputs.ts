import type { HeadObjectCommandOutput } from "@aws-sdk/client-s3"
import type { Checksum, ObjectInfo, StoredObject, WholeChecksum } from "./store.ts"

// The SDK's answers in our words.

/** What the headers of an object say, to HEAD or to GET. */
export type ObjectOutput = {
  readonly [Name in keyof Omit<HeadObjectCommandOutput, "$metadata">]?: HeadObjectCommandOutput[Name]
}

/** Without its quotation marks; "" if the service gave none. */
export function etagOf(etag: string | undefined): string {
  return (etag ?? "").replace(/^"(.*)"$/, "$1")
}

export function storedOf(output: {
  ETag?: string | undefined
  VersionId?: string | undefined
}): StoredObject {
  // Buckets without versions are said to hold the version "null" by some services.
  const versionId = output.VersionId === "null" || output.VersionId === "" ? undefined : output.VersionId
  return { etag: etagOf(output.ETag), versionId }
}

interface Checksums {
  ChecksumCRC32?: string | undefined
  ChecksumCRC32C?: string | undefined
  ChecksumCRC64NVME?: string | undefined
  ChecksumSHA1?: string | undefined
  ChecksumSHA256?: string | undefined
}

export function checksumOf(output: Checksums): Checksum | undefined {
  const { ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 } = output
  if (ChecksumCRC32) return { kind: "crc32", value: ChecksumCRC32 }
  if (ChecksumCRC64NVME) return { kind: "crc64nvme", value: ChecksumCRC64NVME }
  if (ChecksumSHA256) return { kind: "sha256", value: ChecksumSHA256 }
  if (ChecksumCRC32C) return { kind: "crc32c", value: ChecksumCRC32C }
  return ChecksumSHA1 ? { kind: "sha1", value: ChecksumSHA1 } : undefined
}

function wholeChecksumOf(
  output: Checksums & { ChecksumType?: string | undefined },
): WholeChecksum | undefined {
  const checksum = checksumOf(output)
  if (!checksum) return undefined
  const composite = output.ChecksumType === "COMPOSITE" || /-\d+$/.test(checksum.value)
  return { ...checksum, type: composite ? "composite" : "full" }
}

const ARCHIVES = new Set(["GLACIER", "DEEP_ARCHIVE"])

/** An archived object can be read for a while after it was restored: `ongoing-request="false", expiry-date="…"`. */
function isArchived(output: ObjectOutput): boolean {
  const archiveStatus = output.ArchiveStatus !== undefined
  const restored = /ongoing-request="false"/.test(output.Restore ?? "")
  return (archiveStatus || ARCHIVES.has(output.StorageClass ?? "")) && !restored
}

/** @param bytes - of the whole object, which the answer to a range says elsewhere. */
export function infoOf(output: ObjectOutput, bytes: number): ObjectInfo {
  const { etag, versionId } = storedOf(output)
  const countedParts = /-(\d+)$/.exec(etag)?.[1]
  const mode = output.ObjectLockMode
  return {
    etag,
    versionId,
    bytes,
    lastModified: output.LastModified,
    metadata: Object.fromEntries(
      Object.entries(output.Metadata ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    missingMetadata: output.MissingMeta ?? 0,
    contentType: output.ContentType,
    cacheControl: output.CacheControl,
    contentDisposition: output.ContentDisposition,
    contentEncoding: output.ContentEncoding,
    contentLanguage: output.ContentLanguage,
    expires: output.ExpiresString,
    websiteRedirect: output.WebsiteRedirectLocation,
    storageClass: output.StorageClass,
    archived: isArchived(output),
    serverSideEncryption: output.ServerSideEncryption ?? output.SSECustomerAlgorithm,
    customerEncrypted: output.SSECustomerAlgorithm !== undefined,
    kmsKeyId: output.SSEKMSKeyId,
    bucketKey: output.BucketKeyEnabled ?? false,
    tagCount: output.TagCount,
    checksum: wholeChecksumOf(output),
    retention: mode ? { mode, until: output.ObjectLockRetainUntilDate } : undefined,
    legalHold: output.ObjectLockLegalHoldStatus === "ON",
    parts: output.PartsCount ?? (countedParts === undefined ? undefined : Number(countedParts)),
  }
}
