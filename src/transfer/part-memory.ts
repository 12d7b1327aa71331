/** Pieces that wait for the next part, at most. */
const PIECES_KEPT = 8

/** Memory for parts in flight, shared by all uploads of a command: what they hold together stays within a limit. */
export class PartMemory {
  readonly #limitBytes: number
  readonly #waiting: { bytes: number; admit: () => void }[] = []
  #free: Uint8Array<ArrayBuffer>[] = []
  readonly #pieces: Uint8Array<ArrayBuffer>[] = []
  #heldBytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /**
   * Wait for `bytes` of memory, in the order of asking. More than the limit is given once nobody else holds any.
   *
   * @throws the signal's reason if it is aborted.
   */
  async take(bytes: number, signal: AbortSignal): Promise<PartBuffer> {
    await this.reserve(bytes, signal)
    const fitting = this.#free.findIndex((buffer) => buffer.length === bytes)
    const reused = fitting < 0 ? undefined : this.#free.splice(fitting, 1)[0]
    // Buffers of other sizes would be held in addition to this one.
    if (!reused) this.#free = []
    const buffer = reused ?? new Uint8Array(bytes)
    return {
      bytes: buffer,
      recycle: () => {
        this.#free.push(buffer)
        this.release(bytes)
      },
      abandon: () => this.release(bytes),
    }
  }

  /**
   * Memory for plaintext on its way into a part, beside the limit. It is used again, since the system takes longer to find
   * the pages of new memory than the bytes take to pass through.
   */
  piece(bytes: number): PieceBuffer {
    const fitting = this.#pieces.findIndex((buffer) => buffer.length >= bytes)
    const reused = fitting < 0 ? undefined : this.#pieces.splice(fitting, 1)[0]
    const buffer = reused ?? new Uint8Array(bytes)
    return {
      bytes: buffer.subarray(0, bytes),
      [Symbol.dispose]: () => {
        if (this.#pieces.length < PIECES_KEPT) this.#pieces.push(buffer)
      },
    }
  }

  /** As `take`, for memory that the caller finds itself and gives back with `release`. */
  async reserve(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#heldBytes += bytes
      return
    }
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        bytes,
        admit: () => {
          signal.removeEventListener("abort", leave)
          resolve()
        },
      }
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        this.#admit()
        reject(signal.reason)
      }
      signal.addEventListener("abort", leave, { once: true })
      this.#waiting.push(waiter)
    })
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes
    this.#admit()
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#heldBytes += next.bytes
      next.admit()
    }
  }

  #fits(bytes: number): boolean {
    return this.#heldBytes === 0 || this.#heldBytes + bytes <= this.#limitBytes
  }
}

/** Memory of one part. */
export interface PartBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Give it to the next part: nothing reads it any more. */
  recycle(): void
  /** Give up the claim on it, because a request that failed may read it still: it is never written again. */
  abandon(): void
}

/** Memory of one piece of a part, which the next one gets once it is disposed of: nothing may read or write it then. */
export interface PieceBuffer extends Disposable {
  readonly bytes: Uint8Array<ArrayBuffer>
}
