import { release } from "../bytes.ts"
import type { Finding } from "../compat/format.ts"
import type { ByteRange } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import type { StoredRange } from "./fetch.ts"
import { admit, type ForeignSource, provisionally, released, tell } from "./foreign.ts"
import type { ForeignObject } from "./inspect.ts"
import { objectUri } from "./naming.ts"
import { inOrder } from "./ordered.ts"
import type { FinishOptions } from "./replace.ts"
import type { TemporaryFiles } from "./temporaries.ts"
import { writePieces } from "./write-pieces.ts"

const WINDOW_BYTES = 4 * 1024 ** 2
/** What waits for its turn is in memory, and several objects may be read at once. */
const READ_AHEAD_WINDOWS = 6
/** From here on it matters that a download starts over. */
const LARGE_BYTES = 8 * 1024 ** 2

const STARTS_OVER: Finding = {
  code: "starts-over",
  message: "a download that is interrupted starts over: the format proves nothing before its end",
}

interface Item {
  /** Its name in progress events. */
  readonly item: string
  /** Windows to read ahead. */
  readonly concurrency?: number | undefined
}

/**
 * Get an object of another system into a file that appears under its name only once all of it was read, and verified
 * as far as its format goes. An interrupted run leaves nothing: most of these formats prove nothing before their end.
 *
 * @returns how much plaintext there was.
 */
export async function downloadForeign(
  context: TransferContext,
  object: ForeignObject,
  options: Item & {
    readonly target: string
    readonly finish: FinishOptions
    readonly files: TemporaryFiles
  },
): Promise<{ bytes: number }> {
  const { target, item } = options
  const source = sourceOf(context, object, options)
  admit(context, source)
  if (object.info.bytes > LARGE_BYTES) tell(context, source, STARTS_OVER)
  started(context, item, object.plaintextBytes)
  return await options.files.replace(target, async (file) => {
    let counted = 0
    const { bytes } = await provisionally(context, source, async (plaintext) => {
      // A second time it is the same with its framing, so longer: it covers all that was written the first time.
      if (counted > 0) context.onProgress({ type: "advanced", item, bytes: -counted })
      counted = 0
      const onWritten = (written: number): void => {
        context.signal.throwIfAborted()
        counted += written
        context.onProgress({ type: "advanced", item, bytes: written })
      }
      return await writePieces(file, 0, plaintext, onWritten, release)
    })
    context.signal.throwIfAborted()
    await file.finish(options.finish)
    return { bytes }
  })
}

/** Get an object of another system, or a range of it, in order; each piece is handed out once it is proven. */
export async function* streamForeign(
  context: TransferContext,
  object: ForeignObject,
  options: Item & { readonly range?: ByteRange | undefined },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { item, range } = options
  const source = sourceOf(context, object, options)
  admit(context, source)
  started(context, item, range ? undefined : object.plaintextBytes)
  for await (const piece of released(context, source, range)) {
    context.signal.throwIfAborted()
    context.onProgress({ type: "advanced", item, bytes: piece.length })
    yield piece
  }
}

/**
 * Decrypt all of an object of another system into something that can be given up, as `provisionally` does, without a
 * word about its format.
 *
 * @throws {IntegrityError} if it is not what was written.
 */
export async function consumeForeign<T>(
  context: TransferContext,
  object: ForeignObject,
  options: Item,
  consume: (plaintext: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  return await provisionally(context, sourceOf(context, object, options), consume)
}

/**
 * Refuse an object of another system that nothing authenticates, as `admit` does, without a word about its format.
 *
 * @throws {IntegrityError} unless `allowUnauthenticated` says otherwise.
 */
export function refuseForeign(context: TransferContext, { address, reader }: ForeignObject): void {
  admit({ ...context, onProgress: () => undefined }, { subject: objectUri(address), reader })
}

/** Read all of an object of another system, check what can be checked, and keep nothing. @returns its plaintext bytes. */
export async function verifyForeign(
  context: TransferContext,
  object: ForeignObject,
  options: Item,
): Promise<{ bytes: number }> {
  const { item } = options
  const source = sourceOf(context, object, options)
  admit(context, source)
  started(context, item, object.plaintextBytes)
  return await provisionally(context, source, async (plaintext) => {
    let bytes = 0
    for await (const piece of plaintext) {
      context.signal.throwIfAborted()
      bytes += piece.length
      context.onProgress({ type: "advanced", item, bytes: piece.length })
      release(piece)
    }
    return { bytes }
  })
}

function started(context: TransferContext, item: string, bytes: number | null | undefined): void {
  context.onProgress({ type: "started", item, bytes: bytes ?? undefined, doneBytes: 0, parts: undefined })
}

/** The object's stored bytes, fetched in windows that are read in parallel. */
function sourceOf(context: TransferContext, object: ForeignObject, { concurrency }: Item): ForeignSource {
  const { reader, body, info, address, pinned } = object
  let firstUsed = false
  const fetch = async function* (window: StoredRange, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let { start } = window
    const { head, first } = object
    if (start === 0 && first.end <= window.end && !firstUsed) {
      firstUsed = true
      yield new Uint8Array(head)
      yield* first.body.rest()
      start = first.end
    }
    if (start === window.end) return
    const answer = await pinned.read({ start, end: window.end }, signal)
    try {
      yield* answer.rest()
    } finally {
      await answer.close()
    }
  }
  const limit = Math.min(concurrency ?? READ_AHEAD_WINDOWS, READ_AHEAD_WINDOWS)
  const stored = ({ start, end }: StoredRange = { start: 0, end: info.bytes }) =>
    inOrder(windowsOf(start, end, object.first.end), limit, fetch, { signal: context.signal })
  return { subject: objectUri(address), reader, body, stored, ownMemory: true, repeatable: true }
}

/** @param firstEnd - where the first answer ends, which is not to be asked for again. */
function* windowsOf(start: number, end: number, firstEnd: number): Generator<StoredRange, void, undefined> {
  for (let at = start; at < end; ) {
    const next = Math.min(end, at === 0 ? Math.max(WINDOW_BYTES, firstEnd) : at + WINDOW_BYTES)
    yield { start: at, end: next }
    at = next
  }
}
