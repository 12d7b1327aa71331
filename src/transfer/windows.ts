import { fullSegmentBytes, HEADER_BYTES, type Layout, placeOfChunk, SEAL_BYTES } from "../agcm/layout.ts"
import { TAG_BYTES } from "../crypto/aead.ts"

/** What one ranged request fetches: chunks in a row, with the headers between them and the seal behind the last. */
export interface Window {
  readonly windowIndex: number
  /** Counted over the whole object, as are all positions. */
  readonly firstChunk: number
  readonly chunks: number
  /** Stored bytes; `end` exclusive. */
  readonly start: number
  readonly end: number
  readonly plaintextStart: number
  readonly plaintextBytes: number
  /** Whether the object's seal is the end of it. */
  readonly sealed: boolean
}

/** Cuts an object into windows: always the same ones for the same layout and limit. */
export class Windows {
  readonly count: number
  readonly #layout: Layout
  readonly #perWindow: number
  /** Windows of a split segment; 0 where windows hold whole segments. */
  readonly #perSegment: number

  /**
   * @param limitBytes - stored bytes a window should not exceed, and does only where one chunk does. A window
   * holds whole segments, or an even share of one that is larger: at least half of the limit, but at the ends.
   */
  constructor(layout: Layout, limitBytes: number) {
    this.#layout = layout
    const segment = fullSegmentBytes(layout)
    if (segment <= limitBytes) {
      this.#perSegment = 0
      this.#perWindow = Math.floor(limitBytes / segment) * layout.chunksPerSegment
      this.count = Math.ceil(layout.chunks / this.#perWindow)
    } else {
      const shares = Math.ceil(segment / limitBytes)
      const perWindow = Math.max(1, Math.ceil(layout.chunksPerSegment / shares))
      this.#perWindow = perWindow
      this.#perSegment = Math.ceil(layout.chunksPerSegment / perWindow)
      const last = layout.chunks - (layout.segments - 1) * layout.chunksPerSegment
      this.count = (layout.segments - 1) * this.#perSegment + Math.ceil(last / perWindow)
    }
  }

  /** @throws {RangeError} if there is no such window. */
  at(windowIndex: number): Window {
    if (!Number.isInteger(windowIndex) || windowIndex < 0 || windowIndex >= this.count) {
      throw new RangeError(`window ${windowIndex} of ${this.count}`)
    }
    const { chunksPerSegment, chunks } = this.#layout
    const segmentIndex = this.#perSegment === 0 ? 0 : Math.floor(windowIndex / this.#perSegment)
    const within = windowIndex - segmentIndex * this.#perSegment
    const firstChunk = segmentIndex * chunksPerSegment + within * this.#perWindow
    const segmentEnd = this.#perSegment === 0 ? chunks : (segmentIndex + 1) * chunksPerSegment
    const end = Math.min(firstChunk + this.#perWindow, segmentEnd, chunks)
    return windowOfChunks(this.#layout, windowIndex, firstChunk, end)
  }

  *[Symbol.iterator](): Generator<Window, void, undefined> {
    for (let windowIndex = 0; windowIndex < this.count; windowIndex++) yield this.at(windowIndex)
  }
}

/**
 * The windows that hold some of an object's plaintext, without the seal.
 *
 * @param plaintext - `start` below `end`, within the object.
 */
export function* windowsOfPlaintext(
  layout: Layout,
  plaintext: { readonly start: number; readonly end: number },
  limitBytes: number,
): Generator<Window, void, undefined> {
  const perWindow = Math.max(1, Math.floor(limitBytes / (layout.chunkBytes + TAG_BYTES)))
  const last = Math.floor((plaintext.end - 1) / layout.chunkBytes)
  let windowIndex = 0
  for (let chunk = Math.floor(plaintext.start / layout.chunkBytes); chunk <= last; chunk += perWindow) {
    const window = windowOfChunks(layout, windowIndex++, chunk, Math.min(chunk + perWindow, last + 1))
    yield window.sealed ? { ...window, end: window.end - SEAL_BYTES, sealed: false } : window
  }
}

function windowOfChunks(layout: Layout, windowIndex: number, firstChunk: number, endChunk: number): Window {
  const first = placeOfChunk(layout, firstChunk)
  const last = placeOfChunk(layout, endChunk - 1)
  return {
    windowIndex,
    firstChunk,
    chunks: endChunk - firstChunk,
    start: first.ciphertextStart - (first.chunkIndex === 0 ? HEADER_BYTES : 0),
    end: last.ciphertextStart + last.ciphertextBytes + (last.final ? SEAL_BYTES : 0),
    plaintextStart: first.plaintextStart,
    plaintextBytes: last.plaintextStart + last.plaintextBytes - first.plaintextStart,
    sealed: last.final,
  }
}

/** With one request at most: what each costs beside its bytes is little by then, and an interruption loses one window. */
const MOST_IN_ROW = 8

/**
 * Group windows for requests that bring several in a row: to a service a request is as much work as some MiB of it. At first
 * there is one in each: over a slow line those that come later, of which there may be more at once, should find something
 * to do. Towards the end there are fewer, so that all requests under way end at about the same time.
 *
 * @param windows - in order; where some are missing, a row ends.
 * @param count - how many there are, at most.
 * @param limit - how many requests are under way at once.
 */
export function* inRows(
  windows: Iterable<Window>,
  count: number,
  limit: { readonly current: number },
): Generator<Window[], void, undefined> {
  let left = count
  let rows = 0
  let row: Window[] = []
  for (const window of windows) {
    const share = Math.floor((left + row.length) / (2 * limit.current))
    const grown = 4 ** Math.floor(rows / limit.current)
    const isFull = row.length >= Math.min(Math.max(share, 1), grown, MOST_IN_ROW)
    if (row.length > 0 && (isFull || row.at(-1)?.end !== window.start)) {
      yield row
      rows += 1
      row = []
    }
    row.push(window)
    left -= 1
  }
  if (row.length > 0) yield row
}

/** The segments whose headers a window holds. */
export function* segmentsBeginningIn(layout: Layout, window: Window): Generator<number, void, undefined> {
  const { chunksPerSegment } = layout
  const end = Math.ceil((window.firstChunk + window.chunks) / chunksPerSegment)
  for (let segment = Math.ceil(window.firstChunk / chunksPerSegment); segment < end; segment++) yield segment
}
