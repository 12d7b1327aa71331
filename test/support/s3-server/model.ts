import type { Checksum, ChecksumAlgorithm, ChecksumType } from "./checksums.ts"

export interface Tag {
  Key: string
  Value: string
}

export interface Encryption {
  /** `AES256`, `aws:kms`, or `customer` for SSE-C. Bodies are stored in the clear all the same. */
  kind: "AES256" | "aws:kms" | "aws:kms:dsse" | "customer"
  kmsKeyId?: string
  /** Base64, for SSE-C: what the customer's key is checked against. */
  customerKeyMd5?: string
}

export interface Retention {
  mode: "GOVERNANCE" | "COMPLIANCE"
  untilMs: number
}

/** Who may do what: a canonical id, a group's URI or an address. */
export interface Grant {
  grantee: { ID: string } | { URI: string } | { EmailAddress: string }
  permission: string
}

/** What a PUT, a copy or a CreateMultipartUpload says about an object besides its bytes. */
export interface ObjectAttributes {
  /** Content headers, lower-case names. */
  headers: Record<string, string>
  /** User metadata, lower-case names without `x-amz-meta-`. */
  metadata: Record<string, string>
  tags: Tag[]
  storageClass: string
  encryption?: Encryption
  retention?: Retention
  legalHold: boolean
  /** Kept and shown, and never acted on: every request is the owner's. Absent: the owner alone. */
  grants?: Grant[]
}

export interface StoredPart {
  partNumber: number
  bytes: number
  checksum?: string
}

/** One version of an object. Its body is a file of its own. */
export interface ObjectVersion {
  key: string
  /** `null` where versioning is not on, as S3 calls it. */
  versionId: string
  /** Order of arrival, over the whole server. */
  sequence: number
  modifiedMs: number
  deleteMarker: boolean
  bytes: number
  /** Without quotes. */
  etag: string
  checksum?: Checksum
  /** Of a multipart object, in order. */
  parts?: StoredPart[]
  attributes: ObjectAttributes
}

export interface UploadedPart extends StoredPart {
  etag: string
  modifiedMs: number
  sequence: number
}

export interface Upload {
  uploadId: string
  key: string
  sequence: number
  initiatedMs: number
  attributes: ObjectAttributes
  checksumAlgorithm?: ChecksumAlgorithm
  checksumType?: ChecksumType
  /** By part number. */
  parts: Map<number, UploadedPart>
}

export interface ObjectLockRule {
  mode: Retention["mode"]
  days: number
}

export interface BucketConfiguration {
  createdMs: number
  region: string
  versioning?: "Enabled" | "Suspended"
  objectLock: boolean
  defaultRetention?: ObjectLockRule
  /** Documents stored as they came, by their query parameter. */
  settings: Record<string, string>
}
