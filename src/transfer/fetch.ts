import { ContradictionError, DeniedError, PreconditionError } from "../errors.ts"
import type { CustomerKey, ObjectAddress, ObjectInfo, ObjectStore, ReadOptions } from "../store/store.ts"
import { objectUri } from "./naming.ts"

/** Which object to read, and what the store has to be shown for it. */
export interface ReadRequest {
  readonly address: ObjectAddress
  readonly versionId?: string | undefined
  readonly customerKey?: CustomerKey | undefined
  readonly requesterPays?: boolean | undefined
}

/** Bytes of a stored object, `end` exclusive. */
export interface StoredRange {
  readonly start: number
  readonly end: number
}

/** The body of one answer, taken in pieces of known size; believes no length but the one that was asked for. */
export class BodyReader {
  readonly #input: AsyncIterator<Uint8Array>
  /** What was received last and not taken yet. */
  #piece: Uint8Array = new Uint8Array(0)
  /** Where bytes that came in several pieces are put together: a fresh one each time would cost more than a copy. */
  #joined = new Uint8Array(0)
  #missing: number
  readonly #ownMemory: boolean

  /**
   * @param bytes - what the body must hold, neither more nor less.
   * @param ownMemory - whether its slices are nobody else's: each is given back when the next one is asked for.
   */
  constructor(body: AsyncIterable<Uint8Array>, bytes: number, ownMemory = false) {
    this.#input = body[Symbol.asyncIterator]()
    this.#missing = bytes
    this.#ownMemory = ownMemory
  }

