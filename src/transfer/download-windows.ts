import type { Layout } from "../agcm/layout.ts"
import { hex, release } from "../bytes.ts"
import { ContradictionError, IntegrityError, PreconditionError } from "../errors.ts"
import { AdaptiveLimit } from "./adaptive-limit.ts"
import { forEachConcurrent } from "./concurrent.ts"
import type { TransferContext } from "./context.ts"
import {
  type DownloadIdentity,
  DownloadJournal,
  downloadIdentity,
  type EarlierDownload,
  loadDownloadJournal,
  saltsOf,
  sameDownload,
} from "./download-journal.ts"
import type { OpenObject } from "./inspect.ts"
import { acquireLock } from "./lock.ts"
import { ObjectOpener } from "./opener.ts"
import { discardTemporary, type FinishOptions, ReplacementFile } from "./replace.ts"
import type { TemporaryFiles } from "./temporaries.ts"
import { WindowProofs } from "./window-proofs.ts"
import { inRows, segmentsBeginningIn, type Window, Windows } from "./windows.ts"
import { holds, writePieces } from "./write-pieces.ts"

/** In flight at first, and at most. */
const WINDOWS_AT_FIRST = 2
const WINDOWS_AT_MOST = 16
const MEMORY_BYTES = 100 * 1024 ** 2
/** What a window in flight takes beside its chunks: what was gathered for a write, and the socket's buffers. */
const BESIDE_CHUNKS_BYTES = 2 * 1024 ** 2

/**
 * How many windows may be in flight; each holds a chunk that arrives, one that was opened, and one being written.
 *
 * @param concurrency - how many somebody wants; found out if not given.
 */
export function windowsAtOnce(layout: Layout, concurrency: number | undefined): AdaptiveLimit {
  const each = 3 * layout.chunkBytes + BESIDE_CHUNKS_BYTES
  const fitting = Math.max(1, Math.floor(MEMORY_BYTES / each))
  const most = Math.min(concurrency ?? WINDOWS_AT_MOST, fitting)
  return new AdaptiveLimit(concurrency ?? WINDOWS_AT_FIRST, most)
}

export interface WindowsRequest {
  readonly target: string
  readonly item: string
  readonly finish: FinishOptions
  readonly files: TemporaryFiles
  readonly windowBytes: number
  /** Windows at once; see `windowsAtOnce`. */
  readonly concurrency: number | undefined
  /** Path of the journal. */
  readonly journal: string
  /** The version the user asked for. */
  readonly versionId: string | undefined
  readonly resume: boolean
}

/** What a download is of, and how it is read. */
interface Download {
  readonly object: OpenObject
  readonly opener: ObjectOpener
  readonly windows: Windows
  readonly proofs: WindowProofs
}

/** Where a download stands: its file, its journal, and the windows that need not be fetched. */
interface Progress {
  readonly file: ReplacementFile
  readonly journal: DownloadJournal
  readonly done: ReadonlySet<number>
  readonly doneBytes: number
}

/** Get a large object in windows, several at once and in any order, with a journal to go on from. */
export async function downloadWindows(
  context: TransferContext,
  object: OpenObject,
  request: WindowsRequest,
): Promise<{ resumedBytes: number }> {
  const { item, windowBytes } = request
  const { layout } = object
  await using _ = await acquireLock(
    `${request.journal}.lock`,
    `the download to ${request.target}`,
    context.random,
  )
  const windows = new Windows(layout, windowBytes)
  const opener = new ObjectOpener(object)
  using proofs = new WindowProofs(object.dek)
  const from = { object, opener, windows, proofs }
  const { file, journal, done, doneBytes } = await begin(context, from, request)
  context.onProgress({ type: "started", item, bytes: layout.plaintextBytes, doneBytes, parts: undefined })
  const limit = windowsAtOnce(layout, request.concurrency)
  const onWritten = (bytes: number) => {
    limit.progressed(bytes)
    context.onProgress({ type: "advanced", item, bytes })
  }
  const fetchRow = async (row: readonly Window[], signal: AbortSignal): Promise<void> => {
    await using answer = opener.fetch(row, signal)
    for (const window of row) {
      const proof = proofs.begin(context.random)
      const prove = (chunk: Uint8Array): void => {
        proof.update(chunk)
        release(chunk)
      }
      await writePieces(file, window.plaintextStart, answer.open(window), onWritten, prove)
      const salts = saltsIn(window, layout, opener)
      await journal.append({ window: window.windowIndex, proof: proof.finish(), salts })
    }
  }
  try {
    const { signal } = context
    const rows = inRows(missing(windows, done), windows.count - done.size, limit)
    await forEachConcurrent(rows, limit, fetchRow, { signal })
    signal.throwIfAborted()
    await opener.checkSeal(signal)
    await file.finish(request.finish)
  } catch (error) {
    // Nothing of an object that is damaged, or no longer there, is worth keeping; of one that did not come, all is.
    const damaged = error instanceof IntegrityError && !(error instanceof ContradictionError)
    const worthless = damaged || error instanceof PreconditionError
    if (worthless || journal.entries === 0) {
      await file.discard()
      await journal.remove()
    } else {
      await file.close()
      await journal.close()
    }
    throw error
  }
  await journal.remove()
  return { resumedBytes: doneBytes }
}

