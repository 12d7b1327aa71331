import { UnavailableError } from "../errors.ts"
import type { Again } from "./retry-loop.ts"
import type {
  CallOptions,
  ListedObject,
  ListedPart,
  ListedUpload,
  ListedVersion,
  ListOptions,
  ObjectAddress,
  ObjectStore,
  ReadOptions,
} from "./store.ts"

// A listing that breaks off is asked for again, from where it broke off if it can be; what was given is not repeated.

async function* objects(
  store: ObjectStore,
  again: Again,
  bucket: string,
  options: ListOptions = {},
): AsyncGenerator<ListedObject> {
  const follows = (entry: ListedObject, last: ListedObject | undefined) =>
    last === undefined || Buffer.compare(Buffer.from(entry.key), Buffer.from(last.key)) > 0
  const from = (last: ListedObject | undefined) =>
    store.list(bucket, last === undefined ? options : { ...options, startAfter: last.key })
  yield* resumed(again, `list s3://${bucket}`, options.signal, from, follows)
}

async function* parts(
  store: ObjectStore,
  again: Again,
  address: ObjectAddress,
  uploadId: string,
  options: ReadOptions = {},
): AsyncGenerator<ListedPart> {
  const what = `list the parts of s3://${address.bucket}/${address.key}`
  const follows = (part: ListedPart, last: ListedPart | undefined) =>
    part.partNumber > (last?.partNumber ?? 0)
  yield* resumed(again, what, options.signal, () => store.listParts(address, uploadId, options), follows)
}

async function* uploads(
  store: ObjectStore,
  again: Again,
  bucket: string,
  options: { prefix?: string } & CallOptions = {},
): AsyncGenerator<ListedUpload> {
  const given = new Set<string>()
  // Uploads of one key come in no order that could be continued from.
  const follows = ({ uploadId }: ListedUpload) => {
    const first = !given.has(uploadId)
    given.add(uploadId)
    return first
  }
  const what = `list the uploads of s3://${bucket}`
  yield* resumed(again, what, options.signal, () => store.listUploads(bucket, options), follows)
}

async function* versions(
  store: ObjectStore,
  again: Again,
  bucket: string,
  options: { prefix?: string } & CallOptions = {},
): AsyncGenerator<ListedVersion> {
  // Of the last key: asked again, a listing begins anew, and versions of one key come in no order to go on from.
  const given = new Set<string>()
  const follows = ({ key, versionId }: ListedVersion, last: ListedVersion | undefined) => {
    const order = last === undefined ? 1 : Buffer.compare(Buffer.from(key), Buffer.from(last.key))
    if (order < 0 || (order === 0 && given.has(versionId))) return false
    if (order > 0) given.clear()
    given.add(versionId)
    return true
  }
  const what = `list the versions in s3://${bucket}`
  yield* resumed(again, what, options.signal, () => store.listVersions(bucket, options), follows)
}

async function* resumed<T>(
  again: Again,
  what: string,
  signal: AbortSignal | undefined,
  from: (last: T | undefined) => AsyncIterable<T>,
  follows: (item: T, last: T | undefined) => boolean,
): AsyncGenerator<T> {
  let last: T | undefined
  for (let failures = again.failures(what, signal); ; ) {
    try {
      for await (const item of from(last)) {
        if (!follows(item, last)) continue
        last = item
        failures = again.failures(what, signal)
        yield item
      }
      return
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error
      await failures.wait(error)
    }
  }
}

export const listedAgain = { objects, parts, uploads, versions }
