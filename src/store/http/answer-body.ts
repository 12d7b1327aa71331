import type { BodyFraming } from "./body-framing.ts"

/** The bytes of an answer, as they come. Whoever does not read them to the end has to give them up (`return`). */
export interface AnswerBody extends AsyncIterableIterator<Uint8Array> {
  /**
   * From now on slices lie in memory that is read into again once the next one is asked for; otherwise each is in
   * memory of its own.
   */
  reuseMemory(): void
  return(): Promise<IteratorReturnResult<undefined>>
}

/** What a body needs of its connection. */
export interface Line {
  /** Whether the connection hands out memory that it does not touch until it is told to go on. */
  readonly waits: boolean
  goOn(): void
  /** Somebody waits for bytes from here on, or no longer. */
  waiting(yes: boolean): void
  /** All came and was taken, or nobody wants the rest. */
  finish(complete: boolean): void
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
/** Gathered at first, and from which on no more is read before it was handed out. */
const GATHERED_BYTES = 64 * 1024
const FULL_BYTES = 256 * 1024

/**
 * Passes on what a connection brings, slice by slice as it is asked for. What comes while nobody asks stays where it is
 * if the connection waits, and is gathered otherwise: a TLS connection decrypts all it has, record by record.
 */
export class BodyQueue implements AnswerBody {
  readonly #framing: BodyFraming
  readonly #line: Line
  /** Not handed out yet; views of the connection's memory if it waits. */
  #pieces: Uint8Array[] = []
  #gathered = new Uint8Array(0)
  #gatheredBytes = 0
  /** What was gathered in before; its last slice may still be looked at. */
  #spare = new Uint8Array(0)
  #handingOut = false
  #reuses = false
  #waiter: PromiseWithResolvers<IteratorResult<Uint8Array>> | null = null
  #failure: { readonly error: unknown } | null = null
  #finished = false

  constructor(framing: BodyFraming, line: Line) {
    this.#framing = framing
    this.#line = line
    if (framing.ended) this.#finish(true)
  }

  /** Whether the framing says that all of it came, taken or not. */
  get ended(): boolean {
    return this.#framing.ended
  }

  /** Whether to read on: somebody waits, and what is about to be handed out is little yet. */
  get wantsMore(): boolean {
    return this.#waiter !== null && (!this.#handingOut || this.#gatheredBytes < FULL_BYTES)
  }

  reuseMemory(): void {
    this.#reuses = true
  }

  /**
   * Bytes from the connection.
   *
   * @returns how many of them are behind the end of the body.
   * @throws {WireError} if the framing is broken.
   */
  receive(bytes: Uint8Array): number {
    const { pieces, beyond } = this.#framing.take(bytes)
    if (this.#line.waits) this.#pieces.push(...pieces)
    else for (const piece of pieces) this.#gather(piece)
    if (this.#waiter && !this.#handingOut) this.#handOut()
    return beyond
  }

  /** The connection ended. */
  close(error: Error): void {
    if (this.#finished) return
    if (!this.#framing.close()) this.#failure ??= { error }
    if (this.#waiter && !this.#handingOut) this.#settle()
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    this.#waiter = Promise.withResolvers()
    const { promise } = this.#waiter
    if (!this.#settle()) {
      this.#line.waiting(true)
      this.#line.goOn()
    }
    return promise
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#pieces = []
    this.#gatheredBytes = 0
    this.#finish(this.#framing.ended)
    this.#waiter?.resolve(DONE)
    this.#waiter = null
    return DONE
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** TLS: the records that were read at once come one by one, right after each other; wait for the last of them. */
  #handOut(): void {
    if (this.#line.waits) {
      this.#settle()
      return
    }
    this.#handingOut = true
    setImmediate(() => {
      this.#handingOut = false
      if (this.#waiter) this.#settle()
    })
  }

  /** Gives the waiter what there is. @returns false if there is nothing yet. */
  #settle(): boolean {
    const waiter = this.#waiter
    if (!waiter) return true
    const slice = this.#take()
    if (slice) waiter.resolve({ done: false, value: slice })
    else if (this.#failure) {
      this.#finish(false)
      waiter.reject(this.#failure.error)
      this.#failure = null // an iterator fails once
    } else if (this.#finished || this.#framing.ended) {
      this.#finish(true)
      waiter.resolve(DONE)
    } else return false
    this.#waiter = null
    this.#line.waiting(false)
    return true
  }

  #take(): Uint8Array | undefined {
    const slice = this.#line.waits ? this.#pieces.shift() : this.#takeGathered()
    if (!slice || this.#reuses) return slice
    return new Uint8Array(slice)
  }

  #takeGathered(): Uint8Array | undefined {
    if (this.#gatheredBytes === 0) return undefined
    const slice = this.#gathered.subarray(0, this.#gatheredBytes)
    const spare = this.#spare
    this.#spare = this.#gathered
    this.#gathered = spare
    this.#gatheredBytes = 0
    return slice
  }

  #gather(piece: Uint8Array): void {
    const bytes = this.#gatheredBytes + piece.length
    if (this.#gathered.length < bytes) {
      const least = this.#gathered.length === 0 ? GATHERED_BYTES : FULL_BYTES + GATHERED_BYTES
      const larger = new Uint8Array(this.#framing.ended ? bytes : Math.max(least, bytes))
      larger.set(this.#gathered.subarray(0, this.#gatheredBytes))
      this.#gathered = larger
    }
    this.#gathered.set(piece, this.#gatheredBytes)
    this.#gatheredBytes = bytes
  }

  #finish(complete: boolean): void {
    if (this.#finished) return
    this.#finished = true
    this.#line.finish(complete)
  }
}
