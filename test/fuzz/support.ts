import { concat } from "../../src/bytes.ts"

export async function* piecesOf(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes)
}

export async function all(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const gathered: Uint8Array[] = []
  for await (const piece of pieces) gathered.push(piece)
  return concat(...gathered)
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/**
 * Bytes changed as a script says, five bytes a step: what is done, where (two bytes), and with what. So the fuzzer
 * gets past magic numbers and check sums that it could never guess.
 */
export function edited(original: Uint8Array, script: Uint8Array): Uint8Array {
  let bytes = original
  for (let at = 0; at + 5 <= script.length && at < 80; at += 5) {
    const [kind = 0, high = 0, low = 0, value = 0, more = 0] = script.subarray(at, at + 5)
    const place = bytes.length === 0 ? 0 : (high * 256 + low) % bytes.length
    const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)]
    switch (kind % 5) {
      case 0:
        bytes = concat(before, Uint8Array.of((after[0] ?? 0) ^ value), after.subarray(1))
        break
      case 1: // inserted
        bytes = concat(before, new Uint8Array(value % 64).fill(more), after)
        break
      case 2: // taken out
        bytes = concat(before, after.subarray(value * 256 + more))
        break
      case 3: // cut
        bytes = before
        break
      default: // a stretch that comes twice
        bytes = concat(bytes.subarray(0, place + value), bytes.subarray(Math.max(0, place - more)))
    }
    bytes = bytes.subarray(0, 65_536)
  }
  return bytes
}

/** JSON that a script chose, with what parsers stumble over. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** @throws whatever `work` threw, unless it is an error of one of these classes. */
export async function expecting(
  classes: readonly (abstract new (...given: never[]) => Error)[],
  work: () => unknown,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!classes.some((each) => error instanceof each)) throw error
  }
}
