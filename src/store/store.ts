import type { UnavailableError } from "../errors.ts"
import type { Acl, CopyOptions, CopySource, ListedVersion, PartCopyOptions, UploadChecksum } from "./copy.ts"
import type { ObjectLock, ObjectSettings } from "./settings.ts"

export type * from "./copy.ts"
export type * from "./settings.ts"

/**
 * What s3ep needs of an object store, in S3's terms. Adapters translate errors into the classes of `errors.ts`
 * and never retry: `withRetry` does, for all of them alike.
 */
export interface ObjectStore {
  /** For messages and for the journal: the endpoint as the user knows it, without credentials. */
  readonly endpoint: string

  /** What this service can take; may ask the service once and remember. */
  limits(bucket: string, options?: CallOptions): Promise<StoreLimits>

  /** @throws {NotFoundError} if there is no such object. */
  head(address: ObjectAddress, options?: HeadOptions): Promise<ObjectInfo>

  /**
   * Read an object or a range of it. The answer arrives with the headers; the body is pulled by the caller,
   * who must drain it or `return()` its iterator.
   *
   * @throws {NotFoundError} if there is no such object.
   * @throws {PreconditionError} if `ifMatch` no longer holds.
   */
  get(address: ObjectAddress, options?: GetOptions): Promise<ObjectBody>

  /**
   * Write an object in one request.
   *
   * @throws {PreconditionError} if `ifNoneMatch` or `ifMatch` does not hold.
   */
  put(address: ObjectAddress, body: Uint8Array, options: PutOptions): Promise<StoredObject>

  /**
   * Write an object whose length is not known beforehand, in parts cut from the stream; aborted, leaving nothing
   * behind, if the stream or the store fails.
   *
   * @throws {PreconditionError} as `put`; whatever `body` throws, unchanged.
   */
  putStream(
    address: ObjectAddress,
    body: AsyncIterable<Uint8Array>,
    options: PutStreamOptions,
  ): Promise<StoredObject>

  /**
   * Make an object of another one, or of itself, inside the store: no byte of it travels. Conditions are sent where
   * the service honours them, and looked at right before otherwise.
   *
   * @throws {NotFoundError} if the source is not there.
   * @throws {PreconditionError} if `source.ifMatch` or a condition does not hold.
   * @throws {UnsupportedError} if the service does not copy such an object (under SSE-C on some, for instance).
   */
  copy(source: CopySource, target: ObjectAddress, options: CopyOptions): Promise<StoredObject>

  /** Deletes the object, or one version of it. Deleting what is not there succeeds, as on S3. */
  delete(address: ObjectAddress, options?: DeleteOptions): Promise<void>

  /** Objects in the order of their keys' UTF-8 bytes, fetched page by page as they are consumed. */
  list(bucket: string, options?: ListOptions): AsyncIterable<ListedObject>

  /**
   * Versions and deletion markers, by key, the newest of each first. A bucket that keeps no versions lists what is
   * there, with the version "null".
   *
   * @throws {UnsupportedError} if the service has no versions.
   */
  listVersions(bucket: string, options?: { prefix?: string } & CallOptions): AsyncIterable<ListedVersion>

  getTags(address: ObjectAddress, options?: ReadOptions): Promise<Readonly<Record<string, string>>>

  /** Replaces all of them. */
  putTags(
    address: ObjectAddress,
    tags: Readonly<Record<string, string>>,
    options?: ReadOptions,
  ): Promise<void>

  /** @throws {UnsupportedError} if the service has none. */
  getAcl(address: ObjectAddress, options?: ReadOptions): Promise<Acl>

  /** Replaces all grants. */
  putAcl(address: ObjectAddress, acl: Acl, options?: ReadOptions): Promise<void>

  /** False if the bucket is known to have ACLs switched off ("bucket owner enforced"), so that nobody need ask. */
  hasAcls(bucket: string, options?: CallOptions): Promise<boolean>

  /**
   * Bytes of each part an object is made of, in order.
   *
   * @param info - from `head`.
   * @returns null if it was not uploaded in parts, or the service does not say.
   */
  partSizes(
    address: ObjectAddress,
    info: ObjectInfo,
    options?: ReadOptions,
  ): Promise<readonly number[] | null>

  /** @returns the upload id. */
  createUpload(address: ObjectAddress, options: CreateUploadOptions): Promise<string>

  /**
   * @param partNumber - from 1.
   * @throws {NotFoundError} with `what: "upload"` if the upload is gone.
   */
  uploadPart(
    address: ObjectAddress,
    uploadId: string,
    partNumber: number,
    body: PartBody,
    options: PartOptions,
  ): Promise<UploadedPart>

