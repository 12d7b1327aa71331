import { S3Error } from "./errors.ts"

/** Bucket settings that are stored as they come and returned as they were. */
export interface BucketSetting {
  parameter: string
  operation: string
  /** What a GET answers before anything was put. */
  missing: string
}

export const bucketSettings: readonly BucketSetting[] = [
  { parameter: "policy", operation: "BucketPolicy", missing: "NoSuchBucketPolicy" },
  {
    parameter: "lifecycle",
    operation: "BucketLifecycleConfiguration",
    missing: "NoSuchLifecycleConfiguration",
  },
  { parameter: "tagging", operation: "BucketTagging", missing: "NoSuchTagSet" },
  { parameter: "cors", operation: "BucketCors", missing: "NoSuchCORSConfiguration" },
  {
    parameter: "encryption",
    operation: "BucketEncryption",
    missing: "ServerSideEncryptionConfigurationNotFoundError",
  },
  {
    parameter: "publicAccessBlock",
    operation: "PublicAccessBlock",
    missing: "NoSuchPublicAccessBlockConfiguration",
  },
  {
    parameter: "ownershipControls",
    operation: "BucketOwnershipControls",
    missing: "OwnershipControlsNotFoundError",
  },
  { parameter: "accelerate", operation: "BucketAccelerateConfiguration", missing: "NoSuchConfiguration" },
  { parameter: "requestPayment", operation: "BucketRequestPayment", missing: "NoSuchConfiguration" },
]

interface Target {
  bucket: string | undefined
  key: string | undefined
  query: ReadonlyMap<string, string>
  headers: ReadonlyMap<string, string>
}

function bucketOperation(method: string, { query }: Target): string | undefined {
  const verb = { GET: "Get", PUT: "Put", DELETE: "Delete" }[method]
  const setting = bucketSettings.find(({ parameter }) => query.has(parameter))
  if (setting !== undefined && verb !== undefined) return `${verb}${setting.operation}`
  switch (method) {
    case "HEAD":
      return "HeadBucket"
    case "DELETE":
      return "DeleteBucket"
    case "POST":
      return query.has("delete") ? "DeleteObjects" : undefined
    case "PUT":
      if (query.has("versioning")) return "PutBucketVersioning"
      if (query.has("object-lock")) return "PutObjectLockConfiguration"
      if (query.has("acl")) return "PutBucketAcl"
      return "CreateBucket"
    case "GET":
      if (query.has("location")) return "GetBucketLocation"
      if (query.has("versioning")) return "GetBucketVersioning"
      if (query.has("object-lock")) return "GetObjectLockConfiguration"
      if (query.has("acl")) return "GetBucketAcl"
      if (query.has("versions")) return "ListObjectVersions"
      if (query.has("uploads")) return "ListMultipartUploads"
      return query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects"
    default:
      return undefined
  }
}

const objectSubresources: Readonly<Record<string, string>> = {
  tagging: "ObjectTagging",
  retention: "ObjectRetention",
  "legal-hold": "ObjectLegalHold",
  acl: "ObjectAcl",
}

function objectOperation(method: string, { query, headers }: Target): string | undefined {
  for (const [parameter, name] of Object.entries(objectSubresources)) {
    if (!query.has(parameter)) continue
    if (method === "GET") return `Get${name}`
    if (method === "PUT") return `Put${name}`
    if (method === "DELETE" && parameter === "tagging") return "DeleteObjectTagging"
    return undefined
  }
  const copies = headers.has("x-amz-copy-source")
  switch (method) {
    case "HEAD":
      return "HeadObject"
    case "GET":
      if (query.has("uploadId")) return "ListParts"
      return query.has("attributes") ? "GetObjectAttributes" : "GetObject"
    case "PUT":
      if (query.has("uploadId")) return copies ? "UploadPartCopy" : "UploadPart"
      return copies ? "CopyObject" : "PutObject"
    case "POST":
      if (query.has("uploads")) return "CreateMultipartUpload"
      return query.has("uploadId") ? "CompleteMultipartUpload" : undefined
    case "DELETE":
      return query.has("uploadId") ? "AbortMultipartUpload" : "DeleteObject"
    default:
      return undefined
  }
}

/**
 * Which S3 operation a request asks for.
 *
 * @throws {S3Error} MethodNotAllowed if there is none.
 */
export function operationOf(method: string, target: Target): string {
  const operation =
    target.bucket === undefined
      ? method === "GET"
        ? "ListBuckets"
        : undefined
      : target.key === undefined
        ? bucketOperation(method, target)
        : objectOperation(method, target)
  if (operation === undefined) throw new S3Error("MethodNotAllowed", "The method is not allowed here")
  return operation
}
