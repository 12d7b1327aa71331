import { HEADER_BYTES, placeOfChunk, placeOfSegment, SEAL_BYTES } from "../agcm/layout.ts"
import { RefusedError } from "../agcm/refused.ts"
import { verifySeal } from "../agcm/seal.ts"
import { SegmentOpener } from "../agcm/segment.ts"
import { equalSecret } from "../bytes.ts"
import { BodyReader, type StoredRange } from "./fetch.ts"
import type { OpenObject } from "./inspect.ts"
import type { Window } from "./windows.ts"

/** Plaintext of chunks that is handed on together: each time anybody is waited for costs as much as some KiB of it. */
const TOGETHER_BYTES = 256 * 1024

/** Plaintext of chunks in a row, in memory of its own. */
export type Chunks = readonly Uint8Array<ArrayBuffer>[]

/** The answer to a request for windows in a row: they are opened one after the other. Disposing of it ends the request. */
export interface WindowsAnswer extends AsyncDisposable {
  /** As `ObjectOpener.open`, several chunks at a time where they came together. */
  open(window: Window): AsyncGenerator<Chunks, void, undefined>
}

/**
 * Opens the windows of one object, in any order and several at once, and keeps what its seal is checked with.
 * Borrows the object: it must not be disposed of before the last window was opened.
 */
export class ObjectOpener {
  readonly #object: OpenObject
  readonly #salts: Uint8Array[] = []
  /** Of segments that span several windows. */
  readonly #headers = new Map<number, Promise<Uint8Array>>()
  #seal: Uint8Array | undefined
  #firstUsed = false

  constructor(object: OpenObject) {
    this.#object = object
    this.#headers.set(0, Promise.resolve(object.header))
  }

  /**
   * Fetch a window and open its chunks as they arrive.
   *
   * @returns their plaintext, in memory of its own.
   * @throws {RefusedError} at the first chunk that is not what a writer produced; those before it were.
   */
  async *open(window: Window, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    await using answer = this.fetch([window], signal)
    for await (const chunks of answer.open(window)) yield* chunks
  }

  /**
   * Fetch windows in a row with one request, which is sent with the first that is opened.
   *
   * @param windows - each begins where the one before it ends.
   */
  fetch(windows: readonly Window[], signal: AbortSignal): WindowsAnswer {
    const [first, last] = [windows[0], windows.at(-1)]
    if (!first || !last) throw new RangeError("no windows to fetch")
    const range = { start: first.start, end: last.end }
    let body: Promise<BodyReader> | undefined
    const get = (): Promise<BodyReader> => {
      body ??= this.#body(range, signal)
      return body
    }
    return {
      open: (window) => this.#open(window, get, window === last, signal),
      async [Symbol.asyncDispose]() {
        await (await body?.catch(() => undefined))?.close()
      },
    }
  }

  async *#open(
    window: Window,
    get: () => Promise<BodyReader>,
    isLast: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<Chunks, void, undefined> {
    const { layout } = this.#object
    const first = placeOfChunk(layout, window.firstChunk)
    const offer = this.#offerHeader(window)
    const together = Math.max(1, Math.floor(TOGETHER_BYTES / layout.chunkBytes))
    let opener: SegmentOpener | undefined
    let opened: Uint8Array<ArrayBuffer>[] = []
    try {
      const body = await get()
      if (first.chunkIndex > 0) {
        const { segmentIndex } = first
        opener = this.#opener(await this.#header(segmentIndex, signal), segmentIndex)
      }
      for (let chunk = window.firstChunk; chunk < window.firstChunk + window.chunks; chunk++) {
        const place = placeOfChunk(layout, chunk)
        const begins = place.chunkIndex === 0
        let ciphertext = begins ? null : body.takeAtHand(place.ciphertextBytes)
        if (opened.length > 0 && (!ciphertext || opened.length === together)) {
          yield opened
          opened = []
          signal.throwIfAborted()
        }
        if (begins) {
          opener?.[Symbol.dispose]()
          const header = (await body.take(HEADER_BYTES)).slice()
          opener = this.#opener(header, place.segmentIndex)
          offer?.resolve(header)
        }
        if (!opener) throw new RangeError("a window that begins before its segment")
        ciphertext ??= await body.take(place.ciphertextBytes)
        try {
          opened.push(opener.openChunk(place.chunkIndex, place.final, ciphertext))
        } catch (error) {
          if (opened.length > 0) yield opened
          throw error
        }
      }
      if (opened.length > 0) yield opened
      if (window.sealed) this.#seal = (await body.take(SEAL_BYTES)).slice()
      if (isLast) await body.end()
    } catch (error) {
      offer?.reject(error)
      throw error
    } finally {
      // Whoever stops here before the header came leaves the others to wait no longer.
      offer?.reject(new Error("the window with the header was given up"))
      opener?.[Symbol.dispose]()
    }
  }

