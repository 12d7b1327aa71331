import { isSendable } from "./http/head.ts"

/**
 * The operations that are asked for by the thousand, and answered with headers or the bytes of an object. ListObjectsV2,
 * which is direct too, is about a bucket and answered with a document.
 */
export type DirectOperation = "GetObject" | "HeadObject" | "PutObject" | "UploadPart"

/** An input in the SDK's words; undefined members are as if they were not there. */
export type DirectInput = ListingInput & { readonly Key: string }

/** An input of ListObjectsV2. */
export type ListingInput = Readonly<Record<string, unknown>> & { readonly Bucket: string }

/** What an input becomes. */
export interface DirectRequest {
  readonly method: string
  /** Percent-encoded, without a slash in front; "" if it is about the bucket. */
  readonly key: string
  /** Encoded and sorted by name, as it is signed. */
  readonly query: string
  readonly headers: Record<string, string>
}

/** The method, and what of the query says which operation it is. */
const OPERATIONS = {
  GetObject: ["GET", "x-id=GetObject"],
  HeadObject: ["HEAD"],
  ListObjectsV2: ["GET", "list-type=2"],
  PutObject: ["PUT", "x-id=PutObject"],
  UploadPart: ["PUT", "x-id=UploadPart"],
} as const

// S3 API Reference: GetObject, HeadObject, ListObjectsV2, PutObject, UploadPart. A customer's key is not here: what is
// done with it is the SDK's.
const HEADERS: Readonly<Record<string, string>> = {
  ACL: "x-amz-acl",
  BucketKeyEnabled: "x-amz-server-side-encryption-bucket-key-enabled",
  CacheControl: "cache-control",
  ChecksumMode: "x-amz-checksum-mode",
  ContentDisposition: "content-disposition",
  ContentEncoding: "content-encoding",
  ContentLanguage: "content-language",
  ContentType: "content-type",
  GrantFullControl: "x-amz-grant-full-control",
  GrantRead: "x-amz-grant-read",
  GrantReadACP: "x-amz-grant-read-acp",
  GrantWriteACP: "x-amz-grant-write-acp",
  IfMatch: "if-match",
  IfNoneMatch: "if-none-match",
  ObjectLockLegalHoldStatus: "x-amz-object-lock-legal-hold",
  ObjectLockMode: "x-amz-object-lock-mode",
  ObjectLockRetainUntilDate: "x-amz-object-lock-retain-until-date",
  Range: "range",
  RequestPayer: "x-amz-request-payer",
  SSEKMSKeyId: "x-amz-server-side-encryption-aws-kms-key-id",
  ServerSideEncryption: "x-amz-server-side-encryption",
  StorageClass: "x-amz-storage-class",
  Tagging: "x-amz-tagging",
  WebsiteRedirectLocation: "x-amz-website-redirect-location",
}
const QUERY: Readonly<Record<string, string>> = {
  ContinuationToken: "continuation-token",
  Delimiter: "delimiter",
  EncodingType: "encoding-type",
  PartNumber: "partNumber",
  Prefix: "prefix",
  StartAfter: "start-after",
  UploadId: "uploadId",
  VersionId: "versionId",
}
const META = "x-amz-meta-"

/** @returns null if there is something in it that has no place here: the SDK knows one, or what is wrong with it. */
export function directRequest(operation: DirectOperation, input: DirectInput): DirectRequest | null
export function directRequest(operation: "ListObjectsV2", input: ListingInput): DirectRequest | null
export function directRequest(
  operation: keyof typeof OPERATIONS,
  input: ListingInput & { readonly Key?: string },
): DirectRequest | null {
  const [method, ...query]: readonly [string, ...string[]] = OPERATIONS[operation]
  const headers: Record<string, string> = {}
  for (const [member, value] of Object.entries(input)) {
    if (value === undefined || member === "Bucket" || member === "Key") continue
    if (member === "Metadata") {
      for (const [name, text] of Object.entries(value ?? {}))
        headers[META + name.toLowerCase()] = String(text)
      continue
    }
    const text = textOf(value)
    const header = HEADERS[member]
    const parameter = QUERY[member]
    if (text === null) return null
    if (header !== undefined) headers[header] = text
    else if (parameter !== undefined) query.push(`${parameter}=${encode(text)}`)
    else return null
  }
  if (!Object.entries(headers).every(([name, value]) => isSendable(name, value))) return null
  return { method, key: encodeKey(input.Key ?? ""), query: query.sort().join("&"), headers }
}

function textOf(value: unknown): string | null {
  if (value instanceof Date) return value.toISOString().replace(".000Z", "Z")
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : null
}

/** A key as the path of a request has it. */
export function encodeKey(key: string): string {
  return key.split("/").map(encode).join("/")
}

/** RFC 3986: all but the unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
