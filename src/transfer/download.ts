import { HEADER_BYTES } from "../agcm/layout.ts"
import { release } from "../bytes.ts"
import type { ObjectAddress } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { downloadJournalId, downloadJournalPath } from "./download-journal.ts"
import { downloadStream } from "./download-stream.ts"
import { downloadWindows } from "./download-windows.ts"
import type { ReadRequest } from "./fetch.ts"
import { downloadForeign } from "./foreign-download.ts"
import { type ForeignObject, type ObjectFormat, type OpenObject, openObject } from "./inspect.ts"
import { LeftBehind } from "./left-behind.ts"
import { namingObject, objectUri } from "./naming.ts"
import { ObjectOpener } from "./opener.ts"
import { existsAlready, type FinishOptions, inspectExact, inspectTarget, restored } from "./replace.ts"
import { nameInDirectory } from "./target.ts"
import { sweepTemporaries, TemporaryFiles } from "./temporaries.ts"
import { Windows } from "./windows.ts"
import { writePieces } from "./write-pieces.ts"
import { writeInOrder } from "./write-stream.ts"

const WINDOW_BYTES = 16 * 1024 ** 2

export interface DownloadRequest extends ReadRequest {
  /**
   * Where to: a file, which is replaced once all was verified (a symbolic link stays, and what it points to is
   * replaced); a directory, in which the file gets the last component of the key as its name; a pipe or a device,
   * which gets each chunk as it verifies.
   */
  readonly target: string
  /** The target is the file itself: refused if it is a directory, a symbolic link, a pipe or a device. */
  readonly exact?: boolean | undefined
  /** Its name in progress events; the object's URI if not given. */
  readonly item?: string | undefined
  /** Requests at once, fewer if large chunks would take too much memory; found out if not given. */
  readonly concurrency?: number | undefined
  /** False: an existing file is left alone. True if not given. */
  readonly overwrite?: boolean | undefined
  /** Restore mode and time of modification, where the object knows them; true if not given. */
  readonly preserve?: boolean | undefined
  /** Go on with what an interrupted run left; true if not given. */
  readonly resume?: boolean | undefined
  /** Stored bytes to ask for at once. */
  readonly windowBytes?: number | undefined
  /** Stored bytes of the object, if a listing has told them. */
  readonly listedBytes?: number | undefined
}

export interface DownloadResult {
  readonly address: ObjectAddress
  /** What was written: symbolic links resolved, the name added to a directory. */
  readonly target: string
  /** Plaintext. */
  readonly bytes: number
  /** Of those, what an earlier run had brought. */
  readonly resumedBytes: number
  readonly etag: string
  readonly versionId: string | undefined
  readonly format: ObjectFormat
}

/**
 * Get an object into a file that appears under its name only once all of it, seal included, verified. What was
 * verified before an interruption is kept and used by the next run; of an object of another system nothing is.
 *
 * @throws {IntegrityError} if the object is not what was written; {KeyMissingError} if no key opens it.
 * @throws {PreconditionError} if it changed while it was read, another process downloads it to the same file, or
 * the file exists and `overwrite` is false.
 * @throws {LocalIoError} if the file cannot be written.
 */
export async function downloadFile(
  context: TransferContext,
  request: DownloadRequest,
): Promise<DownloadResult> {
  const found = await fileTarget(request)
  if (found.kind === "stream") return downloadToStream(context, request, found.path)
  await using files = new TemporaryFiles(context)
  const left = await LeftBehind.ofDownloads(context)
  const file = { path: found.path, exists: found.existing !== null }
  return await downloadTo(context, request, file, { left, files })
}

/** What the downloads of a run share. */
export interface DownloadRun {
  /** Of downloads, when the run began. */
  readonly left: LeftBehind
  readonly files: TemporaryFiles
  /** Brings the name of a file to the disk that has no journal; see `FinishOptions`. */
  readonly named?: FinishOptions["named"]
}

