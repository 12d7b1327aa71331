/**
 * The library: what other programs may import. Everything here keeps its name and meaning within a major version.
 *
 * Keys come from `openKeySet`, or are made with `aesKek`, `passphraseKek` and `kekOf`; a store is made with `createS3Store`
 * and wrapped in `withRetry`; both go into a `TransferContext`, which every transfer takes. The keyrings of a bucket are
 * looked at if it has `Keyrings`, and not otherwise.
 */

export type { Finding as FormatFinding, Verdict } from "./compat/format.ts"
export { proxyAesKey, proxyRsaKey } from "./compat/s3-encryption-proxy-providers.ts"
export type { ProxyKey } from "./compat/s3-encryption-proxy-writer.ts"
export type { RawKey } from "./crypto/raw-key.ts"
export { type RandomSource, SecretBytes } from "./crypto/secret.ts"
export type { PrivateMetadata } from "./envelope/private-metadata.ts"
export {
  DeniedError,
  IntegrityError,
  InterruptedError,
  KeyMissingError,
  LocalIoError,
  NotFoundError,
  PartialError,
  PreconditionError,
  S3epError,
  type S3epErrorOptions,
  type TransientCause,
  UnavailableError,
  UnsupportedError,
  UsageError,
} from "./errors.ts"
export {
  changeKeyring,
  commitChange,
  newEpoch,
  newKeyring,
  openTrusted,
  trustKeyring,
} from "./keyring/admin.ts"
export type { KeyringChange, NewRecipient, PublicKek } from "./keyring/change.ts"
export type { KeyringContext, KeyringNotice, KeyringOptions } from "./keyring/context.ts"
export { diffKeyrings, type EpochChange, type KeyringDiff } from "./keyring/diff.ts"
export type { Epoch, EpochState, Keyring, KeyringRecipient, SealedKeyring } from "./keyring/keyring.ts"
export { Keyrings, type KeyringsOptions } from "./keyring/keyrings.ts"
export { fetchKeyring, type StoredKeyring } from "./keyring/object.ts"
export type { OpenKeyring } from "./keyring/open.ts"
export { type KeyringPlace, keyringAddress, keyringPlace } from "./keyring/place.ts"
export { listSeenKeyrings, type SeenKeyring } from "./keyring/seen.ts"
export { aesFingerprint, aesKek } from "./keys/aes.ts"
export {
  type BrokenKey,
  KeyDirectory,
  type KeyPlace,
  type KeyToKeep,
  type NamedKey,
} from "./keys/directory.ts"
export type { Kek, KekState, KeySet, Recipient } from "./keys/kek.ts"
export { type Keychain, openKeychain } from "./keys/keychain.ts"
export {
  type KeySetRequest,
  type KeySources,
  type OpenKeys,
  openKeySet,
  openKeys,
} from "./keys/keyset.ts"
export { kekOf, parseKeys } from "./keys/kinds.ts"
export type { KeyMaterial } from "./keys/material.ts"
export { passphraseKek } from "./keys/passphrase.ts"
export { systemRandom } from "./keys/random.ts"
export {
  type MigrateRequest,
  type MigrateResult,
  type MigrationItem,
  migrate,
} from "./rotation/migrate.ts"
export { planRotation } from "./rotation/plan.ts"
export type { RotationPlan } from "./rotation/prices.ts"
export { type Finding, type OldVersion, oldVersions, proveRotation } from "./rotation/prove.ts"
export type { Move, Obstacle, Outcome, RotationRequest, Target } from "./rotation/request.ts"
export { type RotationResult, rotate } from "./rotation/rotate.ts"
export { type RetryDependencies, type RetryEvent, type RetryPolicy, withRetry } from "./store/retry.ts"
export { createS3Store, type S3StoreOptions } from "./store/s3.ts"
export type * from "./store/store.ts"
export type {
  Clock,
  ObjectKeyrings,
  ProgressEvent,
  ReadingOptions,
  TransferContext,
} from "./transfer/context.ts"
export { type DownloadRequest, type DownloadResult, downloadFile } from "./transfer/download.ts"
export { downloadStream, type StreamRequest as DownloadStreamRequest } from "./transfer/download-stream.ts"
export {
  type DownloadTreeItem,
  type DownloadTreeRequest,
  type DownloadTreeResult,
  downloadTree,
} from "./transfer/download-tree.ts"
export {
  type ForeignOutline,
  type Inspection,
  inspectObject,
  type NativeOutline,
  NotEncryptedError,
  type ObjectFormat,
} from "./transfer/inspect.ts"
export { type Listed, type ListRequest, listObjects } from "./transfer/list.ts"
export {
  type DecryptOptions,
  decryptFile,
  decryptStream,
  type EncryptOptions,
  encryptFile,
  encryptStream,
  type FormerObject,
  type LocalContext,
  type LocalRequest,
  type LocalResult,
} from "./transfer/local.ts"
export { uploadFile } from "./transfer/upload.ts"
export { uploadForProxy, uploadStreamForProxy } from "./transfer/upload-proxy.ts"
export type { UploadOptions, UploadRequest, UploadResult } from "./transfer/upload-request.ts"
export { type StreamRequest as UploadStreamRequest, uploadStream } from "./transfer/upload-stream.ts"
export {
  type UploadTreeItem,
  type UploadTreeRequest,
  type UploadTreeResult,
  uploadTree,
} from "./transfer/upload-tree.ts"
export {
  abortUpload,
  type CleanResult,
  cleanUploads,
  type LocalUpload,
  listUploads,
  resumeUpload,
  type UnfinishedUpload,
} from "./transfer/uploads.ts"
export { type VerifyRequest, type VerifyResult, verifyObject } from "./transfer/verify.ts"
