import { release } from "../bytes.ts"

/** A part that lib-storage put together and gave out to be sent. */
interface Part {
  readonly partNumber: number
  readonly body: Uint8Array
  sent: boolean
}

/**
 * Gives back the memory of a stream that lib-storage cuts into parts: of the slices once they are copied into a part,
 * and of the part once it is sent. Left to the collector, a process that needs 80 MB for parts takes 300.
 */
export class StreamMemory {
  readonly #partBytes: number
  /** What was given and is in no part yet, with the offset in the stream where it ends. */
  #slices: { readonly slice: Uint8Array; readonly end: number }[] = []
  #given = 0
  #parts: Part[] = []

  constructor(partBytes: number) {
    this.#partBytes = partBytes
  }

  /** @param slice - of the stream, in memory nobody else looks at. */
  give(slice: Uint8Array): void {
    this.#given += slice.length
    // One as large as a part may become its body without being copied.
    if (slice.length < this.#partBytes) this.#slices.push({ slice, end: this.#given })
  }

  /** @param body - of a part that is complete: what it is made of was copied, and that of the parts before it. */
  begin(partNumber: number, body: Uint8Array): void {
    this.#parts.push({ partNumber, body, sent: false })
    const copied = this.#slices.findIndex(({ end }) => end > partNumber * this.#partBytes)
    const used = this.#slices.splice(0, copied < 0 ? this.#slices.length : copied)
    for (const { slice } of used) if (slice.buffer !== body.buffer) release(slice)
    this.#sweep()
  }

  /** @param partNumber - of a part that is not going to be sent again. */
  end(partNumber: number): void {
    for (const part of this.#parts) if (part.partNumber === partNumber) part.sent = true
    this.#sweep()
  }

  // The beginning of the next part may lie behind a part, in the same memory, until that one is put together.
  #sweep(): void {
    const held = this.#parts.filter(({ partNumber, sent }) => {
      return !sent || !this.#parts.some((later) => later.partNumber > partNumber)
    })
    const needed = new Set(held.map(({ body }) => body.buffer))
    const all = new Set(this.#parts.map(({ body }) => body.buffer))
    this.#parts = this.#parts.filter(({ body }) => needed.has(body.buffer))
    // What is smaller than a part may be Node's pool, which others have pieces of.
    if (this.#partBytes < Buffer.poolSize) return
    for (const memory of all) if (!needed.has(memory)) release(new Uint8Array(memory))
  }
}