/** As `downloadFile`, to a file that was looked at; symbolic links are resolved in its path. */
export async function downloadTo(
  context: TransferContext,
  request: DownloadRequest,
  { path: target, exists }: { readonly path: string; readonly exists: boolean },
  { left, files, named }: DownloadRun,
): Promise<DownloadResult> {
  const { address, overwrite = true, windowBytes = WINDOW_BYTES } = request
  const item = request.item ?? objectUri(address)
  if (exists && !overwrite) {
    await left.forgetDownload(address, request.versionId, target)
    throw existsAlready(target)
  }
  await sweepOnce(context)
  const { stateDirectory, store } = context
  const idOf = () => downloadJournalId(store.endpoint, address, request.versionId, target)
  const begun = await left.hasDownload(idOf)
  // A run that goes on has the beginning already. A first window is at least half of the limit.
  const firstBytes = begun ? HEADER_BYTES : windowBytes / 2
  await using object = await openObject(context, request, firstBytes, request.listedBytes)
  return await namingObject(address, async () => {
    if (object.kind === "foreign") {
      const { concurrency } = request
      const { bytes } = await downloadForeign(context, object, {
        target,
        item,
        finish: { overwrite, named },
        files,
        concurrency,
      })
      context.onProgress({ type: "finished", item })
      return resultOf(object, { target, bytes, resumedBytes: 0 })
    }
    const finish = { overwrite, ...restored(request.preserve === false ? null : object.private) }
    const atOnce = !begun && object.first.end === object.info.bytes
    const { resumedBytes } = atOnce
      ? await downloadAtOnce(context, object, {
          target,
          item,
          finish: { ...finish, named },
          files,
          windowBytes,
        })
      : await downloadWindows(context, object, {
          target,
          item,
          finish,
          files,
          windowBytes,
          concurrency: request.concurrency,
          journal: downloadJournalPath(stateDirectory, idOf()),
          versionId: request.versionId,
          resume: request.resume ?? true,
        })
    context.onProgress({ type: "finished", item })
    return resultOf(object, { target, bytes: object.layout.plaintextBytes, resumedBytes })
  })
}

/** State directories this process has looked after; each file of a tree has a context of its own. */
const swept = new Set<string>()

async function sweepOnce({ stateDirectory }: TransferContext): Promise<void> {
  if (swept.has(stateDirectory)) return
  swept.add(stateDirectory)
  await sweepTemporaries({ stateDirectory })
}

async function fileTarget({ target, address, exact }: DownloadRequest) {
  if (exact) return inspectExact(target)
  const found = await inspectTarget(target)
  if (found.kind !== "directory") return found
  const inside = await inspectTarget(nameInDirectory(found.path, address.key))
  if (inside.kind === "directory") throw existsAlready(inside.path)
  return inside
}

/** An object that came whole with the first answer: too little to keep a journal for. */
async function downloadAtOnce(
  context: TransferContext,
  object: OpenObject,
  options: {
    target: string
    item: string
    finish: FinishOptions
    files: TemporaryFiles
    windowBytes: number
  },
): Promise<{ resumedBytes: number }> {
  const { item } = options
  const bytes = object.layout.plaintextBytes
  context.onProgress({ type: "started", item, bytes, doneBytes: 0, parts: undefined })
  const opener = new ObjectOpener(object)
  return await options.files.replace(options.target, async (file) => {
    for (const window of new Windows(object.layout, options.windowBytes)) {
      await using answer = opener.fetch([window], context.signal)
      const onWritten = (written: number) => context.onProgress({ type: "advanced", item, bytes: written })
      await writePieces(file, window.plaintextStart, answer.open(window), onWritten, release)
    }
    await opener.checkSeal(context.signal)
    context.signal.throwIfAborted()
    await file.finish(options.finish)
    return { resumedBytes: 0 }
  })
}

async function downloadToStream(
  context: TransferContext,
  request: DownloadRequest,
  path: string,
): Promise<DownloadResult> {
  const item = request.item ?? objectUri(request.address)
  let opened: OpenObject | ForeignObject | undefined
  let bytes = 0
  const chunks = downloadStream(context, {
    ...request,
    item,
    onOpen: (object) => {
      opened = object
    },
  })
  const counted = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunks) {
      bytes += chunk.length
      yield chunk
    }
  }
  await writeInOrder(path, counted())
  if (!opened) throw new RangeError("a stream that ended before its object was opened")
  return resultOf(opened, { target: path, bytes, resumedBytes: 0 })
}

function resultOf(
  { address, info, format }: OpenObject | ForeignObject,
  done: Pick<DownloadResult, "target" | "bytes" | "resumedBytes">,
): DownloadResult {
  const { etag, versionId } = info
  return { address, ...done, etag, versionId, format }
}
