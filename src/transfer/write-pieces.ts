import type { GmacCheck } from "../crypto/gmac.ts"
import { calls, SMALL_BYTES } from "../files/calls.ts"
import type { ReplacementFile } from "./replace.ts"

const GATHERED_BYTES = 1_048_576

/**
 * Write pieces in a row as they come: at once, while the processor has them at hand still; or several with each call,
 * where calls are handed over.
 *
 * @param start - where the first one belongs in the file.
 * @param pieces - one by one, or several at a time.
 * @param onWritten - called with the bytes written since the last call.
 * @param done - called with each piece once it was written.
 * @returns how many bytes there were.
 */
export async function writePieces<Piece extends Uint8Array>(
  file: ReplacementFile,
  start: number,
  pieces: AsyncIterable<Piece | readonly Piece[]>,
  onWritten: (bytes: number) => void,
  done?: (piece: Piece) => void,
): Promise<{ bytes: number }> {
  let position = start
  let gathered: Piece[] = []
  let gatheredBytes = 0
  const flush = async (): Promise<void> => {
    await file.write(position, gathered)
    position += gatheredBytes
    onWritten(gatheredBytes)
    if (done) gathered.forEach(done)
    gathered = []
    gatheredBytes = 0
  }
  for await (const came of pieces) {
    for (const piece of isOne(came) ? [came] : came) {
      gathered.push(piece)
      gatheredBytes += piece.length
    }
    const enough = calls.areQuick ? SMALL_BYTES : GATHERED_BYTES
    if (gatheredBytes >= enough) await flush()
  }
  if (gatheredBytes > 0) await flush()
  return { bytes: position - start }
}

function isOne<Piece extends Uint8Array>(came: Piece | readonly Piece[]): came is Piece {
  return came instanceof Uint8Array
}

/** Whether a file holds there what a check expects. */
export async function holds(
  file: ReplacementFile,
  position: number,
  bytes: number,
  check: GmacCheck,
  signal: AbortSignal,
): Promise<boolean> {
  const piece = new Uint8Array(Math.min(GATHERED_BYTES, bytes))
  for (let done = 0; done < bytes; done += piece.length) {
    signal.throwIfAborted()
    const wanted = piece.subarray(0, Math.min(piece.length, bytes - done))
    if ((await file.read(position + done, wanted)) < wanted.length) return false
    check.update(wanted)
  }
  return check.matches()
}
