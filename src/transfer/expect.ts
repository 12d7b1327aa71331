import { createHash } from "node:crypto"
import { hex } from "../bytes.ts"
import { IntegrityError, UsageError } from "../errors.ts"

/** What the user knows of a plaintext from elsewhere: for formats that do not prove their own end. */
export interface Expectation {
  readonly bytes?: number | undefined
  /** Of all of it, 32 bytes. */
  readonly sha256?: Uint8Array | undefined
}

/** @throws {UsageError} if something is expected of what is of our own format: that proves itself. */
export function refuseExpectation({
  reading,
}: {
  readonly reading?: { readonly expect?: Expectation | undefined } | undefined
}): void {
  if (!reading?.expect) return
  throw new UsageError(
    "it proves its own end: --expect-bytes and --expect-sha256 are for formats that do not",
  )
}

/**
 * Pass a plaintext on and compare it with what is known of it: only a normal end says that it is the one expected.
 *
 * @throws {IntegrityError} at the first byte too many, or at the end.
 */
export async function* expected(
  pieces: AsyncIterable<Uint8Array>,
  expectation: Expectation,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digest = expectation.sha256 ? createHash("sha256") : null
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > (expectation.bytes ?? Number.POSITIVE_INFINITY)) {
      throw new IntegrityError(`it goes on after the ${expectation.bytes} bytes that were expected`)
    }
    digest?.update(piece)
    yield piece
  }
  if (expectation.bytes !== undefined && bytes !== expectation.bytes) {
    throw new IntegrityError(
      `it has ${bytes} bytes and ${expectation.bytes} were expected: its end is missing`,
    )
  }
  if (!digest || !expectation.sha256) return
  const found = hex(digest.digest())
  if (found === hex(expectation.sha256)) return
  throw new IntegrityError(`its SHA-256 is ${found} and ${hex(expectation.sha256)} was expected`)
}
