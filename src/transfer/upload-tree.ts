import { NotFoundError, S3epError, UsageError } from "../errors.ts"
import type { ObjectAddress } from "../store/store.ts"
import { AdaptiveLimit } from "./adaptive-limit.ts"
import { forEachConcurrent } from "./concurrent.ts"
import type { TransferContext } from "./context.ts"
import { isForWantOfWriters } from "./keks.ts"
import { settleCreations } from "./late-creations.ts"
import { LeftBehind } from "./left-behind.ts"
import { objectUri } from "./naming.ts"
import { PartMemory } from "./part-memory.ts"
import { BUFFER_BUDGET_BYTES } from "./plan.ts"
import { type ScanEntry, type ScanOptions, scanTree, statOrThrow } from "./scan.ts"
import { uploadFile } from "./upload.ts"
import type { UploadOptions, UploadResult } from "./upload-request.ts"

/** At once at first, and at most: what they hold of the files is within one budget however many they are. */
const FILES_AT_FIRST = 16
const FILES_AT_MOST = 64
const MAX_KEY_BYTES = 1024

/** Why a file is skipped that needs no notice. */
export const STORED_ALREADY = "it is stored already"

export interface UploadTreeRequest
  extends Omit<UploadOptions, "address" | "item" | "concurrency">,
    Pick<ScanOptions, "include" | "exclude" | "symlinks"> {
  readonly root: string
  readonly bucket: string
  /** What the keys begin with; a missing "/" at its end is added, unless it is empty. */
  readonly prefix: string
  /** Leaves alone the files whose key is in the bucket's listing. */
  readonly skipExisting?: boolean | undefined
  /** Says what would be done. */
  readonly dryRun?: boolean | undefined
  /** Files at once; found out if not given. */
  readonly concurrency?: number | undefined
  /** Parts at once of each file. */
  readonly partConcurrency?: number | undefined
  readonly resume?: boolean | undefined
  /** Instead of `uploadFile`: how each file becomes an object. */
  readonly upload?: typeof uploadFile | undefined
  /** Called when a file is done with, in no order. */
  readonly onItem?: ((result: UploadTreeItem) => void) | undefined
}

export interface UploadTreeItem {
  /** The local path. */
  readonly path: string
  readonly address: ObjectAddress
  /** `planned` is what a dry run would put. */
  readonly outcome: "done" | "skipped" | "planned" | "failed"
  /** Why it was skipped. */
  readonly why: string | null
  /** Plaintext; 0 of what was not put. */
  readonly bytes: number
  readonly result: UploadResult | null
  readonly error: S3epError | null
}

/** Counts of files; `done` counts those a dry run would put. */
export interface UploadTreeResult {
  readonly done: number
  readonly skipped: number
  readonly failed: readonly { readonly item: string; readonly error: S3epError }[]
  /** Plaintext that was put, or would be. */
  readonly bytes: number
}

/**
 * Put all files of a tree below a prefix, several at once and within one memory budget. What fails is collected and
 * does not stop the others.
 *
 * @throws {NotFoundError} if there is no such bucket; {KeyMissingError} if there is no key to write with; {LocalIoError} if the root is no readable directory; the
 * signal's reason when interrupted.
 */
export async function uploadTree(
  context: TransferContext,
  request: UploadTreeRequest,
): Promise<UploadTreeResult> {
  const { signal } = context
  const { bucket, requesterPays } = request
  // A bucket that is not there is one failure, not one for each file.
  await context.store.limits(bucket, { signal, requesterPays })
  if (!request.dryRun) await settleCreations(context)
  const memory = new PartMemory(BUFFER_BUDGET_BYTES)
  const left = await LeftBehind.ofUploads(context)
  const failed: { item: string; error: S3epError }[] = []
  let [done, skipped, bytes] = [0, 0, 0]
  const settle = (item: UploadTreeItem): void => {
    if (item.error) failed.push({ item: item.path, error: item.error })
    else if (item.outcome === "skipped") skipped++
    else done++
    bytes += item.bytes
    request.onItem?.(item)
  }
  const { concurrency } = request
  const limit = new AdaptiveLimit(concurrency ?? FILES_AT_FIRST, concurrency ?? FILES_AT_MOST)
  const work = async (candidate: Candidate, workSignal: AbortSignal): Promise<void> => {
    const isKept = candidate.exists && !request.dryRun
    if (isKept) await left.forgetUpload({ ...request, address: candidate.address })
    const item = await settleOne({ ...context, signal: workSignal }, request, candidate, memory, left)
    limit.finished(item.bytes)
    settle(item)
  }
  await forEachConcurrent(candidates(context, request), limit, work, { signal })
  return { done, skipped, failed, bytes }
}

/** An entry of the tree, its key, and whether the bucket has that already. */
interface Candidate {
  readonly entry: ScanEntry
  readonly address: ObjectAddress
  readonly exists: boolean
}

async function settleOne(
  context: TransferContext,
  request: UploadTreeRequest,
  { entry, address, exists }: Candidate,
  memory: PartMemory,
  left: LeftBehind,
): Promise<UploadTreeItem> {
  const item = { path: entry.path, address, why: null, bytes: 0, result: null, error: null }
  if (entry.kind === "failed") return { ...item, outcome: "failed", error: entry.error }
  if (entry.kind === "skipped") {
    const message = `${entry.path} is left out: ${entry.why}`
    context.onProgress({ type: "notice", message })
    return { ...item, outcome: "skipped", why: entry.why }
  }
  if (exists) return { ...item, outcome: "skipped", why: STORED_ALREADY }
  try {
    checkKey(address)
    if (request.dryRun) return { ...item, outcome: "planned", bytes: (await statOrThrow(entry.path)).size }
    const { partConcurrency, upload = uploadFile, ...wishes } = request
    const result = await upload(
      context,
      { ...wishes, path: entry.path, address, item: entry.relative, concurrency: partConcurrency, left },
      memory,
    )
    return { ...item, outcome: "done", bytes: result.bytes, result }
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof S3epError) || failsAll(context, error)) throw error
    return { ...item, outcome: "failed", error }
  }
}

// Tree and listing come in one order, so one pass over both tells what is there, in no memory.
async function* candidates(
  context: TransferContext,
  request: UploadTreeRequest,
): AsyncGenerator<Candidate, void, undefined> {
  const { signal } = context
  const { bucket, requesterPays } = request
  const prefix = request.prefix === "" || request.prefix.endsWith("/") ? request.prefix : `${request.prefix}/`
  const listing = request.skipExisting
    ? context.store.list(bucket, { prefix, signal, requesterPays })[Symbol.asyncIterator]()
    : null
  try {
    let listed = await listing?.next()
    for await (const entry of scanTree(request.root, { ...request, signal })) {
      const key = `${prefix}${entry.relative}`
      while (listed && !listed.done && inByteOrder(listed.value.key, key) < 0) listed = await listing?.next()
      const exists = listed !== undefined && !listed.done && listed.value.key === key
      yield { entry, address: { bucket, key }, exists }
    }
  } finally {
    await listing?.return?.()
  }
}

/** What would fail every other file, too, is one failure and not thousands. */
function failsAll(context: TransferContext, error: S3epError): boolean {
  return error instanceof NotFoundError ? error.what === "bucket" : isForWantOfWriters(context, error)
}

function checkKey(address: ObjectAddress): void {
  const bytes = Buffer.byteLength(address.key)
  if (bytes <= MAX_KEY_BYTES) return
  throw new UsageError(`${objectUri(address)} has a key of ${bytes} bytes, and ${MAX_KEY_BYTES} is the most`)
}

function inByteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
