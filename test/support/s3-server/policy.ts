import type { Bucket } from "./bucket.ts"
import { S3Error } from "./errors.ts"
import type { S3Request } from "./request.ts"

interface Statement {
  Effect?: string
  Action?: string | string[]
  Resource?: string | string[]
  Principal?: unknown
  Condition?: unknown
}

/** Operations that are authorised under another name than their own. */
const actionNames: Readonly<Record<string, string>> = {
  HeadObject: "GetObject",
  HeadBucket: "ListBucket",
  ListObjects: "ListBucket",
  ListObjectsV2: "ListBucket",
  ListObjectVersions: "ListBucketVersions",
  ListMultipartUploads: "ListBucketMultipartUploads",
  ListParts: "ListMultipartUploadParts",
  CreateMultipartUpload: "PutObject",
  UploadPart: "PutObject",
  UploadPartCopy: "PutObject",
  CompleteMultipartUpload: "PutObject",
  CopyObject: "PutObject",
}

function actionOf({ operation, query }: S3Request): string {
  const name = actionNames[operation] ?? operation
  const versioned = query.has("versionId") && (name === "GetObject" || name === "DeleteObject")
  return `s3:${versioned ? `${name}Version` : name}`
}

function list(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : [value].flat()
}

function matchesWildcard(pattern: string, text: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".")
  return new RegExp(`^${expression}$`, "s").test(text)
}

/**
 * Enforce the bucket policy as far as tests need it: unconditional `Deny` statements for everyone.
 *
 * @throws {S3Error} AccessDenied.
 */
export function checkPolicy(bucket: Bucket, request: S3Request): void {
  const policy = bucket.configuration.settings["policy"]
  if (policy === undefined || /BucketPolicy$/.test(request.operation)) return
  const { Statement: statements } = JSON.parse(policy) as { Statement?: Statement | Statement[] }
  const resource = `arn:aws:s3:::${bucket.name}${request.key === undefined ? "" : `/${request.key}`}`
  const action = actionOf(request)
  for (const statement of [statements ?? []].flat()) {
    if (statement.Effect !== "Deny" || statement.Condition !== undefined) continue
    const principal = JSON.stringify(statement.Principal ?? "")
    if (principal !== '"*"' && principal !== '{"AWS":"*"}') continue
    if (!list(statement.Action).some((pattern) => matchesWildcard(pattern, action))) continue
    if (!list(statement.Resource).some((pattern) => matchesWildcard(pattern, resource))) continue
    throw new S3Error("AccessDenied", "Access Denied with an explicit deny in a resource-based policy")
  }
}

/**
 * In a bucket whose requesters pay, a request on an object must say that it knows.
 *
 * @returns the header that confirms it.
 * @throws {S3Error} AccessDenied.
 */
export function checkRequestPayer(bucket: Bucket, request: S3Request): Record<string, string> {
  const setting = bucket.configuration.settings["requestPayment"]
  if (setting === undefined || !/<Payer>Requester<\/Payer>/.test(setting) || request.key === undefined)
    return {}
  const payer = request.headers.get("x-amz-request-payer")
  if (payer !== "requester") throw new S3Error("AccessDenied", "Access Denied: the bucket is Requester Pays")
  return { "x-amz-request-charged": "requester" }
}
