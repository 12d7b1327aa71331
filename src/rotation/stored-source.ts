import { type Layout, placeOfSegment } from "../agcm/layout.ts"
import { hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import type { TransferContext } from "../transfer/context.ts"
import type { OpenObject } from "../transfer/inspect.ts"
import { objectUri } from "../transfer/naming.ts"
import { ObjectOpener } from "../transfer/opener.ts"
import type { Source } from "../transfer/source.ts"
import { type Window, Windows, windowsOfPlaintext } from "../transfer/windows.ts"

const WINDOW_BYTES = 4 * 1024 ** 2
/** Of the windows that are kept, or on their way: as many as parts are sealed at once, and some to read ahead. */
const WINDOWS_KEPT = 12

/**
 * A stored object as what an upload reads: by position, each chunk verified before a byte of it is given out, and
 * pinned to what it was when it was opened. `assertUnchanged`, which an upload calls before it completes, verifies
 * the seal over the whole. That the object is still there is what the upload's own condition says.
 *
 * Its identity is the object's ETag and version: an upload that was interrupted goes on if they are the same.
 *
 * @param object - borrowed.
 */
export function storedSource(context: TransferContext, object: OpenObject): Source {
  const { address, info, layout } = object
  const { signal } = context
  const uri = objectUri(address)
  const opener = new ObjectOpener(object)
  const windows = new WindowCache(opener, layout, signal)
  const close = async () => undefined
  return {
    path: uri,
    identity: {
      dev: "stored",
      ino: hex(sha256(utf8(`${context.store.endpoint}\0${uri}`))).slice(0, 16),
      size: String(layout.plaintextBytes),
      mtimeNs: info.etag,
      ctimeNs: info.versionId ?? "",
    },
    bytes: layout.plaintextBytes,
    mode: 0,
    mtimeNs: 0n,
    read: (position, target) => windows.read(position, target),
    async assertUnchanged() {
      for (const window of unseen(layout, opener)) await drain(opener.open(window, signal))
      await opener.checkSeal(signal)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** One chunk of each segment that nobody read: an earlier run did, and the seal names its salt. */
function* unseen(layout: Layout, opener: ObjectOpener): Generator<Window> {
  if (layout.plaintextBytes === 0) return yield* new Windows(layout, WINDOW_BYTES)
  for (let segmentIndex = 0; segmentIndex < layout.segments; segmentIndex++) {
    if (opener.saltOf(segmentIndex)) continue
    const { plaintextStart: start } = placeOfSegment(layout, segmentIndex)
    const end = start + 1
    yield* windowsOfPlaintext(layout, { start, end }, layout.chunkBytes)
  }
}

async function drain(plaintext: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of plaintext) piece.fill(0)
}

/** Windows of plaintext that were fetched lately; parts that are sealed at once read theirs side by side. */
class WindowCache {
  readonly #opener: ObjectOpener
  readonly #layout: Layout
  readonly #signal: AbortSignal
  readonly #kept = new Map<number, Promise<Uint8Array>>()

  constructor(opener: ObjectOpener, layout: Layout, signal: AbortSignal) {
    this.#opener = opener
    this.#layout = layout
    this.#signal = signal
  }

  async read(position: number, target: Uint8Array): Promise<void> {
    for (let filled = 0; filled < target.length; ) {
      const at = position + filled
      const index = Math.floor(at / WINDOW_BYTES)
      const window = await this.#window(index)
      const piece = window.subarray(
        at - index * WINDOW_BYTES,
        at - index * WINDOW_BYTES + target.length - filled,
      )
      target.set(piece, filled)
      filled += piece.length
    }
  }

  #window(index: number): Promise<Uint8Array> {
    const known = this.#kept.get(index)
    this.#kept.delete(index)
    const window = known ?? this.#fetch(index)
    window.catch(() => this.#kept.delete(index))
    this.#kept.set(index, window)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > WINDOWS_KEPT && oldest !== undefined) this.#kept.delete(oldest)
    return window
  }

  async #fetch(index: number): Promise<Uint8Array> {
    const start = index * WINDOW_BYTES
    const end = Math.min(start + WINDOW_BYTES, this.#layout.plaintextBytes)
    const plaintext = new Uint8Array(end - start)
    for (const window of windowsOfPlaintext(this.#layout, { start, end }, WINDOW_BYTES)) {
      let at = window.plaintextStart
      for await (const piece of this.#opener.open(window, this.#signal)) {
        // Windows hold whole chunks: what of them lies outside was asked for by nobody.
        const from = Math.max(start, at)
        const to = Math.min(end, at + piece.length)
        if (from < to) plaintext.set(piece.subarray(from - at, to - at), from - start)
        at += piece.length
      }
    }
    return plaintext
  }
}
