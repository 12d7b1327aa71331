import type { Grant } from "./copy.ts"
import type { CustomerKey } from "./store.ts"

export type ServerSideEncryption =
  | { readonly kind: "sse-s3" }
  | {
      readonly kind: "sse-kms"
      readonly keyId?: string | undefined
      readonly bucketKey?: boolean | undefined
      /** Two layers of it ("DSSE-KMS"). */
      readonly dual?: boolean | undefined
    }
  | { readonly kind: "sse-c"; readonly key: CustomerKey }

/** Object Lock: until when, and how, a version can neither be replaced nor deleted. */
export interface ObjectLock {
  readonly retention?: { readonly mode: "GOVERNANCE" | "COMPLIANCE"; readonly until: Date } | undefined
  readonly legalHold?: boolean | undefined
}

/** What is kept beside an object's bytes. */
export interface ObjectSettings extends ObjectLock {
  /** User metadata: lower-case names without `x-amz-meta-`, ASCII values. */
  readonly metadata: Readonly<Record<string, string>>
  readonly contentType?: string | undefined
  readonly cacheControl?: string | undefined
  readonly contentDisposition?: string | undefined
  readonly contentEncoding?: string | undefined
  readonly contentLanguage?: string | undefined
  /** The Expires header, as it is to be sent. */
  readonly expires?: string | undefined
  /** Where a website sends who asks for the object. */
  readonly websiteRedirect?: string | undefined
  readonly storageClass?: string | undefined
  /** A canned ACL. */
  readonly acl?: string | undefined
  /** Instead of a canned one. */
  readonly grants?: readonly Grant[] | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly encryption?: ServerSideEncryption | undefined
}