  /**
   * Make a part of a range of an object, inside the store. `source.ifMatch` is sent where the service honours it, and
   * not looked at otherwise: whoever completes the upload has to.
   *
   * @throws {NotFoundError} with `what: "upload"` if the upload is gone.
   * @throws {PreconditionError} if `source.ifMatch` does not hold.
   */
  uploadPartCopy(
    source: CopySource,
    address: ObjectAddress,
    uploadId: string,
    partNumber: number,
    options: PartCopyOptions,
  ): Promise<UploadedPart>

  /**
   * The parts the store holds of an upload, by number.
   *
   * @throws {NotFoundError} with `what: "upload"` if it is gone.
   */
  listParts(address: ObjectAddress, uploadId: string, options?: ReadOptions): AsyncIterable<ListedPart>

  /**
   * @param parts - every part, by number.
   * @throws {NotFoundError} with `what: "upload"` if the upload is gone, which a completed one is too.
   * @throws {PreconditionError} if a condition does not hold.
   */
  completeUpload(
    address: ObjectAddress,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: CompleteOptions,
  ): Promise<StoredObject>

  /** @throws {NotFoundError} with `what: "upload"` if the upload is gone already. */
  abortUpload(address: ObjectAddress, uploadId: string, options?: CallOptions): Promise<void>

  /** Unfinished uploads of a bucket. */
  listUploads(bucket: string, options?: { prefix?: string } & CallOptions): AsyncIterable<ListedUpload>

  /** Ends idle connections, so that a process can exit. */
  close(): void
}

export interface ObjectAddress {
  readonly bucket: string
  /** Taken literally: up to 1,024 bytes of UTF-8. */
  readonly key: string
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  readonly requesterPays?: boolean | undefined
}

/** A customer-provided key (SSE-C): the store has to be shown it with every request. */
export interface CustomerKey {
  /** 32 bytes. A `SecretBytes` is one. */
  readonly bytes: Uint8Array
}

export interface ReadOptions extends CallOptions {
  readonly versionId?: string | undefined
  readonly customerKey?: CustomerKey | undefined
}

export interface HeadOptions extends ReadOptions {
  /** Ask for the checksum of the whole too, which takes permission to use the KMS key it is under. */
  readonly wholeChecksum?: boolean | undefined
}

/** Bytes from `start` up to, not including, `end`; to the end of the object if `end` is not given. */
export interface ByteRange {
  readonly start: number
  readonly end?: number | undefined
}

export interface GetOptions extends ReadOptions {
  readonly range?: ByteRange | undefined
  /** An ETag: pins the object, so that ranges of two objects cannot mix. */
  readonly ifMatch?: string | undefined
  /**
   * Allow the body's slices to lie in memory that is read into again once the next one is asked for: spares a copy to
   * whoever is done with each by then.
   */
  readonly reuseMemory?: boolean | undefined
}

export interface Conditions {
  /** Only if no object has this key. */
  readonly ifNoneMatch?: "*" | undefined
  /** Only if the object still has this ETag. */
  readonly ifMatch?: string | undefined
}

/**
 * How the service checks what it receives. `auto` is what the service is known to verify (a CRC computed by
 * native code), `sha256` signs the payload too, `none` leaves it to TLS and to the AEAD.
 */
export type ChecksumChoice = "auto" | "crc32" | "crc64nvme" | "sha256" | "none"

export interface PutOptions extends CallOptions {
  readonly settings: ObjectSettings
  readonly conditions?: Conditions | undefined
  readonly checksum?: ChecksumChoice | undefined
}

export interface PutStreamOptions extends PutOptions {
  /** Bytes of each part but the last. */
  readonly partBytes: number
  /** Parts in flight. */
  readonly concurrency: number
  /** Whether the slices of the stream are in memory nobody else looks at, which is given back when they are sent. */
  readonly ownMemory?: boolean | undefined
  /** Called with the bytes the store has taken since the last call; negative when a part starts over. */
  readonly onSent?: ((bytes: number) => void) | undefined
  /** The store to send the parts through instead of itself: `withRetry` names itself, so that each is retried. */
  readonly through?: ObjectStore | undefined
}

export interface DeleteOptions extends CallOptions {
  readonly versionId?: string | undefined
  readonly bypassGovernance?: boolean | undefined
}

export interface ListOptions extends CallOptions {
  readonly prefix?: string | undefined
  /** With "/": one level only; what lies deeper is listed once, as a prefix. */
  readonly delimiter?: "/" | undefined
  readonly startAfter?: string | undefined
}

export type ListedObject =
  | {
      readonly kind: "object"
      readonly key: string
      readonly bytes: number
      readonly etag: string
      readonly lastModified: Date | undefined
      readonly storageClass: string | undefined
    }
  | { readonly kind: "prefix"; readonly key: string }