async function begin(
  context: TransferContext,
  download: Download,
  request: WindowsRequest,
): Promise<Progress> {
  const { object } = download
  const identity = downloadIdentity(context.store.endpoint, object, request)
  const earlier = await loadDownloadJournal(request.journal)
  const resumed =
    earlier && request.resume && sameDownload(earlier.identity, identity)
      ? await goOn(context, download, earlier, request)
      : null
  if (resumed) return resumed
  if (earlier) await discardTemporary(earlier.temporary.path, earlier.temporary)
  return startOver(object, identity, request)
}

async function startOver(
  object: OpenObject,
  identity: DownloadIdentity,
  request: WindowsRequest,
): Promise<Progress> {
  return await request.files.handOver(request.target, async (file) => {
    await file.setLength(object.layout.plaintextBytes)
    const temporary = { path: file.path, ...(await file.identity()) }
    const journal = await DownloadJournal.create(request.journal, identity, temporary)
    return { file, journal, done: new Set(), doneBytes: 0 }
  })
}

/** Believes of an earlier run what its file still shows; null if it has no such file any more. */
async function goOn(
  context: TransferContext,
  { object: { layout }, opener, windows, proofs }: Download,
  earlier: EarlierDownload,
  request: WindowsRequest,
): Promise<Progress | null> {
  const { temporary } = earlier
  const file = await ReplacementFile.reopen(temporary.path, request.target, temporary)
  if (!file) return null
  const done = new Set<number>()
  let doneBytes = 0
  try {
    for (const claim of earlier.windows) {
      const salts = saltsOf(claim)
      if (claim.window < 0 || claim.window >= windows.count || done.has(claim.window) || !salts) continue
      const window = windows.at(claim.window)
      const begun = [...segmentsBeginningIn(layout, window)].map(
        (segment) => [segment, salts.get(segment)] as const,
      )
      if (begun.some(([, salt]) => !salt)) continue
      const { plaintextStart, plaintextBytes } = window
      const check = proofs.check(claim.proof)
      if (!check || !(await holds(file, plaintextStart, plaintextBytes, check, context.signal))) continue
      for (const [segmentIndex, salt] of begun) if (salt) opener.keepSalt(segmentIndex, salt)
      done.add(claim.window)
      doneBytes += plaintextBytes
    }
    const journal = await DownloadJournal.continue(request.journal, earlier)
    return { file, journal, done, doneBytes }
  } catch (error) {
    await file.close()
    throw error
  }
}

function* missing(windows: Windows, done: ReadonlySet<number>): Generator<Window, void, undefined> {
  for (let windowIndex = 0; windowIndex < windows.count; windowIndex++) {
    if (!done.has(windowIndex)) yield windows.at(windowIndex)
  }
}

function saltsIn(window: Window, layout: Layout, opener: ObjectOpener): Record<string, string> {
  const salts: Record<string, string> = {}
  for (const segmentIndex of segmentsBeginningIn(layout, window)) {
    const salt = opener.saltOf(segmentIndex)
    if (salt) salts[segmentIndex] = hex(salt)
  }
  return salts
}
