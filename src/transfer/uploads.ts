import { NotFoundError, PreconditionError, S3epError, UsageError } from "../errors.ts"
import type { CustomerKey } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { journalPath, lockPath, removeJournal } from "./journal.ts"
import { type JournalHead, loadJournal } from "./journal-lines.ts"
import { settleCreations } from "./late-creations.ts"
import { acquireLock } from "./lock.ts"
import { objectUri } from "./naming.ts"
import type { PartMemory } from "./part-memory.ts"
import { restoreSettings } from "./stored-settings.ts"
import { listLocal, listUploads, type UnfinishedUpload } from "./unfinished.ts"
import { uploadFile } from "./upload.ts"
import type { UploadResult } from "./upload-request.ts"

export { type LocalUpload, listUploads, type UnfinishedUpload } from "./unfinished.ts"

/**
 * Go on with an upload this machine has a journal of.
 *
 * @param options.customerKey - needed if the upload was begun with one: it is kept nowhere.
 * @throws {NotFoundError} with `what: "upload"` if there is no such journal; {UsageError} if it cannot be gone on
 * with here; as `uploadFile` otherwise.
 */
export async function resumeUpload(
  context: TransferContext,
  id: string,
  options: {
    readonly customerKey?: CustomerKey | undefined
    readonly concurrency?: number | undefined
    readonly item?: string | undefined
    readonly memory?: PartMemory | undefined
  } = {},
): Promise<UploadResult> {
  const head = await headOf(context, id)
  if (!head) {
    throw new UsageError(`the journal of upload ${id} is damaged`, {
      hint: `run the command that began it again, or remove it with \`s3ep mp-upload abort ${id}\``,
    })
  }
  checkEndpoint(context, id, head)
  const { bucket, key, source, conditions, checksum, requesterPays } = head
  const address = { bucket, key }
  const settings = restoreSettings(head.settings, options.customerKey)
  if (!settings) {
    throw new UsageError(`the upload of ${objectUri(address)} needs the customer's key it began with`)
  }
  const { concurrency, item, memory } = options
  return uploadFile(
    context,
    {
      path: source.path,
      address,
      settings,
      conditions,
      checksum,
      requesterPays,
      concurrency,
      item,
      multipart: true,
      keepRecipients: true,
    },
    memory,
  )
}

/**
 * Give an upload up: the store drops its parts, and the journal is removed. One that is gone already is fine.
 *
 * @param target - the id of a journal, or an upload as `listUploads` found it.
 * @throws {NotFoundError} with `what: "upload"` if there is no such journal; {PreconditionError} if a process is at it.
 */
export async function abortUpload(
  context: TransferContext,
  target: string | UnfinishedUpload,
): Promise<void> {
  const id = typeof target === "string" ? target : target.id
  if (typeof target !== "string" && !target.local) return abortRemote(context, target)
  await using _lock = await acquireLock(lockPath(context.stateDirectory, id), `upload ${id}`, context.random)
  const head = await headOf(context, id)
  if (head) {
    checkEndpoint(context, id, head)
    const { bucket, key, uploadId, requesterPays } = head
    await abortIfAny(context, { address: { bucket, key }, uploadId, requesterPays })
  }
  await removeJournal(journalPath(context.stateDirectory, id))
}

/** What `cleanUploads` did, or would do. */
export interface CleanResult {
  readonly removed: readonly UnfinishedUpload[]
  readonly kept: readonly { readonly upload: UnfinishedUpload; readonly why: string }[]
  readonly failed: readonly { readonly upload: UnfinishedUpload; readonly error: S3epError }[]
  /** Stored bytes that were freed. */
  readonly bytes: number
}

/**
 * Give up the uploads nobody has done anything for in a while. What fails does not stop the others.
 *
 * @param request.buckets - as for `listUploads`.
 */
export async function cleanUploads(
  context: TransferContext,
  request: {
    readonly olderThanMs: number
    readonly buckets?: readonly string[] | undefined
    readonly dryRun?: boolean | undefined
    readonly requesterPays?: boolean | undefined
  },
): Promise<CleanResult> {
  const removed: UnfinishedUpload[] = []
  const kept: { upload: UnfinishedUpload; why: string }[] = []
  const failed: { upload: UnfinishedUpload; error: S3epError }[] = []
  let bytes = 0
  if (!request.dryRun) await settleCreations(context, context.clock.now() - request.olderThanMs)
  for (const upload of await listUploads(context, request)) {
    context.signal.throwIfAborted()
    const why = reasonToKeep(context, upload, request.olderThanMs)
    if (why !== null) {
      kept.push({ upload, why })
      continue
    }
    try {
      if (!request.dryRun) await abortUpload(context, upload)
      removed.push(upload)
      bytes += upload.remote?.bytes ?? 0
    } catch (error) {
      if (!(error instanceof S3epError) || context.signal.aborted) throw error
      failed.push({ upload, error })
    }
  }
  return { removed, kept, failed, bytes }
}

function reasonToKeep(
  context: TransferContext,
  { local, lastActive }: UnfinishedUpload,
  olderThanMs: number,
): string | null {
  if (local?.state === "running") return "a process is at it"
  if (local?.state === "newer") return "a newer s3ep wrote its journal"
  if (local?.endpoint && local.endpoint !== context.store.endpoint)
    return `it is an upload to ${local.endpoint}`
  if (!lastActive) return "nobody says how old it is"
  return context.clock.now() - lastActive.getTime() < olderThanMs ? "it is not that old" : null
}

async function abortRemote(context: TransferContext, { address, uploadId }: UnfinishedUpload): Promise<void> {
  if (!address || uploadId === null) throw new RangeError("an upload without an address")
  // One of ours may have begun between the listing and now: its journal says so.
  const locals = await listLocal(context)
  if (locals.some((upload) => upload.uploadId === uploadId && upload.local?.state === "running")) {
    throw new PreconditionError(`the upload of ${objectUri(address)} is being worked on`)
  }
  await abortIfAny(context, { address, uploadId })
}

async function abortIfAny(
  { store, signal }: TransferContext,
  upload: {
    address: NonNullable<UnfinishedUpload["address"]>
    uploadId: string
    requesterPays?: boolean | undefined
  },
): Promise<void> {
  try {
    const { address, uploadId, requesterPays } = upload
    await store.abortUpload(address, uploadId, { signal, requesterPays })
  } catch (error) {
    if (!(error instanceof NotFoundError && error.what === "upload")) throw error
  }
}

async function headOf({ stateDirectory }: TransferContext, id: string): Promise<JournalHead | null> {
  const journal = await loadJournal(journalPath(stateDirectory, id))
  if (!journal) {
    throw new NotFoundError(`no unfinished upload ${id}`, {
      what: "upload",
      hint: "`s3ep mp-upload list` shows those there are",
    })
  }
  return journal.head
}

function checkEndpoint({ store }: TransferContext, id: string, { endpoint }: JournalHead): void {
  if (endpoint === store.endpoint) return
  throw new UsageError(`upload ${id} is to ${endpoint}, not to ${store.endpoint}`, {
    hint: `use the profile it began with, or --endpoint ${endpoint}`,
  })
}
