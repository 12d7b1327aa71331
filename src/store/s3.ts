import { S3Conditions } from "./s3-conditions.ts"
import { S3Dialect } from "./s3-dialect.ts"
import { listObjects } from "./s3-list.ts"
import { uploadPart } from "./s3-part.ts"
import { getObject, headObject } from "./s3-read.ts"
import { S3Session, type S3StoreOptions } from "./s3-session.ts"
import { putObject } from "./s3-write.ts"
import type { ObjectStore } from "./store.ts"

export type { S3StoreOptions } from "./s3-session.ts"

// With these comes the SDK, which takes longer to load than a small object takes to be sent.
const copying = () => import("./s3-copy.ts")
const subresources = () => import("./s3-subresources.ts")
const uploads = () => import("./s3-uploads.ts")
const uploadListing = () => import("./s3-list-uploads.ts")
const versionListing = () => import("./s3-list-versions.ts")

/**
 * An object store behind an S3 endpoint. Objects and parts are read, written and listed directly where nothing is out of
 * the ordinary, all else through the AWS SDK. Nothing is sent, and no credentials are looked for, before the first call.
 * Nothing is retried either: see `withRetry`.
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
    putStream: async (address, body, call) => {
      const { putStream } = await import("./s3-stream.ts")
      return putStream(call.through ?? store, address, body, call, now)
    },
    copy: async (source, target, call) => (await copying()).copyObject(context, source, target, call),
    delete: async (address, call) => (await import("./s3-delete.ts")).deleteObject(context, address, call),
    list: (bucket, call) => listObjects(session, bucket, call),
    listVersions: (bucket, call) =>
      later(async () => (await versionListing()).listVersions(session, bucket, call)),
    getTags: async (address, call) => (await subresources()).getTags(session, address, call),
    putTags: async (address, tags, call) => (await subresources()).putTags(context, address, tags, call),
    getAcl: async (address, call) => (await subresources()).getAcl(session, address, call),
    putAcl: async (address, acl, call) => (await subresources()).putAcl(context, address, acl, call),
    hasAcls: async (bucket, call) => (await subresources()).hasAcls(session, bucket, call),
    partSizes: async (address, info, call) => (await subresources()).partSizes(session, address, info, call),
    createUpload: async (address, call) => (await uploads()).createUpload(context, address, call),
    uploadPart: (address, uploadId, partNumber, body, call) =>
      uploadPart(context, address, uploadId, partNumber, body, call),
    uploadPartCopy: async (source, address, uploadId, partNumber, call) =>
      (await copying()).uploadPartCopy(context, source, address, uploadId, partNumber, call),
    listParts: (address, uploadId, call) =>
      later(async () => (await uploadListing()).listParts(session, address, uploadId, call)),
    completeUpload: async (address, uploadId, parts, call) =>
      (await uploads()).completeUpload(context, address, uploadId, parts, call),
    abortUpload: async (address, uploadId, call) =>
      (await uploads()).abortUpload(context, address, uploadId, call),
    listUploads: (bucket, call) =>
      later(async () => (await uploadListing()).listUploads(session, bucket, call)),
    close: () => session.close(),
  }
  return store
}

async function* later<T>(start: () => Promise<AsyncIterable<T>>): AsyncGenerator<T, void, undefined> {
  yield* await start()
}
