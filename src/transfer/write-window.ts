import { crc32 } from "node:zlib"
import type { OpenedChunk } from "./opener.ts"
import type { ReplacementFile } from "./replace.ts"

const GATHERED_BYTES = 1_048_576

/**
 * Write chunks in a row where they belong in the file, as they are opened, several with each call.
 *
 * @param onWritten - called with the bytes written since the last call.
 * @returns the CRC-32 of their plaintext.
 */
export async function writeChunks(
  file: ReplacementFile,
  chunks: AsyncIterable<OpenedChunk>,
  onWritten: (bytes: number) => void,
): Promise<number> {
  let crc = 0
  let position = 0
  let gathered: Uint8Array[] = []
  let gatheredBytes = 0
  const flush = async (): Promise<void> => {
    await file.write(position, gathered)
    onWritten(gatheredBytes)
    gathered = []
    gatheredBytes = 0
  }
  for await (const { place, plaintext } of chunks) {
    if (gathered.length === 0) position = place.plaintextStart
    crc = crc32(plaintext, crc)
    gathered.push(plaintext)
    gatheredBytes += plaintext.length
    if (gatheredBytes >= GATHERED_BYTES) await flush()
  }
  if (gatheredBytes > 0) await flush()
  return crc
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
