import { concat } from "../bytes.ts"
import { aeadOpen, aeadSealInto, TAG_BYTES } from "../crypto/aead.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { createSegment, openHeader, parseHeader, type SegmentHeader, type SegmentKeys } from "./header.ts"
import { fullSegmentBytes, type Geometry, HEADER_BYTES, segmentPlaintextBytes } from "./layout.ts"
import { RefusedError } from "./refused.ts"

/** Seals the chunks of one attempt at one segment, in order, each at most once: so no nonce can repeat. */
export class SegmentSealer implements Disposable {
  /** 80 bytes, to stand before the chunks. */
  readonly header: Uint8Array<ArrayBuffer>
  readonly #keys: SegmentKeys
  readonly #geometry: Geometry
  readonly #segmentIndex: number
  #nextChunkIndex = 0

  /**
   * @param dek - 32 bytes; borrowed for the constructor only.
   * @param salt - 24 random bytes drawn for this attempt and used by no other.
   */
  constructor(dek: SecretBytes, geometry: Geometry, segmentIndex: number, salt: Uint8Array) {
    const { header, keys } = createSegment(dek, geometry, segmentIndex, salt)
    this.header = header
    this.#keys = keys
    this.#geometry = geometry
    this.#segmentIndex = segmentIndex
  }

