import { readdir, stat } from "node:fs/promises"
import { layoutOfPlaintext, placeOfSegment } from "../agcm/layout.ts"
import { DeniedError, NotFoundError, UnsupportedError, UsageError } from "../errors.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import type { ListedUpload, ObjectAddress } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { journalPath, lockPath, uploadsDirectory } from "./journal.ts"
import { type JournalHead, loadJournal, type PartLine } from "./journal-lines.ts"
import { lockHolder } from "./lock.ts"

/** A multipart upload that nobody has completed or aborted yet. */
export interface UnfinishedUpload {
  /** The journal's id; the upload id where there is no journal. */
  readonly id: string
  /** Null for a journal whose first line is damaged, or which a newer s3ep wrote. */
  readonly address: ObjectAddress | null
  readonly uploadId: string | null
  /** When something was last done for it, as far as anybody knows. */
  readonly lastActive: Date | undefined
  /** What this machine knows of it; null without a journal. */
  readonly local: LocalUpload | null
  /** What the store holds; null if it was not asked, or does not know it. */
  readonly remote: {
    readonly bytes: number
    readonly parts: number
    readonly initiated: Date | undefined
  } | null
}

export interface LocalUpload {
  readonly endpoint: string | null
  /** The file being uploaded. */
  readonly path: string | null
  /** `running`: a living process is at it. */
  readonly state: "resumable" | "running" | "damaged" | "newer"
  /** Of the file. */
  readonly plaintextBytes: number
  /** Of those, in finished parts. */
  readonly doneBytes: number
  readonly parts: number
  readonly doneParts: number
  /** Stored bytes of the finished parts. */
  readonly storedBytes: number
}

/**
 * Unfinished uploads: those this machine has a journal of, then those that only the store knows.
 *
 * @param buckets - to ask about; those of the journals of this endpoint if not given, none if empty.
 * @throws {NotFoundError} if a bucket that was named is not there. A bucket nobody named that cannot be asked is a
 * notice.
 */
export async function listUploads(
  context: TransferContext,
  {
    buckets,
    requesterPays,
  }: { buckets?: readonly string[] | undefined; requesterPays?: boolean | undefined } = {},
): Promise<UnfinishedUpload[]> {
  const locals = await listLocal(context)
  const here = locals.filter(({ local }) => local?.endpoint === context.store.endpoint)
  const own = new Set(here.flatMap(({ address }) => (address ? [address.bucket] : [])))
  const remotes = new Map<string, UnfinishedUpload>()
  for (const bucket of new Set(buckets ?? own)) {
    try {
      for await (const upload of context.store.listUploads(bucket, {
        signal: context.signal,
        requesterPays,
      })) {
        const found = await describeRemote(context, upload, requesterPays)
        if (found) remotes.set(upload.uploadId, found)
      }
    } catch (error) {
      if (buckets || !mayGoWithout(error)) throw error
      const message = `cannot list the unfinished uploads of s3://${bucket}: ${error.message}`
      context.onProgress({ type: "notice", message, hint: error.hint })
    }
  }
  const merged = locals.map((upload) => {
    const known = here.includes(upload) && upload.uploadId !== null ? remotes.get(upload.uploadId) : undefined
    if (!known) return upload
    remotes.delete(known.id)
    return { ...upload, remote: known.remote }
  })
  return [...merged, ...remotes.values()]
}

/** The journals of this machine, by id, without asking any store. */
export async function listLocal(context: TransferContext): Promise<UnfinishedUpload[]> {
  const found: UnfinishedUpload[] = []
  for (const name of await journalNames(context.stateDirectory)) {
    context.signal.throwIfAborted()
    const upload = await describeLocal(context.stateDirectory, name.slice(0, -".jsonl".length))
    if (upload) found.push(upload)
  }
  return found
}

async function describeLocal(stateDirectory: string, id: string): Promise<UnfinishedUpload | null> {
  const path = journalPath(stateDirectory, id)
  const lastActive = await modified(path)
  const running = (await lockHolder(lockPath(stateDirectory, id))) !== null
  let journal: Awaited<ReturnType<typeof loadJournal>>
  try {
    journal = await loadJournal(path)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return withoutHead(id, lastActive, "newer")
  }
  if (!journal || lastActive === null) return null // finished meanwhile
  if (!journal.head) return withoutHead(id, lastActive, "damaged")
  const { head } = journal
  const parts = journal.state === "whole" ? journal.parts : new Map<number, PartLine>()
  const state = journal.state === "damaged" ? "damaged" : running ? "running" : "resumable"
  return {
    id,
    address: { bucket: head.bucket, key: head.key },
    uploadId: head.uploadId,
    lastActive,
    local: { endpoint: head.endpoint, path: head.source.path, state, ...progressOf(head, parts) },
    remote: null,
  }
}

/** How far an upload is, by its journal. */
export function progressOf(
  head: JournalHead,
  done: ReadonlyMap<number, PartLine>,
): Pick<LocalUpload, "plaintextBytes" | "doneBytes" | "parts" | "doneParts" | "storedBytes"> {
  const layout = layoutOfPlaintext(head.plaintextBytes, head.geometry)
  let [doneBytes, storedBytes] = [0, 0]
  for (const { part, bytes } of done.values()) {
    doneBytes += placeOfSegment(layout, part - 1).plaintextBytes
    storedBytes += bytes
  }
  const { plaintextBytes, segments } = layout
  return { plaintextBytes, doneBytes, parts: segments, doneParts: done.size, storedBytes }
}

function withoutHead(id: string, lastActive: Date | null, state: "damaged" | "newer"): UnfinishedUpload {
  const nothing = { plaintextBytes: 0, doneBytes: 0, parts: 0, doneParts: 0, storedBytes: 0 }
  const local = { endpoint: null, path: null, state, ...nothing }
  return { id, address: null, uploadId: null, lastActive: lastActive ?? undefined, local, remote: null }
}

async function describeRemote(
  { store, signal }: TransferContext,
  { address, uploadId, initiated }: ListedUpload,
  requesterPays: boolean | undefined,
): Promise<UnfinishedUpload | null> {
  let [bytes, parts] = [0, 0]
  let lastActive = initiated
  try {
    for await (const part of store.listParts(address, uploadId, { signal, requesterPays })) {
      bytes += part.bytes
      parts++
      if (part.lastModified && (!lastActive || part.lastModified > lastActive)) lastActive = part.lastModified
    }
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "upload") return null // finished meanwhile
    throw error
  }
  return { id: uploadId, address, uploadId, lastActive, local: null, remote: { bytes, parts, initiated } }
}

/** The files of the journals of uploads, by id. */
export async function journalNames(stateDirectory: string): Promise<string[]> {
  try {
    const names = await readdir(uploadsDirectory(stateDirectory))
    return names.filter((name) => /^[0-9a-f]{16}\.jsonl$/.test(name)).sort()
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return []
    throw localError("read", uploadsDirectory(stateDirectory), error)
  }
}

async function modified(path: string): Promise<Date | null> {
  try {
    return (await stat(path)).mtime
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null
    throw localError("read", path, error)
  }
}

function mayGoWithout(error: unknown): error is DeniedError | NotFoundError | UnsupportedError {
  return error instanceof DeniedError || error instanceof NotFoundError || error instanceof UnsupportedError
}
