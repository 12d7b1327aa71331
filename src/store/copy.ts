import type {
  CallOptions,
  Conditions,
  CustomerKey,
  ObjectAddress,
  ObjectSettings,
  WholeChecksum,
} from "./store.ts"

// What copies inside a store, and what is kept beside an object, are described with.

/** The object, or the version of it, to copy from. */
export interface CopySource {
  readonly address: ObjectAddress
  readonly versionId?: string | undefined
  /** An ETag: only if the source still has it. */
  readonly ifMatch?: string | undefined
  /** SSE-C: the key the source was written with. */
  readonly customerKey?: CustomerKey | undefined
}

export interface CopyOptions extends CallOptions {
  /**
   * All that the copy will have beside its bytes. Tags that are left out are taken from the source, where the service
   * does as S3 does; a service that forgets them is seen to.
   */
  readonly settings: ObjectSettings
  /** About what the copy replaces. */
  readonly conditions?: Conditions | undefined
}

export interface PartCopyOptions extends CallOptions {
  /** Of the source, `end` exclusive; all of it if not given. */
  readonly range?: { readonly start: number; readonly end: number } | undefined
  /** SSE-C: the key the upload was created with. */
  readonly customerKey?: CustomerKey | undefined
}

export type AclPermission = "FULL_CONTROL" | "READ" | "WRITE" | "READ_ACP" | "WRITE_ACP"

/** Who may do what with an object, besides what the bucket's policy says. */
export interface Grant {
  readonly grantee: { readonly kind: "user" | "group" | "email"; readonly id: string }
  readonly permission: AclPermission
}

export interface Acl {
  /** The owner's canonical id. */
  readonly owner: string
  readonly grants: readonly Grant[]
}

/** One version of an object, or the marker of a deletion, as `listVersions` gives it. */
export interface ListedVersion {
  readonly kind: "version" | "marker"
  readonly key: string
  /** "null" for one that was written while the bucket kept no versions. */
  readonly versionId: string
  readonly isLatest: boolean
  readonly bytes: number
  readonly etag: string
  readonly lastModified: Date | undefined
  readonly storageClass: string | undefined
}

/** What a multipart upload is to check the object with, as a whole. */
export type UploadChecksum = Pick<WholeChecksum, "kind" | "type">
