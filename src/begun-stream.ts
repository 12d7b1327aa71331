import { concat } from "./bytes.ts"

/**
 * A stream that was begun, from its beginning again: to be drained or returned.
 *
 * Not a generator: returning one before its first `next()` runs nothing of it, and would leave open what the stream
 * reads from.
 */
export class BegunStream implements AsyncIterableIterator<Uint8Array, void> {
  #begin: readonly Uint8Array[]
  readonly #rest: AsyncIterator<Uint8Array>

  /**
   * @param begin - what was read of it.
   * @param rest - where the rest is read from. Returned with this, whether or not anything was read of it.
   */
  constructor(begin: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>) {
    this.#begin = begin
    this.#rest = rest
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, void>> {
    const [value, ...begin] = this.#begin
    if (!value) return await this.#rest.next()
    this.#begin = begin
    return { done: false, value }
  }

  async return(): Promise<IteratorResult<Uint8Array, void>> {
    this.#begin = []
    await this.#rest.return?.()
    return { done: true, value: undefined }
  }
}

/**
 * Read the beginning of a stream.
 *
 * @returns its first bytes, fewer only if there are no more, in memory of their own; and all of it, to be drained or
 * returned.
 */
export async function beginStream(
  source: AsyncIterable<Uint8Array>,
  bytes: number,
): Promise<{ head: Uint8Array; stream: BegunStream }> {
  const input = source[Symbol.asyncIterator]()
  const begin: Uint8Array[] = []
  for (let read = 0; read < bytes; ) {
    const next = await input.next()
    if (next.done) break
    begin.push(next.value.slice()) // the source may use its memory again for the next piece
    read += next.value.length
  }
  return { head: concat(...begin).subarray(0, bytes), stream: new BegunStream(begin, input) }
}
