import type { AnswerBody } from "./http/answer-body.ts"
import { WireError } from "./http/wire-error.ts"
import type { ObjectOutput } from "./s3-outputs.ts"

/** What the answers of the direct operations say, in the SDK's words: those that have a use here. */
export type DirectOutput = ObjectOutput & {
  /** Of an object; with `reuseMemory`, if it did not come through the SDK. */
  readonly Body?: unknown
  /** Whether the slices of the body are in memory nobody else looks at. */
  readonly ownMemory?: boolean
  readonly $metadata: { readonly httpStatusCode?: number }
}

/** What a service answered with an error, as the SDK throws it. */
export class ServiceError extends Error {
  readonly Code: string
  readonly Region: string | undefined
  readonly $metadata: { readonly httpStatusCode: number }
  readonly $response: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> }

  constructor(document: Readonly<Record<string, string>>, answer: ServiceError["$response"]) {
    super(document["Message"] ?? "")
    this.name = document["Code"] ?? "Unknown"
    this.Code = document["Code"] ?? ""
    this.Region = document["Region"]
    this.$metadata = { httpStatusCode: answer.statusCode }
    this.$response = answer
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }
const META = "x-amz-meta-"

/** @throws {WireError} if a header makes no sense. */
export function directOutput(
  statusCode: number,
  headers: Readonly<Record<string, string>>,
  body: AnswerBody,
): DirectOutput {
  const metadata: Record<string, string> = {}
  for (const name in headers) {
    if (name.startsWith(META)) metadata[name.slice(META.length)] = headers[name] ?? ""
  }
  return {
    $metadata: { httpStatusCode: statusCode },
    Body: body,
    ownMemory: true,
    Metadata: metadata,
    ArchiveStatus: headers["x-amz-archive-status"] as DirectOutput["ArchiveStatus"],
    BucketKeyEnabled: flag(headers["x-amz-server-side-encryption-bucket-key-enabled"]),
    CacheControl: headers["cache-control"],
    ChecksumCRC32: headers["x-amz-checksum-crc32"],
    ChecksumCRC32C: headers["x-amz-checksum-crc32c"],
    ChecksumCRC64NVME: headers["x-amz-checksum-crc64nvme"],
    ChecksumSHA1: headers["x-amz-checksum-sha1"],
    ChecksumSHA256: headers["x-amz-checksum-sha256"],
    ChecksumType: headers["x-amz-checksum-type"] as DirectOutput["ChecksumType"],
    ContentDisposition: headers["content-disposition"],
    ContentEncoding: headers["content-encoding"],
    ContentLanguage: headers["content-language"],
    ContentLength: count(headers["content-length"]),
    ContentRange: headers["content-range"],
    ContentType: headers["content-type"],
    ETag: headers["etag"],
    ExpiresString: headers["expires"],
    LastModified: date(headers["last-modified"]),
    MissingMeta: count(headers["x-amz-missing-meta"]),
    ObjectLockLegalHoldStatus: headers[
      "x-amz-object-lock-legal-hold"
    ] as DirectOutput["ObjectLockLegalHoldStatus"],
    ObjectLockMode: headers["x-amz-object-lock-mode"] as DirectOutput["ObjectLockMode"],
    ObjectLockRetainUntilDate: date(headers["x-amz-object-lock-retain-until-date"]),
    PartsCount: count(headers["x-amz-mp-parts-count"]),
    Restore: headers["x-amz-restore"],
    SSECustomerAlgorithm: headers["x-amz-server-side-encryption-customer-algorithm"],
    SSEKMSKeyId: headers["x-amz-server-side-encryption-aws-kms-key-id"],
    ServerSideEncryption: headers["x-amz-server-side-encryption"] as DirectOutput["ServerSideEncryption"],
    StorageClass: headers["x-amz-storage-class"] as DirectOutput["StorageClass"],
    TagCount: count(headers["x-amz-tagging-count"]),
    VersionId: headers["x-amz-version-id"],
    WebsiteRedirectLocation: headers["x-amz-website-redirect-location"],
  }
}

/**
 * The members of S3's error document, or null if it is not as plain as those are: then it is for a real parser of XML.
 *
 * @see "Error responses" in the S3 API reference
 */
export function parseErrorDocument(text: string): Record<string, string> | null {
  const inside = /^(?:<\?xml [^<>]*\?>)?\s*<Error(?: xmlns="[^"<>&]*")?>([\s\S]*)<\/Error>\s*$/.exec(
    text,
  )?.[1]
  if (inside === undefined) return null
  const members: Record<string, string> = Object.create(null)
  const rest = inside.replace(
    /<([A-Za-z][\w.-]*)>([^<>]*)<\/\1>\s*/g,
    (_all, name: string, value: string) => {
      members[name] ??= value.replace(
        /&(amp|lt|gt|quot|apos);/g,
        (_entity, which: string) => ENTITIES[which] ?? "",
      )
      return ""
    },
  )
  return rest.trim() === "" && members["Code"] !== undefined ? members : null
}

function flag(value: string | undefined): boolean | undefined {
  return value === undefined ? undefined : value === "true"
}

function count(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}

function date(value: string | undefined): Date | undefined {
  if (value === undefined) return undefined
  const at = new Date(value)
  if (Number.isNaN(at.getTime())) throw new WireError("DATE", "the answer has a date that is none")
  return at
}