  /**
   * @returns `count` bytes, in memory that the next call uses again.
   * @throws {ContradictionError} if the body ends before.
   */
  async take(count: number): Promise<Uint8Array> {
    if (count > this.#piece.length + this.#missing) throw new RangeError(`${count} bytes of a shorter range`)
    if (this.#piece.length === 0 && count > 0) await this.#pull()
    if (this.#piece.length >= count) return this.#cut(count)
    if (this.#joined.length < count) this.#joined = new Uint8Array(count)
    for (let filled = 0; filled < count; ) {
      if (this.#piece.length === 0) await this.#pull()
      const part = this.#cut(Math.min(count - filled, this.#piece.length))
      this.#joined.set(part, filled)
      filled += part.length
    }
    return this.#joined.subarray(0, count)
  }

  /** As `take`, of what is here already; null if that is less. */
  takeAtHand(count: number): Uint8Array | null {
    return this.#piece.length >= count ? this.#cut(count) : null
  }

  /** What was not taken, as it arrives, in slices that are the caller's alone; then `end`. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const slice of this.restInPlace()) yield this.#ownMemory ? slice : slice.slice()
  }

  /** As `rest`, in slices that are good until the next one is asked for. */
  async *restInPlace(): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#piece.length + this.#missing > 0) {
      if (this.#piece.length === 0) await this.#pull()
      const slice = this.#piece
      this.#piece = new Uint8Array(0) // or it would be given back
      yield slice
    }
    await this.end()
  }

  /** @throws {ContradictionError} if more comes than was asked for. */
  async end(): Promise<void> {
    for (let next = await this.#input.next(); !next.done; next = await this.#input.next()) {
      if (next.value.length > 0) throw misfit("sent more than was asked for")
    }
  }

  /** Ends the request if it is still running; what comes of that is of no interest any more. */
  async close(): Promise<void> {
    await this.#input.return?.().catch(() => undefined)
  }

  #cut(count: number): Uint8Array {
    const part = this.#piece.subarray(0, count)
    this.#piece = this.#piece.subarray(count)
    return part
  }

  /** Replaces the piece, all of which was taken, by the next one. */
  async #pull(): Promise<void> {
    if (this.#ownMemory) releaseAfter(this.#piece)
    do {
      const next = await this.#input.next()
      if (next.done) throw misfit(`ended its answer ${this.#missing} bytes early`)
      // Not the Buffer it may be: slice() would not copy.
      const { buffer, byteOffset, length } = next.value
      this.#piece = new Uint8Array(buffer, byteOffset, length)
    } while (this.#piece.length === 0)
    if (this.#piece.length > this.#missing) throw misfit("sent more than was asked for")
    this.#missing -= this.#piece.length
  }
}

/** One object as it was when it was first looked at: every request names its ETag, and its version if it has one. */
export class PinnedObject {
  readonly address: ObjectAddress
  readonly info: ObjectInfo
  readonly #store: ObjectStore
  readonly #options: ReadOptions
  #versionId: string | undefined

  /** @param info - from the first answer. */
  constructor(store: ObjectStore, request: ReadRequest, info: ObjectInfo) {
    const { address, versionId, ...options } = request
    this.#store = store
    this.#options = { ...options, versionId }
    this.address = address
    this.info = info
    this.#versionId = versionId ?? info.versionId
  }

  /**
   * Ask for a range.
   *
   * @throws {PreconditionError} if the object is not the one it was.
   * @throws {ContradictionError} if the answer is to another question.
   */
  async read(range: StoredRange, signal: AbortSignal): Promise<BodyReader> {
    const answer = await this.#get(range, signal)
    const reader = new BodyReader(answer.body, range.end - range.start, answer.ownMemory)
    try {
      // Not every service honours If-Match; all of them say what they send.
      if (!sameState(answer.info, this.info)) throw await this.#otherThan(answer.info, signal)
      checkRange(answer.range, range)
    } catch (error) {
      await reader.close()
      throw error
    }
    return reader
  }

  async #get({ start, end }: StoredRange, signal: AbortSignal) {
    const ifMatch = this.info.etag === "" ? undefined : this.info.etag
    const options = { ...this.#options, range: { start, end }, ifMatch, reuseMemory: true, signal }
    const versionId = this.#versionId
    try {
      return await this.#store.get(this.address, { ...options, versionId })
    } catch (error) {
      if (error instanceof PreconditionError) throw this.#changed(error)
      // Naming a version takes a permission of its own (s3:GetObjectVersion); the ETag still pins the object.
      const ours = versionId !== this.#options.versionId
      if (!(error instanceof DeniedError) || !ours) throw error
      this.#versionId = this.#options.versionId
      return this.#store.get(this.address, options)
    }
  }

  /** An object that was replaced stays the other one; a store that makes things up says something else again. */
  async #otherThan(sent: ObjectInfo, signal: AbortSignal): Promise<PreconditionError | ContradictionError> {
    const now = await this.#store.head(this.address, { ...this.#options, signal })
    return sameState(now, sent)
      ? this.#changed()
      : misfit("sent an object that is neither the old one nor the new")
  }

  #changed(cause?: unknown): PreconditionError {
    return new PreconditionError(`${objectUri(this.address)} changed while it was read`, {
      cause,
      hint: "run the command again to get the object as it is now",
    })
  }
}

/**
 * Give back what a connection was read into, once nothing of it is left to take: slices of one such piece come in its
 * order, so the one that ends with it was the last.
 */
function releaseAfter({ buffer, byteOffset, length }: Uint8Array): void {
  const isLast = length === 0 && byteOffset > 0 && byteOffset === buffer.byteLength
  if (isLast && buffer instanceof ArrayBuffer) buffer.transfer(0)
}

function sameState(a: ObjectInfo, b: ObjectInfo): boolean {
  return a.etag === b.etag && a.bytes === b.bytes
}

/** @throws {ContradictionError} if the store sent another range than was asked for. */
export function checkRange(sent: StoredRange, asked: StoredRange): void {
  if (sent.start === asked.start && sent.end === asked.end) return
  throw misfit(
    `sent bytes ${sent.start} to ${sent.end} when asked for ${asked.start} to ${asked.end} of an object`,
  )
}

// Below us it was asked again already.
function misfit(what: string): ContradictionError {
  return new ContradictionError(`the store ${what}`)
}
