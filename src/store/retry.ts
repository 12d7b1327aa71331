import { createHash } from "node:crypto"
import { NotFoundError, PreconditionError, S3epError, UnavailableError } from "../errors.ts"
import { getAgain } from "./retry-get.ts"
import { listedAgain } from "./retry-list.ts"
import { Again, type RetryDependencies, storePolicy } from "./retry-loop.ts"
import type {
  CopyOptions,
  CopySource,
  ObjectAddress,
  ObjectStore,
  PartOptions,
  PutOptions,
  StoredObject,
} from "./store.ts"

export { Again, type RetryDependencies, type RetryEvent, type RetryPolicy } from "./retry-loop.ts"

/**
 * A store that sends a request again when that may help, with the bytes it has. Waits are drawn at random up to a
 * limit that doubles ("full jitter", AWS Architecture Blog, "Exponential Backoff and Jitter"); a broken connection is
 * tried again at once the first time.
 *
 * Not sent again: streamed parts, which only their maker can start over; and a Complete that was not answered,
 * which may have taken effect: the caller has to look.
 *
 * @throws {UnavailableError} naming the attempts, once they are used up; {ContradictionError} if the answers made no
 * sense.
 */
export function withRetry(store: ObjectStore, dependencies: RetryDependencies): ObjectStore {
  const again = new Again({ ...storePolicy, ...dependencies.policy }, dependencies)
  const wrapped: ObjectStore = {
    endpoint: store.endpoint,
    limits: (bucket, options) =>
      again.run(`ask s3://${bucket}`, options?.signal, () => store.limits(bucket, options)),
    head: (address, options) =>
      again.run(`look at ${name(address)}`, options?.signal, () => store.head(address, options)),
    get: (address, options) => getAgain(store, again, address, options),
    put: (address, body, options) => putAgain(store, again, address, body, options),
    putStream: (address, body, options) =>
      store.putStream(address, body, { ...options, through: options.through ?? wrapped }),
    copy: (source, target, options) => copyAgain(store, again, source, target, options),
    delete: (address, options) =>
      again.run(`delete ${name(address)}`, options?.signal, () => store.delete(address, options)),
    list: (bucket, options) => listedAgain.objects(store, again, bucket, options),
    listVersions: (bucket, options) => listedAgain.versions(store, again, bucket, options),
    getTags: (address, options) =>
      again.run(`read the tags of ${name(address)}`, options?.signal, () => store.getTags(address, options)),
    putTags: (address, tags, options) =>
      again.run(`tag ${name(address)}`, options?.signal, () => store.putTags(address, tags, options)),
    getAcl: (address, options) =>
      again.run(`read the ACL of ${name(address)}`, options?.signal, () => store.getAcl(address, options)),
    putAcl: (address, acl, options) =>
      again.run(`set the ACL of ${name(address)}`, options?.signal, () =>
        store.putAcl(address, acl, options),
      ),
    hasAcls: (bucket, options) =>
      again.run(`ask s3://${bucket}`, options?.signal, () => store.hasAcls(bucket, options)),
    partSizes: (address, info, options) =>
      again.run(`look at the parts of ${name(address)}`, options?.signal, () =>
        store.partSizes(address, info, options),
      ),
    createUpload(address, options) {
      let failure: UnavailableError | undefined
      return again.run(`start an upload of ${name(address)}`, options.signal, async () => {
        if (failure) await options.onRepeat?.(failure)
        return await store.createUpload(address, options).catch((error: unknown) => {
          if (error instanceof UnavailableError) failure = error
          throw error
        })
      })
    },
    uploadPart(address, uploadId, partNumber, body, options) {
      if (!(body instanceof Uint8Array)) return store.uploadPart(address, uploadId, partNumber, body, options)
      const what = `upload part ${partNumber} of ${name(address)}`
      const { takeBack, ...counted } = countedSending(options)
      return again.run(what, options.signal, (attempt) => {
        if (attempt > 1) takeBack()
        return store.uploadPart(address, uploadId, partNumber, body, counted)
      })
    },
    uploadPartCopy: (source, address, uploadId, partNumber, options) =>
      again.run(`copy part ${partNumber} of ${name(address)}`, options.signal, () =>
        store.uploadPartCopy(source, address, uploadId, partNumber, options),
      ),
    listParts: (address, uploadId, options) => listedAgain.parts(store, again, address, uploadId, options),
    completeUpload: (address, uploadId, parts, options) =>
      again.run(
        `complete the upload of ${name(address)}`,
        options.signal,
        () => store.completeUpload(address, uploadId, parts, options),
        (error) => error.transient === "throttled" || error.transient === "credentials",
      ),
    abortUpload: (address, uploadId, options) =>
      again.run(`abort the upload of ${name(address)}`, options?.signal, async (attempt) => {
        await store.abortUpload(address, uploadId, options).catch((error: unknown) => {
          // An earlier attempt may have done it, its answer lost.
          if (attempt === 1 || !(error instanceof NotFoundError && error.what === "upload")) throw error
        })
      }),
    listUploads: (bucket, options) => listedAgain.uploads(store, again, bucket, options),
    close: () => store.close(),
  }
  return wrapped
}

