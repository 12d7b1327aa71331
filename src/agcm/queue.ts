/** Bytes waiting to be taken in other sizes than they came in. Holds the arrays it is given until they are taken. */
export class ByteQueue {
  #pieces: Uint8Array[] = []
  #first = 0 // index of the piece at the front
  #taken = 0 // bytes of it
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#pieces.push(piece)
    this.#bytes += piece.length
  }

  /**
   * Take `count` bytes from the front: a view of one piece where they lie in one, a copy otherwise.
   *
   * @throws {RangeError} if there are not that many.
   */
  take(count: number): Uint8Array {
    if (count > this.#bytes) throw new RangeError(`${count} bytes of ${this.#bytes}`)
    const first = this.#pieces[this.#first]
    if (first && first.length - this.#taken >= count) return this.#advance(first, count)
    const whole = new Uint8Array(count)
    for (let filled = 0; filled < count; ) {
      const piece = this.#pieces[this.#first]
      if (!piece) throw new RangeError("the queue lost count of its bytes")
      const part = this.#advance(piece, Math.min(count - filled, piece.length - this.#taken))
      whole.set(part, filled)
      filled += part.length
    }
    return whole
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
