import { ByteQueue } from "../agcm/queue.ts"
import { DeniedError, PreconditionError, UnavailableError } from "../errors.ts"
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
  readonly #queue = new ByteQueue()
  #missing: number

  /** @param bytes - what the body must hold, neither more nor less. */
  constructor(body: AsyncIterable<Uint8Array>, bytes: number) {
    this.#input = body[Symbol.asyncIterator]()
    this.#missing = bytes
  }

  /**
   * @returns `count` bytes; they may lie in memory shared with the rest of the body.
   * @throws {UnavailableError} if the body ends before.
   */
  async take(count: number): Promise<Uint8Array> {
    if (count > this.#queue.bytes + this.#missing) throw new RangeError(`${count} bytes of a shorter range`)
    while (this.#queue.bytes < count) await this.#pull()
    return this.#queue.take(count)
  }

  /** What was not taken, as it arrives, then `end`. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#queue.bytes + this.#missing > 0) {
      if (this.#queue.bytes === 0) await this.#pull()
      yield this.#queue.take(this.#queue.bytes)
    }
    await this.end()
  }

  /** @throws {UnavailableError} if more comes than was asked for. */
  async end(): Promise<void> {
    for (let next = await this.#input.next(); !next.done; next = await this.#input.next()) {
      if (next.value.length > 0) throw misfit("sent more than was asked for")
    }
  }

  /** Ends the request if it is still running; what comes of that is of no interest any more. */
  async close(): Promise<void> {
    await this.#input.return?.().catch(() => undefined)
  }

  async #pull(): Promise<void> {
    const next = await this.#input.next()
    if (next.done) throw misfit(`ended its answer ${this.#missing} bytes early`)
    if (next.value.length > this.#missing) throw misfit("sent more than was asked for")
    this.#missing -= next.value.length
    this.#queue.push(next.value)
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
   * @throws {UnavailableError} if the answer is to another question.
   */
  async read(range: StoredRange, signal: AbortSignal): Promise<BodyReader> {
    const answer = await this.#get(range, signal)
    const reader = new BodyReader(answer.body, range.end - range.start)
    try {
      // Not every service honours If-Match; all of them say what they send.
      if (answer.info.etag !== this.info.etag || answer.info.bytes !== this.info.bytes) throw this.#changed()
      checkRange(answer.range, range)
    } catch (error) {
      await reader.close()
      throw error
    }
    return reader
  }

  async #get({ start, end }: StoredRange, signal: AbortSignal) {
    const ifMatch = this.info.etag === "" ? undefined : this.info.etag
    const options = { ...this.#options, range: { start, end }, ifMatch, signal }
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

  #changed(cause?: unknown): PreconditionError {
    return new PreconditionError(`${objectUri(this.address)} changed while it was read`, {
      cause,
      hint: "run the command again to get the object as it is now",
    })
  }
}

/** @throws {UnavailableError} if the store sent another range than was asked for. */
export function checkRange(sent: StoredRange, asked: StoredRange): void {
  if (sent.start === asked.start && sent.end === asked.end) return
  throw misfit(
    `sent bytes ${sent.start} to ${sent.end} when asked for ${asked.start} to ${asked.end} of an object`,
  )
}

function misfit(what: string): UnavailableError {
  return new UnavailableError(`the store ${what}`, { transient: "server" })
}
