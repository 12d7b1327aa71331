import { S3Conditions } from "./s3-conditions.ts"
import { copyObject, uploadPartCopy } from "./s3-copy.ts"
import { S3Dialect } from "./s3-dialect.ts"
import { listObjects, listParts, listUploads, listVersions } from "./s3-list.ts"
import { getObject, headObject } from "./s3-read.ts"
import { S3Session, type S3StoreOptions } from "./s3-session.ts"
import { putStream } from "./s3-stream.ts"
import { getAcl, getTags, hasAcls, partSizes, putAcl, putTags } from "./s3-subresources.ts"
import { abortUpload, completeUpload, createUpload, uploadPart } from "./s3-uploads.ts"
import { deleteObject, putObject } from "./s3-write.ts"
import type { ObjectStore } from "./store.ts"

export type { S3StoreOptions } from "./s3-session.ts"

/**
 * An object store behind an S3 endpoint, through the AWS SDK. Nothing is sent, and no credentials are looked for,
 * before the first call. Nothing is retried either: see `withRetry`.
 */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  const session = new S3Session(options)
  const dialect = new S3Dialect(session)
  const now = options.now ?? Date.now
  const context = { session, dialect, conditions: new S3Conditions(session, dialect) }
  const store: ObjectStore = {
    endpoint: session.endpoint,
    limits: (bucket, call) => dialect.limits(bucket, call),
    head: (address, call) => headObject(session, address, call),
    get: (address, call) => getObject(session, address, call),
    put: (address, body, call) => putObject(context, address, body, call),
    putStream: (address, body, call) => putStream(call.through ?? store, address, body, call, now),
    copy: (source, target, call) => copyObject(context, source, target, call),
    delete: (address, call) => deleteObject(context, address, call),
    list: (bucket, call) => listObjects(session, bucket, call),
    listVersions: (bucket, call) => listVersions(session, bucket, call),
    getTags: (address, call) => getTags(session, address, call),
    putTags: (address, tags, call) => putTags(context, address, tags, call),
    getAcl: (address, call) => getAcl(session, address, call),
    putAcl: (address, acl, call) => putAcl(context, address, acl, call),
    hasAcls: (bucket, call) => hasAcls(session, bucket, call),
    partSizes: (address, info, call) => partSizes(session, address, info, call),
    createUpload: (address, call) => createUpload(context, address, call),
    uploadPart: (address, uploadId, partNumber, body, call) =>
      uploadPart(context, address, uploadId, partNumber, body, call),
    uploadPartCopy: (source, address, uploadId, partNumber, call) =>
      uploadPartCopy(context, source, address, uploadId, partNumber, call),
    listParts: (address, uploadId, call) => listParts(session, address, uploadId, call),
    completeUpload: (address, uploadId, parts, call) =>
      completeUpload(context, address, uploadId, parts, call),
    abortUpload: (address, uploadId, call) => abortUpload(context, address, uploadId, call),
    listUploads: (bucket, call) => listUploads(session, bucket, call),
    close: () => session.close(),
  }
  return store
}