  /**
   * @param chunkIndex - within the segment, larger than at the call before.
   * @param final - whether this is the last chunk of the whole object.
   * @param target - receives ciphertext ‖ tag, `plaintext.length + 16` bytes; not overlapping `plaintext`.
   * @throws {RangeError} if no object has such a chunk there: a caller's bug.
   */
  sealChunkInto(chunkIndex: number, final: boolean, plaintext: Uint8Array, target: Uint8Array): void {
    const { chunkBytes, chunksPerSegment } = this.#geometry
    // What is no such integer would be cut to 32 bits, and so share the nonce of another chunk.
    const isNext = Number.isInteger(chunkIndex) && chunkIndex >= this.#nextChunkIndex
    if (!isNext || chunkIndex >= chunksPerSegment) {
      throw new RangeError(`chunk ${chunkIndex} where ${this.#nextChunkIndex} of ${chunksPerSegment} is next`)
    }
    if (plaintext.length > chunkBytes || (!final && plaintext.length < chunkBytes)) {
      throw new RangeError(`chunk of ${plaintext.length} bytes where ${chunkBytes} make one`)
    }
    if (plaintext.length === 0 && (chunkIndex > 0 || this.#segmentIndex > 0)) {
      throw new RangeError("an empty chunk in an object that is not empty")
    }
    this.#nextChunkIndex = chunkIndex + 1
    const nonce = chunkNonce(this.#keys.baseNonce, chunkIndex, final)
    aeadSealInto(this.#keys.chunkKey, nonce, plaintext, target)
  }

  [Symbol.dispose](): void {
    this.#keys[Symbol.dispose]()
  }
}

/** Ciphertext bytes of a segment with that much plaintext, header and tags included. */
export function sealedSegmentBytes(plaintextBytes: number, geometry: Geometry): number {
  const chunks = Math.max(1, Math.ceil(plaintextBytes / geometry.chunkBytes))
  return HEADER_BYTES + plaintextBytes + TAG_BYTES * chunks
}

/**
 * Seal a whole segment.
 *
 * @param segment.plaintext - a full segment's bytes, fewer only in the final one.
 * @param segment.salt - 24 random bytes drawn for this attempt and used by no other.
 * @param target - receives the segment, exactly `sealedSegmentBytes(...)` long; made anew if not given.
 * @returns `target`.
 */
export function sealSegment(
  dek: SecretBytes,
  geometry: Geometry,
  segment: { index: number; salt: Uint8Array; plaintext: Uint8Array; final: boolean },
  target: Uint8Array = new Uint8Array(sealedSegmentBytes(segment.plaintext.length, geometry)),
): Uint8Array {
  const { plaintext, final } = segment
  const fullBytes = segmentPlaintextBytes(geometry)
  if (plaintext.length > fullBytes || (!final && plaintext.length < fullBytes)) {
    throw new RangeError(`segment of ${plaintext.length} bytes where ${fullBytes} make one`)
  }
  if (target.length !== sealedSegmentBytes(plaintext.length, geometry)) {
    throw new RangeError(`target of ${target.length} bytes for a segment of ${plaintext.length}`)
  }
  using sealer = new SegmentSealer(dek, geometry, segment.index, segment.salt)
  target.set(sealer.header, 0)
  let written = HEADER_BYTES
  const chunks = Math.max(1, Math.ceil(plaintext.length / geometry.chunkBytes))
  for (let chunkIndex = 0; chunkIndex < chunks; chunkIndex++) {
    const start = chunkIndex * geometry.chunkBytes
    const chunk = plaintext.subarray(start, start + geometry.chunkBytes)
    const end = written + chunk.length + TAG_BYTES
    sealer.sealChunkInto(chunkIndex, final && chunkIndex === chunks - 1, chunk, target.subarray(written, end))
    written = end
  }
  return target
}

/** Opens the chunks of one segment, in any order. */
export class SegmentOpener implements Disposable {
  readonly header: SegmentHeader
  readonly #keys: SegmentKeys

  /**
   * @param dek - 32 bytes; borrowed for the constructor only.
   * @param header - the segment's 80 bytes.
   * @param expected - see `parseHeader`.
   * @throws {RefusedError} as `parseHeader`, or "commitment" if the key is not the one it was sealed with.
   */
  constructor(
    dek: SecretBytes,
    header: Uint8Array,
    expected: { segmentIndex: number; geometry?: Geometry | undefined },
  ) {
    this.header = parseHeader(header, expected)
    this.#keys = openHeader(dek, header)
  }

  /**
   * @param chunkIndex - within the segment.
   * @param final - whether this must be the last chunk of the whole object.
   * @param sealed - ciphertext ‖ tag.
   * @throws {RefusedError} "tag", or "empty chunk" for an empty one that is not the whole of an empty object.
   */
  openChunk(chunkIndex: number, final: boolean, sealed: Uint8Array): Uint8Array<ArrayBuffer> {
    const place = { segmentIndex: this.header.segmentIndex, chunkIndex }
    const mayBeEmpty = final && chunkIndex === 0 && this.header.segmentIndex === 0
    if (sealed.length === TAG_BYTES && !mayBeEmpty) throw new RefusedError("empty chunk", place)
    const nonce = chunkNonce(this.#keys.baseNonce, chunkIndex, final)
    const plaintext = aeadOpen(this.#keys.chunkKey, nonce, sealed)
    if (!plaintext) throw new RefusedError("tag", place)
    return plaintext
  }

  [Symbol.dispose](): void {
    this.#keys[Symbol.dispose]()
  }
}

/**
 * Open a whole segment.
 *
 * @param sealed - header, chunks and tags, without the seal.
 * @param expected.final - whether the object's last chunk is in it.
 * @returns its salt, for the seal, and its plaintext, chunk by chunk; none is returned unless all verified.
 * @throws {RefusedError} as `SegmentOpener`, or "length" if it is cut, or not full and not the final one.
 */
export function openSegment(
  dek: SecretBytes,
  sealed: Uint8Array,
  expected: { segmentIndex: number; geometry?: Geometry | undefined; final: boolean },
): { header: SegmentHeader; chunks: Uint8Array<ArrayBuffer>[] } {
  const { segmentIndex } = expected
  if (sealed.length < HEADER_BYTES) throw new RefusedError("length", { segmentIndex })
  using opener = new SegmentOpener(dek, sealed.subarray(0, HEADER_BYTES), expected)
  const fullBytes = fullSegmentBytes(opener.header)
  const fits = expected.final
    ? sealed.length >= HEADER_BYTES + TAG_BYTES && sealed.length <= fullBytes
    : sealed.length === fullBytes
  if (!fits) throw new RefusedError("length", { segmentIndex })
  const step = opener.header.chunkBytes + TAG_BYTES
  const chunks: Uint8Array<ArrayBuffer>[] = []
  for (let start = HEADER_BYTES; start < sealed.length; start += step) {
    const final = expected.final && start + step >= sealed.length
    chunks.push(opener.openChunk(chunks.length, final, sealed.subarray(start, start + step)))
  }
  return { header: opener.header, chunks }
}

// base nonce XOR (7 zero bytes || chunk index as u32 big-endian || final)
function chunkNonce(baseNonce: Uint8Array, chunkIndex: number, final: boolean): Uint8Array {
  const nonce = concat(baseNonce)
  const view = new DataView(nonce.buffer)
  view.setUint32(7, (view.getUint32(7) ^ chunkIndex) >>> 0)
  view.setUint8(11, view.getUint8(11) ^ (final ? 1 : 0))
  return nonce
}