  /** The salt of a segment one of whose windows was opened. */
  saltOf(segmentIndex: number): Uint8Array | undefined {
    return this.#salts[segmentIndex]
  }

  /**
   * Take over what an earlier run saw.
   *
   * @throws {RefusedError} if the segment was seen with another salt: it is not the one that was read before.
   */
  keepSalt(segmentIndex: number, salt: Uint8Array): void {
    const known = this.#salts[segmentIndex]
    if (known && !equalSecret(known, salt)) throw new RefusedError("segment header", { segmentIndex })
    this.#salts[segmentIndex] = salt
  }

  /**
   * Once every window was opened: whether they are one object's, in one upload.
   *
   * @throws {RefusedError} "seal" if they are not.
   */
  async checkSeal(signal: AbortSignal): Promise<void> {
    const { dek, layout } = this.#object
    if (!this.#seal) {
      const range = { start: layout.ciphertextBytes - SEAL_BYTES, end: layout.ciphertextBytes }
      this.#seal = await this.#fetch(range, signal)
    }
    verifySeal(dek, layout.plaintextBytes, this.#salts, this.#seal)
  }

  #opener(header: Uint8Array, segmentIndex: number): SegmentOpener {
    const { dek, layout } = this.#object
    const opener = new SegmentOpener(dek, header, { segmentIndex, geometry: layout })
    try {
      this.keepSalt(segmentIndex, opener.header.salt)
      return opener
    } catch (error) {
      opener[Symbol.dispose]()
      throw error
    }
  }

  /** A window that begins a segment and does not end it brings the header the segment's other windows need. */
  #offerHeader(window: Window): PromiseWithResolvers<Uint8Array> | undefined {
    const first = placeOfChunk(this.#object.layout, window.firstChunk)
    const segment = placeOfSegment(this.#object.layout, first.segmentIndex)
    const brings = first.chunkIndex === 0 && window.chunks < segment.chunks
    if (!brings || this.#headers.has(first.segmentIndex)) return undefined
    const offer = Promise.withResolvers<Uint8Array>()
    offer.promise.catch(() => undefined) // nobody may be waiting for it
    this.#headers.set(first.segmentIndex, offer.promise)
    return offer
  }

  #header(segmentIndex: number, signal: AbortSignal): Promise<Uint8Array> {
    const known = this.#headers.get(segmentIndex)
    if (known !== undefined) return known
    const { ciphertextStart } = placeOfSegment(this.#object.layout, segmentIndex)
    const header = this.#fetch({ start: ciphertextStart, end: ciphertextStart + HEADER_BYTES }, signal)
    header.catch(() => undefined) // its failure is reported by whoever waits for it
    this.#headers.set(segmentIndex, header)
    return header
  }

  async #fetch(range: StoredRange, signal: AbortSignal): Promise<Uint8Array> {
    const body = await this.#object.pinned.read(range, signal)
    try {
      const bytes = (await body.take(range.end - range.start)).slice()
      await body.end()
      return bytes
    } finally {
      await body.close()
    }
  }

  async #body(range: StoredRange, signal: AbortSignal): Promise<BodyReader> {
    const usable = range.start === 0 && this.#object.first.end <= range.end && !this.#firstUsed
    if (!usable) return this.#object.pinned.read(range, signal)
    this.#firstUsed = true
    return new BodyReader(this.#continued(range.end, signal), range.end)
  }

  /** The first answer was asked for before anybody knew where the first windows end: ask for what it lacks. */
  async *#continued(end: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { header, first, pinned } = this.#object
    yield header
    yield* first.body.restInPlace()
    if (first.end === end) return
    const more = await pinned.read({ start: first.end, end }, signal)
    try {
      yield* more.restInPlace()
    } finally {
      await more.close()
    }
  }
}
