import { crc32 } from "node:zlib"
import type { ReplacementFile } from "./replace.ts"

const GATHERED_BYTES = 1_048_576

/**
 * Write pieces in a row as they come, several with each call.
 *
 * @param start - where the first one belongs in the file.
 * @param onWritten - called with the bytes written since the last call.
 * @param done - called with each piece once it was written.
 * @returns how many bytes there were, and their CRC-32.
 */
export async function writePieces<Piece extends Uint8Array>(
  file: ReplacementFile,
  start: number,
  pieces: AsyncIterable<Piece>,
  onWritten: (bytes: number) => void,
  done?: (piece: Piece) => void,
): Promise<{ bytes: number; crc32: number }> {
  let crc = 0
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
  for await (const piece of pieces) {
    crc = crc32(piece, crc)
    gathered.push(piece)
    gatheredBytes += piece.length
    if (gatheredBytes >= GATHERED_BYTES) await flush()
  }
  if (gatheredBytes > 0) await flush()
  return { bytes: position - start, crc32: crc }
}

/** The CRC-32 of what a file holds there; null if it ends before. */
export async function crcOfFile(
  file: ReplacementFile,
  position: number,
  bytes: number,
  signal: AbortSignal,
): Promise<number | null> {
  const piece = new Uint8Array(Math.min(GATHERED_BYTES, bytes))
  let crc = 0
  for (let done = 0; done < bytes; done += piece.length) {
    signal.throwIfAborted()
    const wanted = piece.subarray(0, Math.min(piece.length, bytes - done))
    if ((await file.read(position + done, wanted)) < wanted.length) return null
    crc = crc32(wanted, crc)
  }
  return crc
}
