import type { CreateMultipartUploadCommandInput, ObjectCannedACL, StorageClass } from "@aws-sdk/client-s3"
import { UsageError } from "../errors.ts"
import type { Sending } from "./s3-session.ts"
import type {
  CallOptions,
  Conditions,
  CustomerKey,
  Grant,
  ObjectAddress,
  ObjectSettings,
  PartOptions,
  ReadOptions,
} from "./store.ts"

// Our settings in the SDK's words. Members are left out rather than set to undefined.

export function addressInput({ bucket, key }: ObjectAddress): { Bucket: string; Key: string } {
  return { Bucket: bucket, Key: key }
}

export function callInput(options: CallOptions | undefined): { RequestPayer?: "requester" } {
  return options?.requesterPays ? { RequestPayer: "requester" } : {}
}

export function customerKeyInput(key: CustomerKey | undefined): {
  SSECustomerAlgorithm?: string
  SSECustomerKey?: string
} {
  if (!key) return {}
  if (key.bytes.length !== 32) throw new RangeError("a customer-provided key has 32 bytes")
  return { SSECustomerAlgorithm: "AES256", SSECustomerKey: Buffer.from(key.bytes).toString("base64") }
}

export function readInput(address: ObjectAddress, options: ReadOptions | undefined) {
  return {
    ...addressInput(address),
    ...callInput(options),
    ...customerKeyInput(options?.customerKey),
    ...(options?.versionId !== undefined && { VersionId: options.versionId }),
  }
}

export function partSending(
  address: ObjectAddress,
  partNumber: number,
  signal: AbortSignal | undefined,
): Sending {
  const action = `upload part ${partNumber} of s3://${address.bucket}/${address.key}`
  return { action, bucket: address.bucket, about: "upload", signal }
}

export function partInput(
  address: ObjectAddress,
  uploadId: string,
  partNumber: number,
  options: PartOptions,
) {
  return {
    ...addressInput(address),
    ...callInput(options),
    ...customerKeyInput(options.customerKey),
    UploadId: uploadId,
    PartNumber: partNumber,
  }
}

export function conditionsInput(conditions: Conditions | undefined): {
  IfNoneMatch?: string
  IfMatch?: string
} {
  return {
    ...(conditions?.ifNoneMatch && { IfNoneMatch: conditions.ifNoneMatch }),
    ...(conditions?.ifMatch !== undefined && { IfMatch: quoted(conditions.ifMatch) }),
  }
}

/** ETags are kept without their quotation marks, which services leave out here and there; requests need them. */
export function quoted(etag: string): string {
  return /^(W\/)?"/.test(etag) ? etag : `"${etag}"`
}

type SettingsInput = Pick<
  CreateMultipartUploadCommandInput,
  | "Metadata"
  | "ContentType"
  | "CacheControl"
  | "ContentDisposition"
  | "ContentEncoding"
  | "ContentLanguage"
  | "WebsiteRedirectLocation"
  | "StorageClass"
  | "ACL"
  | "GrantFullControl"
  | "GrantRead"
  | "GrantReadACP"
  | "GrantWriteACP"
  | "Tagging"
  | "ServerSideEncryption"
  | "SSEKMSKeyId"
  | "BucketKeyEnabled"
  | "SSECustomerAlgorithm"
  | "SSECustomerKey"
  | "ObjectLockMode"
  | "ObjectLockRetainUntilDate"
  | "ObjectLockLegalHoldStatus"
>

/** What PutObject and CreateMultipartUpload both take. */
export function settingsInput(settings: ObjectSettings): SettingsInput {
  const { tags, retention, legalHold } = settings
  return {
    Metadata: { ...settings.metadata },
    ...(settings.contentType !== undefined && { ContentType: settings.contentType }),
    ...(settings.cacheControl !== undefined && { CacheControl: settings.cacheControl }),
    ...(settings.contentDisposition !== undefined && { ContentDisposition: settings.contentDisposition }),
    ...(settings.contentEncoding !== undefined && { ContentEncoding: settings.contentEncoding }),
    ...(settings.contentLanguage !== undefined && { ContentLanguage: settings.contentLanguage }),
    ...(settings.websiteRedirect !== undefined && { WebsiteRedirectLocation: settings.websiteRedirect }),
    ...(settings.storageClass !== undefined && { StorageClass: storageClass(settings.storageClass) }),
    ...(settings.acl !== undefined && { ACL: cannedAcl(settings.acl) }),
    ...(settings.grants && grantsInput(settings.grants)),
    ...(tags && Object.keys(tags).length > 0 && { Tagging: tagging(tags) }),
    ...encryptionInput(settings),
    ...(retention && { ObjectLockMode: retention.mode, ObjectLockRetainUntilDate: retention.until }),
    ...(legalHold !== undefined && { ObjectLockLegalHoldStatus: legalHold ? "ON" : "OFF" }),
  }
}

function encryptionInput({ encryption }: ObjectSettings): Partial<SettingsInput> {
  switch (encryption?.kind) {
    case "sse-s3":
      return { ServerSideEncryption: "AES256" }
    case "sse-kms":
      return {
        ServerSideEncryption: encryption.dual ? "aws:kms:dsse" : "aws:kms",
        ...(encryption.keyId !== undefined && { SSEKMSKeyId: encryption.keyId }),
        ...(encryption.bucketKey && { BucketKeyEnabled: true }),
      }
    case "sse-c":
      return customerKeyInput(encryption.key)
    default:
      return {}
  }
}

const GRANTEES = { user: "id", group: "uri", email: "emailAddress" } as const

/** Writing to an object is no permission these headers know, and S3 no permission an object has. */
function grantsInput(grants: readonly Grant[]): Partial<SettingsInput> {
  const holding = (permission: Grant["permission"]) =>
    grants
      .filter((grant) => grant.permission === permission)
      .map(({ grantee }) => `${GRANTEES[grantee.kind]}="${grantee.id}"`)
      .join(", ")
  const headers = {
    GrantFullControl: holding("FULL_CONTROL"),
    GrantRead: holding("READ"),
    GrantReadACP: holding("READ_ACP"),
    GrantWriteACP: holding("WRITE_ACP"),
  }
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ""))
}

/** As `x-amz-tagging` has them. */
export function tagging(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join("&")
}

// Services have classes of their own: any name is passed on.
function storageClass(name: string): StorageClass {
  return name as StorageClass
}

// S3 User Guide, "Canned ACL".
const cannedAcls: readonly ObjectCannedACL[] = [
  "private",
  "public-read",
  "public-read-write",
  "authenticated-read",
  "aws-exec-read",
  "bucket-owner-read",
  "bucket-owner-full-control",
]

function cannedAcl(name: string): ObjectCannedACL {
  const known = cannedAcls.find((acl) => acl === name)
  if (known) return known
  throw new UsageError(`there is no ACL "${name}"`, {
    hint: `one of ${cannedAcls.join(", ")}`,
  })
}
