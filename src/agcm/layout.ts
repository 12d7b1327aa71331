import { TAG_BYTES } from "../crypto/aead.ts"

/** Magic, version, geometry, index, flags, salt, commitment. */
export const HEADER_BYTES = 80
export const SALT_BYTES = 24
export const SEAL_BYTES = 32

export const MIN_CHUNK_BYTES = 4096
export const MAX_CHUNK_BYTES = 16_777_216
export const DEFAULT_CHUNK_BYTES = 65_536
export const MAX_CHUNKS_PER_SEGMENT = 2 ** 31 - 1
const MAX_SEGMENTS = 2 ** 32

/** `C` and `K` of the format: what every segment header of an object repeats. */
export interface Geometry {
  /** Plaintext bytes of a full chunk, `C`: a power of two from 4 KiB to 16 MiB. */
  readonly chunkBytes: number
  /** Chunks of a full segment, `K`: 1 to 2^31 - 1. */
  readonly chunksPerSegment: number
}

/** Where everything of one object lies. All positions count from the start of the object. */
export interface Layout extends Geometry {
  /** `N`. */
  readonly plaintextBytes: number
  readonly ciphertextBytes: number
  readonly chunks: number
  readonly segments: number
}

/** One chunk of an object, and where its ciphertext ‖ tag lies. */
export interface ChunkPlace {
  readonly segmentIndex: number
  /** Within the segment. */
  readonly chunkIndex: number
  readonly final: boolean
  readonly ciphertextStart: number
  /** Ciphertext and tag. */
  readonly ciphertextBytes: number
  readonly plaintextStart: number
  readonly plaintextBytes: number
}

/** One segment of an object; its ciphertext begins with its header and does not include the seal. */
export interface SegmentPlace {
  readonly segmentIndex: number
  readonly final: boolean
  readonly chunks: number
  readonly ciphertextStart: number
  readonly ciphertextBytes: number
  readonly plaintextStart: number
  readonly plaintextBytes: number
}

/** Whether `C` and `K` are in the format's range. */
export function isGeometry({ chunkBytes, chunksPerSegment }: Geometry): boolean {
  return (
    Number.isInteger(Math.log2(chunkBytes)) &&
    chunkBytes >= MIN_CHUNK_BYTES &&
    chunkBytes <= MAX_CHUNK_BYTES &&
    Number.isInteger(chunksPerSegment) &&
    chunksPerSegment >= 1 &&
    chunksPerSegment <= MAX_CHUNKS_PER_SEGMENT
  )
}

/** @throws {RangeError} if `C` or `K` is out of range: a caller's bug. */
export function checkGeometry(geometry: Geometry): void {
  if (!isGeometry(geometry)) {
    throw new RangeError(
      `no such geometry: chunks of ${geometry.chunkBytes} bytes, ${geometry.chunksPerSegment} a segment`,
    )
  }
}

/** Ciphertext bytes of a full segment: header, `K` chunks and their tags. */
export function fullSegmentBytes(geometry: Geometry): number {
  return HEADER_BYTES + geometry.chunksPerSegment * (geometry.chunkBytes + TAG_BYTES)
}

/** Plaintext bytes of a full segment. */
export function segmentPlaintextBytes(geometry: Geometry): number {
  return geometry.chunksPerSegment * geometry.chunkBytes
}

/**
 * The layout of an object with `plaintextBytes` of plaintext.
 *
 * @throws {RangeError} if the geometry is out of range, or the object too large for it.
 */
export function layoutOfPlaintext(plaintextBytes: number, geometry: Geometry): Layout {
  checkGeometry(geometry)
  if (!Number.isSafeInteger(plaintextBytes) || plaintextBytes < 0) {
    throw new RangeError(`plaintext of ${plaintextBytes} bytes`)
  }
  const chunks = Math.max(1, Math.ceil(plaintextBytes / geometry.chunkBytes))
  const segments = Math.ceil(chunks / geometry.chunksPerSegment)
  if (segments > MAX_SEGMENTS) throw new RangeError(`${segments} segments are more than the format can count`)
  const ciphertextBytes = HEADER_BYTES * segments + plaintextBytes + TAG_BYTES * chunks + SEAL_BYTES
  if (!Number.isSafeInteger(ciphertextBytes)) throw new RangeError(`plaintext of ${plaintextBytes} bytes`)
  return { ...pick(geometry), plaintextBytes, ciphertextBytes, chunks, segments }
}