export interface CreateUploadOptions extends CallOptions {
  readonly settings: ObjectSettings
  readonly checksum?: ChecksumChoice | undefined
  /**
   * Called, and waited for, before the request is sent again, with the failure of the attempt before: that one may
   * have made an upload whose id nobody learned (see `strays.ts`).
   */
  readonly onRepeat?: ((failure: UnavailableError) => Promise<void>) | undefined
  /** For parts that are copied, which the service computes checksums of itself. Instead of `checksum`. */
  readonly wholeChecksum?: UploadChecksum | undefined
}

/** Bytes at hand, which a retry resends, or a stream of known length, which only its maker can start again. */
export type PartBody = Uint8Array | { readonly bytes: number; readonly stream: AsyncIterable<Uint8Array> }

export interface PartOptions extends CallOptions {
  readonly checksum?: ChecksumChoice | undefined
  readonly customerKey?: CustomerKey | undefined
  /** Called with the bytes handed to the socket since the last call; negative when a retry starts over. */
  readonly onSent?: ((bytes: number) => void) | undefined
}

/** A checksum as S3 writes it: base64 of the big-endian value. */
export interface Checksum {
  readonly kind: "crc32" | "crc32c" | "crc64nvme" | "sha1" | "sha256"
  readonly value: string
}

/** Of a whole object: of its bytes, or of its parts' checksums, with their number behind a dash. */
export interface WholeChecksum extends Checksum {
  readonly type: "full" | "composite"
}

export interface UploadedPart {
  readonly partNumber: number
  readonly etag: string
  readonly bytes: number
  readonly checksum: Checksum | undefined
}

/** A part as the store lists it; it gives a checksum only if it keeps them. */
export interface ListedPart extends UploadedPart {
  readonly lastModified: Date | undefined
}

export interface CompleteOptions extends CallOptions {
  /** What the upload was created with, to be confirmed: some services forget it. */
  readonly lock?: ObjectLock | undefined
  /** Likewise. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly conditions?: Conditions | undefined
  readonly checksum?: ChecksumChoice | undefined
  readonly customerKey?: CustomerKey | undefined
}

export interface StoredObject {
  readonly etag: string
  readonly versionId: string | undefined
}

export interface ObjectInfo extends StoredObject {
  /** Stored bytes of the whole object, whatever range was read. */
  readonly bytes: number
  readonly lastModified: Date | undefined
  /** User metadata with lower-case names, without `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>
  /** Headers whose values the service could not send. */
  readonly missingMetadata: number
  readonly contentType: string | undefined
  readonly cacheControl: string | undefined
  readonly contentDisposition: string | undefined
  readonly contentEncoding: string | undefined
  readonly contentLanguage: string | undefined
  readonly expires: string | undefined
  readonly websiteRedirect: string | undefined
  readonly storageClass: string | undefined
  /** It must be restored before it can be read or copied. */
  readonly archived: boolean
  readonly serverSideEncryption: string | undefined
  /** Whether that is under a customer's key (SSE-C). */
  readonly customerEncrypted: boolean
  /** KMS key of the service's own encryption, and whether the bucket's key stands in for it. */
  readonly kmsKeyId: string | undefined
  readonly bucketKey: boolean
  /** Undefined where the service does not count them for whoever asks. */
  readonly tagCount: number | undefined
  /** Only if it was asked for, and the service keeps one. */
  readonly checksum: WholeChecksum | undefined
  readonly retention: { readonly mode: string; readonly until: Date | undefined } | undefined
  readonly legalHold: boolean
  /** Number of parts, where the service says. */
  readonly parts: number | undefined
}

export interface ObjectBody {
  readonly info: ObjectInfo
  /** What the body holds, `end` exclusive; the whole object unless a range was asked for. */
  readonly range: { readonly start: number; readonly end: number }
  readonly body: AsyncIterable<Uint8Array>
  /** Whether the body's slices are in memory nobody else looks at, which the reader may give back when it is done. */
  readonly ownMemory?: boolean | undefined
}

export interface ListedUpload {
  readonly address: ObjectAddress
  readonly uploadId: string
  readonly initiated: Date | undefined
  /** Who began it, where the service says. */
  readonly initiator: string | undefined
}

/** All in bytes, where they are not counts. */
export interface StoreLimits {
  readonly maxParts: number
  readonly minPartBytes: number
  readonly maxPartBytes: number
  /** Largest body of one PutObject. */
  readonly maxPutBytes: number
  readonly maxObjectBytes: number
  /** Names and values of all user metadata together. */
  readonly maxMetadataBytes: number
  readonly maxMetadataValueBytes: number
  /**
   * False where the service is known to ignore conditions: a caller must look before it writes, and say so. Where
   * nobody knows yet, the store finds out before it first sends one, and looks itself if it has to.
   */
  readonly conditionalPut: boolean
  readonly conditionalComplete: boolean
  /** Whether a part may be sent as a stream with a checksum behind it (aws-chunked). */
  readonly trailers: boolean
}
