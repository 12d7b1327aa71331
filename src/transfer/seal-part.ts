import { HEADER_BYTES, type Layout, placeOfSegment, SEAL_BYTES, type SegmentPlace } from "../agcm/layout.ts"
import { SegmentSealer } from "../agcm/segment.ts"
import { TAG_BYTES } from "../crypto/aead.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import type { PartMemory } from "./part-memory.ts"
import type { Source } from "./source.ts"

const PIECE_BYTES = 1024 * 1024

/** One attempt at one part: a segment under a salt of its own, and behind the last one the seal. */
export interface PartAttempt {
  readonly dek: SecretBytes
  readonly layout: Layout
  readonly segmentIndex: number
  /** 24 bytes, drawn for this attempt. */
  readonly salt: Uint8Array
  /** 32 bytes, in the last part only. */
  readonly seal: Uint8Array | undefined
}

/** Stored bytes of a part, with the seal behind the last one. */
export function partBytes(layout: Layout, segmentIndex: number): number {
  const { ciphertextBytes, final } = placeOfSegment(layout, segmentIndex)
  return ciphertextBytes + (final ? SEAL_BYTES : 0)
}

/**
 * Seal a part into a buffer. Plaintext is read elsewhere, so that none is ever where a request takes its bytes from.
 *
 * @param target - exactly `partBytes` long.
 */
export async function sealPartInto(
  attempt: PartAttempt,
  source: Source,
  target: Uint8Array,
  memory: PartMemory,
  signal: AbortSignal,
): Promise<void> {
  const { layout, seal } = attempt
  const place = placeOfSegment(layout, attempt.segmentIndex)
  using sealer = new SegmentSealer(attempt.dek, layout, attempt.segmentIndex, attempt.salt)
  target.set(sealer.header)
  const pieceBytes = pieceBytesOf(layout)
  using plaintext = memory.piece(Math.min(pieceBytes, place.plaintextBytes))
  const chunksPerPiece = pieceBytes / layout.chunkBytes
  for (let chunkIndex = 0, at = HEADER_BYTES; chunkIndex < place.chunks; chunkIndex += chunksPerPiece) {
    signal.throwIfAborted()
    at += await sealPiece(sealer, place, layout, chunkIndex, source, plaintext.bytes, target.subarray(at))
  }
  if (seal) target.set(seal, target.length - SEAL_BYTES)
}

/** Seal a part as it is pulled, in slices of about 1 MiB, each in memory of its own. */
export async function* sealPartStream(
  attempt: PartAttempt,
  source: Source,
  memory: PartMemory,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { layout, seal } = attempt
  const place = placeOfSegment(layout, attempt.segmentIndex)
  using sealer = new SegmentSealer(attempt.dek, layout, attempt.segmentIndex, attempt.salt)
  yield sealer.header
  const pieceBytes = pieceBytesOf(layout)
  using plaintext = memory.piece(Math.min(pieceBytes, place.plaintextBytes))
  const chunksPerPiece = pieceBytes / layout.chunkBytes
  for (let chunkIndex = 0; chunkIndex < place.chunks; chunkIndex += chunksPerPiece) {
    signal.throwIfAborted()
    const chunks = Math.min(chunksPerPiece, place.chunks - chunkIndex)
    const bytes = Math.min(pieceBytes, place.plaintextBytes - chunkIndex * layout.chunkBytes)
    const sealed = new Uint8Array(bytes + chunks * TAG_BYTES)
    await sealPiece(sealer, place, layout, chunkIndex, source, plaintext.bytes, sealed)
    yield sealed
  }
  if (seal) yield seal
}

/** Read and seal the chunks from `firstChunk` that `plaintext` has room for. @returns the bytes written. */
async function sealPiece(
  sealer: SegmentSealer,
  place: SegmentPlace,
  layout: Layout,
  firstChunk: number,
  source: Source,
  plaintext: Uint8Array,
  target: Uint8Array,
): Promise<number> {
  const { chunkBytes } = layout
  const start = firstChunk * chunkBytes
  const piece = plaintext.subarray(0, Math.min(plaintext.length, place.plaintextBytes - start))
  await source.read(place.plaintextStart + start, piece)
  const chunks = Math.max(1, Math.ceil(piece.length / chunkBytes))
  let written = 0
  for (let index = 0; index < chunks; index++) {
    const chunk = piece.subarray(index * chunkBytes, (index + 1) * chunkBytes)
    const chunkIndex = firstChunk + index
    const final = place.final && chunkIndex === place.chunks - 1
    const end = written + chunk.length + TAG_BYTES
    sealer.sealChunkInto(chunkIndex, final, chunk, target.subarray(written, end))
    written = end
  }
  return written
}

function pieceBytesOf({ chunkBytes }: Layout): number {
  return Math.max(chunkBytes, PIECE_BYTES)
}