/** A condition that fails on a second attempt may have been met by the first, whose answer was lost: look. */
async function putAgain(
  store: ObjectStore,
  again: Again,
  address: ObjectAddress,
  body: Uint8Array,
  options: PutOptions,
): Promise<StoredObject> {
  return again.run(`write ${name(address)}`, options.signal, async (attempt) => {
    try {
      return await store.put(address, body, options)
    } catch (error) {
      if (attempt === 1 || !(error instanceof PreconditionError)) throw error
      const stored = await ownObject(store, address, body, options)
      if (stored) return stored
      throw error
    }
  })
}

/**
 * The first attempt may have copied, its answer lost: copying again would fail its condition, or make a version more.
 * What it would have made is told by its metadata.
 */
async function copyAgain(
  store: ObjectStore,
  again: Again,
  source: CopySource,
  target: ObjectAddress,
  options: CopyOptions,
): Promise<StoredObject> {
  const { settings, signal, requesterPays } = options
  const customerKey = settings.encryption?.kind === "sse-c" ? settings.encryption.key : undefined
  return again.run(`copy to ${name(target)}`, signal, async (attempt) => {
    if (attempt > 1) {
      const info = await store.head(target, { signal, requesterPays, customerKey }).catch(notFound)
      if (info && sameMetadata(info.metadata, settings.metadata)) {
        return { etag: info.etag, versionId: info.versionId }
      }
    }
    return store.copy(source, target, options)
  })
}

function notFound(error: unknown): null {
  if (error instanceof NotFoundError) return null
  throw error
}

function sameMetadata(
  found: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  const names = Object.keys(wanted)
  return names.length > 0 && names.every((each) => found[each] === wanted[each])
}

async function ownObject(
  store: ObjectStore,
  address: ObjectAddress,
  body: Uint8Array,
  { settings, signal, requesterPays }: PutOptions,
): Promise<StoredObject | null> {
  const customerKey = settings.encryption?.kind === "sse-c" ? settings.encryption.key : undefined
  const info = await store.head(address, { signal, requesterPays, customerKey }).catch((error: unknown) => {
    if (error instanceof S3epError && !(error instanceof UnavailableError)) return null
    throw error
  })
  if (info?.bytes !== body.length) return null
  // Where the ETag is no MD5, metadata tells: an envelope's wrapped DEK is in no other object.
  const sameBytes = info.etag === createHash("md5").update(body).digest("hex")
  return sameBytes || sameMetadata(info.metadata, settings.metadata)
    ? { etag: info.etag, versionId: info.versionId }
    : null
}

function countedSending(options: PartOptions): PartOptions & { takeBack: () => void } {
  const { onSent } = options
  if (!onSent) return { ...options, takeBack: () => undefined }
  let sent = 0
  return {
    ...options,
    onSent(bytes) {
      sent += bytes
      onSent(bytes)
    },
    takeBack() {
      if (sent !== 0) onSent(-sent)
      sent = 0
    },
  }
}

function name({ bucket, key }: ObjectAddress): string {
  return `s3://${bucket}/${key}`
}
