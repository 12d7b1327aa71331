import { release } from "../bytes.ts"

/** Bytes waiting to be taken in other sizes than they came in. Holds the arrays it is given until they are taken. */
export class ByteQueue {
  readonly #ownMemory: boolean
  /** Where bytes of several pieces are put together, if what was taken before may be overwritten. */
  #joined = new Uint8Array(0)
  /** What the last view was of, if nothing else is left of it. */
  #spent: Uint8Array | undefined
  #pieces: Uint8Array[] = []
  #first = 0 // index of the piece at the front
  #taken = 0 // bytes of it
  #bytes = 0

  /**
   * @param ownMemory - whether the arrays are nobody else's: each is given back once it was taken, and what `take`
   * returns is there until it is called again.
   */
  constructor(ownMemory = false) {
    this.#ownMemory = ownMemory
  }

  get bytes(): number {
    return this.#bytes
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    // Not the Buffer it may be: slice() would not copy what is taken.
    this.#pieces.push(new Uint8Array(piece.buffer, piece.byteOffset, piece.length))
    this.#bytes += piece.length
  }

  /**
   * Take `count` bytes from the front: a view of one piece where they lie in one, a copy otherwise.
   *
   * @throws {RangeError} if there are not that many.
   */
  take(count: number): Uint8Array {
    if (count > this.#bytes) throw new RangeError(`${count} bytes of ${this.#bytes}`)
    if (this.#spent) release(this.#spent)
    this.#spent = undefined
    const first = this.#pieces[this.#first]
    if (first && first.length - this.#taken >= count) {
      if (this.#ownMemory && first.length - this.#taken === count) this.#spent = first
      return this.#advance(first, count)
    }
    const whole = this.#memory(count)
    for (let filled = 0; filled < count; ) {
      const piece = this.#pieces[this.#first]
      if (!piece) throw new RangeError("the queue lost count of its bytes")
      const part = this.#advance(piece, Math.min(count - filled, piece.length - this.#taken))
      whole.set(part, filled)
      filled += part.length
      if (this.#ownMemory && this.#taken === 0) release(piece)
    }
    return whole
  }

  #memory(bytes: number): Uint8Array {
    if (!this.#ownMemory) return new Uint8Array(bytes)
    if (this.#joined.length < bytes) this.#joined = new Uint8Array(bytes)
    return this.#joined.subarray(0, bytes)
  }

  #advance(piece: Uint8Array, count: number): Uint8Array {
    const part = piece.subarray(this.#taken, this.#taken + count)
    this.#taken += count
    this.#bytes -= count
    if (this.#taken === piece.length) {
      this.#taken = 0
      this.#first++
      // Shifting one by one would move every waiting piece each time.
      if (this.#first === this.#pieces.length || this.#first === 1024) {
        this.#pieces = this.#pieces.slice(this.#first)
        this.#first = 0
      }
    }
    return part
  }
}
