import type { GetObjectCommandOutput, HeadObjectCommandOutput } from "@aws-sdk/client-s3"
import type { Checksum, ObjectInfo, StoredObject } from "./store.ts"

// The SDK's answers in our words.

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

export function checksumOf(output: {
  ChecksumCRC32?: string | undefined
  ChecksumCRC64NVME?: string | undefined
  ChecksumSHA256?: string | undefined
}): Checksum | undefined {
  if (output.ChecksumCRC32) return { kind: "crc32", value: output.ChecksumCRC32 }
  if (output.ChecksumCRC64NVME) return { kind: "crc64nvme", value: output.ChecksumCRC64NVME }
  if (output.ChecksumSHA256) return { kind: "sha256", value: output.ChecksumSHA256 }
  return undefined
}

/** @param bytes - of the whole object, which the answer to a range says elsewhere. */
export function infoOf(output: HeadObjectCommandOutput | GetObjectCommandOutput, bytes: number): ObjectInfo {
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
    contentType: output.ContentType,
    storageClass: output.StorageClass,
    serverSideEncryption: output.ServerSideEncryption ?? output.SSECustomerAlgorithm,
    retention: mode ? { mode, until: output.ObjectLockRetainUntilDate } : undefined,
    legalHold: output.ObjectLockLegalHoldStatus === "ON",
    parts: output.PartsCount ?? (countedParts === undefined ? undefined : Number(countedParts)),
  }
}