/**
 * The layout of a stored object.
 *
 * @param ciphertextBytes - its length, seal included.
 * @returns null if no plaintext length maps to that length.
 * @throws {RangeError} if the geometry is out of range.
 */
export function layoutOfCiphertext(ciphertextBytes: number, geometry: Geometry): Layout | null {
  checkGeometry(geometry)
  if (!Number.isSafeInteger(ciphertextBytes)) return null
  const body = ciphertextBytes - SEAL_BYTES
  if (body < HEADER_BYTES + TAG_BYTES) return null
  const segments = Math.ceil(body / fullSegmentBytes(geometry))
  // The geometry is the stored object's own: it may be too small for the length.
  if (segments > MAX_SEGMENTS) return null
  const lastSegment = body - (segments - 1) * fullSegmentBytes(geometry)
  const chunkArea = lastSegment - HEADER_BYTES
  if (chunkArea < TAG_BYTES) return null
  const lastChunks = Math.ceil(chunkArea / (geometry.chunkBytes + TAG_BYTES))
  const chunks = (segments - 1) * geometry.chunksPerSegment + lastChunks
  const plaintextBytes = body - HEADER_BYTES * segments - TAG_BYTES * chunks
  if (plaintextBytes < 0) return null
  // An empty last chunk exists in the empty object only, and layoutOfPlaintext never lays out another.
  const layout = layoutOfPlaintext(plaintextBytes, geometry)
  return layout.ciphertextBytes === ciphertextBytes ? layout : null
}

/** @throws {RangeError} if there is no such segment. */
export function placeOfSegment(layout: Layout, segmentIndex: number): SegmentPlace {
  if (!Number.isInteger(segmentIndex) || segmentIndex < 0 || segmentIndex >= layout.segments) {
    throw new RangeError(`segment ${segmentIndex} of ${layout.segments}`)
  }
  const final = segmentIndex === layout.segments - 1
  const plaintextStart = segmentIndex * segmentPlaintextBytes(layout)
  const plaintextBytes = final ? layout.plaintextBytes - plaintextStart : segmentPlaintextBytes(layout)
  const chunks = final ? layout.chunks - segmentIndex * layout.chunksPerSegment : layout.chunksPerSegment
  return {
    segmentIndex,
    final,
    chunks,
    ciphertextStart: segmentIndex * fullSegmentBytes(layout),
    ciphertextBytes: HEADER_BYTES + plaintextBytes + TAG_BYTES * chunks,
    plaintextStart,
    plaintextBytes,
  }
}

/**
 * Where a chunk lies.
 *
 * @param objectChunkIndex - counted over the whole object, from 0.
 * @throws {RangeError} if there is no such chunk.
 */
export function placeOfChunk(layout: Layout, objectChunkIndex: number): ChunkPlace {
  if (!Number.isInteger(objectChunkIndex) || objectChunkIndex < 0 || objectChunkIndex >= layout.chunks) {
    throw new RangeError(`chunk ${objectChunkIndex} of ${layout.chunks}`)
  }
  const segmentIndex = Math.floor(objectChunkIndex / layout.chunksPerSegment)
  const chunkIndex = objectChunkIndex - segmentIndex * layout.chunksPerSegment
  const plaintextStart = objectChunkIndex * layout.chunkBytes
  const plaintextBytes = Math.min(layout.chunkBytes, layout.plaintextBytes - plaintextStart)
  return {
    segmentIndex,
    chunkIndex,
    final: objectChunkIndex === layout.chunks - 1,
    ciphertextStart:
      segmentIndex * fullSegmentBytes(layout) + HEADER_BYTES + chunkIndex * (layout.chunkBytes + TAG_BYTES),
    ciphertextBytes: plaintextBytes + TAG_BYTES,
    plaintextStart,
    plaintextBytes,
  }
}

function pick({ chunkBytes, chunksPerSegment }: Geometry): Geometry {
  return { chunkBytes, chunksPerSegment }
}
