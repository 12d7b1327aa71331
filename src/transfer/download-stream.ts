import { HEADER_BYTES, type Layout, placeOfChunk } from "../agcm/layout.ts"
import { UsageError } from "../errors.ts"
import type { ByteRange } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import type { ReadRequest } from "./fetch.ts"
import { streamForeign } from "./foreign-download.ts"
import { type ForeignObject, type OpenObject, openObject } from "./inspect.ts"
import { named, objectUri } from "./naming.ts"
import { ObjectOpener } from "./opener.ts"
import { inOrder } from "./ordered.ts"
import { type Window, Windows, windowsOfPlaintext } from "./windows.ts"

const WINDOW_BYTES = 8 * 1024 ** 2
const MEMORY_BYTES = 96 * 1024 ** 2
const READ_AHEAD_WINDOWS = 6

export interface StreamRequest extends ReadRequest {
  /** Plaintext bytes wanted; all if not given. An end beyond the object's is its end. */
  readonly range?: ByteRange | undefined
  /** Its name in progress events; the object's URI if not given. */
  readonly item?: string | undefined
  /** Windows to read ahead; fewer if large chunks would take too much memory. */
  readonly concurrency?: number | undefined
  /** Stored bytes to ask for at once. */
  readonly windowBytes?: number | undefined
  /** Called once the object is known, before its first byte. */
  readonly onOpen?: ((object: OpenObject | ForeignObject) => void) | undefined
}

/**
 * Get an object, or a range of it, in order. Each chunk is handed out once it verified, so only a normal end says
 * that there is no more and the object is whole: its seal is checked before. A range has no seal: the chunks it is
 * made of are verified, and where its end was left to the object, the object's last chunk too.
 *
 * An object of another system is handed out once it is proven, which most of them are only at their end: it is then
 * read to the end first, and its ciphertext kept in a temporary file if it is large.
 *
 * Reads a few windows ahead, in 96 MiB of memory at most. Ending the iteration early ends the requests.
 *
 * @throws {UsageError} if the range begins beyond the object's end.
 * @throws {IntegrityError} if the object is not what was written; {KeyMissingError} if no key opens it.
 */
export async function* downloadStream(
  context: TransferContext,
  request: StreamRequest,
): AsyncGenerator<Uint8Array, void, undefined> {
  const item = request.item ?? objectUri(request.address)
  const windowBytes = request.windowBytes ?? WINDOW_BYTES
  try {
    const firstBytes = request.range ? HEADER_BYTES : windowBytes / 2
    await using object = await openObject(context, request, firstBytes)
    request.onOpen?.(object)
    if (object.kind === "foreign") {
      const { range, concurrency } = request
      yield* streamForeign(context, object, { item, range, concurrency })
      context.onProgress({ type: "finished", item })
      return
    }
    const opener = new ObjectOpener(object)
    const wanted = request.range
      ? await plaintextRange(context, object, opener, request.range)
      : { start: 0, end: object.layout.plaintextBytes }
    const bytes = wanted.end - wanted.start
    context.onProgress({ type: "started", item, bytes, doneBytes: 0, parts: undefined })
    const windows = request.range
      ? bytes === 0
        ? []
        : windowsOfPlaintext(object.layout, wanted, windowBytes)
      : new Windows(object.layout, windowBytes)
    const limit = readAhead(object.layout, windowBytes, request.concurrency)
    const open = (window: Window, signal: AbortSignal) => opener.open(window, signal)
    // The first chunk begins at or before the range.
    let position = wanted.start - (wanted.start % object.layout.chunkBytes)
    for await (const plaintext of inOrder(windows, limit, open, { signal: context.signal })) {
      const from = Math.max(0, wanted.start - position)
      const to = Math.min(plaintext.length, wanted.end - position)
      position += plaintext.length
      context.onProgress({ type: "advanced", item, bytes: to - from })
      if (to > from) yield plaintext.subarray(from, to)
    }
    if (!request.range) await opener.checkSeal(context.signal)
    context.onProgress({ type: "finished", item })
  } catch (error) {
    throw named(error, "open", objectUri(request.address))
  }
}

/** Where a range begins and ends; what it takes from the object's length is authenticated first. */
async function plaintextRange(
  context: TransferContext,
  { layout }: OpenObject,
  opener: ObjectOpener,
  { start, end }: ByteRange,
): Promise<{ start: number; end: number }> {
  if (!Number.isSafeInteger(start) || start < 0 || (end !== undefined && !(end >= start))) {
    throw new RangeError(`no range of bytes: ${start} to ${end}`)
  }
  const known = end !== undefined && end <= layout.plaintextBytes
  if (!known) await openLastChunk(context, layout, opener)
  if (start > layout.plaintextBytes || (start === layout.plaintextBytes && start > 0)) {
    throw new UsageError(`it has ${layout.plaintextBytes} bytes: there is none from ${start} on`)
  }
  return { start, end: known ? end : layout.plaintextBytes }
}

// That the last chunk opens as the last one is proof of the object's length.
async function openLastChunk(context: TransferContext, layout: Layout, opener: ObjectOpener): Promise<void> {
  const { plaintextStart } = placeOfChunk(layout, layout.chunks - 1)
  const last = { start: plaintextStart, end: Math.max(layout.plaintextBytes, plaintextStart + 1) }
  for (const window of windowsOfPlaintext(layout, last, layout.chunkBytes)) {
    for await (const _ of opener.open(window, context.signal)) context.signal.throwIfAborted()
  }
}

function readAhead(layout: Layout, windowBytes: number, concurrency = READ_AHEAD_WINDOWS): number {
  // A window waiting for its turn, and the chunk it is getting, sealed and open.
  const each = Math.max(windowBytes, layout.chunkBytes) + 2 * layout.chunkBytes
  return Math.max(1, Math.min(concurrency, Math.floor(MEMORY_BYTES / each)))
}
