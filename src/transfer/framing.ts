import { type BegunStream, beginStream } from "../begun-stream.ts"
import { FRAMING_HEAD_BYTES, looksFramed, unframe } from "../compat/aws-chunked.ts"

/** A stream whose beginning was looked at. */
export interface Peeked {
  /** Whether it begins as the framing of an upload does. */
  readonly looksFramed: boolean
  /** All of it, beginning included: to be drained or returned. */
  readonly pieces: BegunStream
}

/** Look at the beginning of a stream. */
export async function peek(stream: AsyncIterable<Uint8Array>): Promise<Peeked> {
  const { head, stream: pieces } = await beginStream(stream, FRAMING_HEAD_BYTES)
  return { looksFramed: looksFramed(head), pieces }
}

/**
 * Take framing away from a stream that has it.
 *
 * @param onUnframed - called once all of it turned out to be framed.
 * @throws {NotFramedError} if it only began like it.
 */
export async function* withoutFraming(
  stream: AsyncIterable<Uint8Array>,
  onUnframed: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const peeked = await peek(stream)
  if (!peeked.looksFramed) {
    yield* peeked.pieces
    return
  }
  yield* unframe(peeked.pieces)
  onUnframed()
}
