import { parseHeader } from "../../../src/agcm/header.ts"
import {
  type Geometry,
  HEADER_BYTES,
  type Layout,
  layoutOfCiphertext,
  placeOfSegment,
  SALT_BYTES,
  SEAL_BYTES,
} from "../../../src/agcm/layout.ts"
import { SegmentSealer } from "../../../src/agcm/segment.ts"
import { TAG_BYTES } from "../../../src/crypto/aead.ts"
import type { SecretBytes } from "../../../src/crypto/secret.ts"

/** Of a part that was received and thrown away: what cannot be made again. */
export interface KeptPart {
  readonly bytes: number
  /** The first 80 bytes: the header of the segment it is. */
  readonly head: Uint8Array
  /** The last 32: in the last part, the seal. */
  readonly tail: Uint8Array
}

// Large enough that little is spent on each; small enough to start sending soon.
const PIECE_CHUNKS = 16

/**
 * An object whose plaintext is all zeros: with its DEK, and the salts of its segments, its ciphertext can be made
 * again, byte for byte, as often as it is asked for. So it takes no room.
 */
export class HollowObject {
  readonly bytes: number
  readonly #parts: readonly KeptPart[]
  readonly #dek: SecretBytes
  readonly #layout: Layout

  /** @throws {RangeError} if the parts are not the segments of an object that s3ep wrote. */
  constructor(parts: readonly KeptPart[], dek: SecretBytes) {
    this.#parts = parts
    this.#dek = dek
    this.bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
    const [first] = parts
    const layout = first && layoutOfCiphertext(this.bytes, geometryOf(first))
    if (!layout || layout.segments !== parts.length) throw new RangeError("parts that are not segments")
    this.#layout = layout
  }

  /** Stored bytes from `start` up to `end`, in pieces of about 1 MiB, each in memory of its own. */
  *read(start: number, end: number): Generator<Uint8Array, void, undefined> {
    let position = 0
    for (let segmentIndex = 0; segmentIndex < this.#parts.length && position < end; segmentIndex++) {
      const { bytes } = this.#part(segmentIndex)
      if (position + bytes > start) {
        for (const { at, piece } of this.#segment(segmentIndex, start - position, end - position)) {
          const from = Math.max(0, start - position - at)
          const to = Math.min(piece.length, end - position - at)
          if (from < to) yield piece.subarray(from, to)
        }
      }
      position += bytes
    }
  }

  /** The pieces of a segment that overlap a range, whole, with their offsets. */
  *#segment(segmentIndex: number, start: number, end: number) {
    const { chunkBytes } = this.#layout
    const { head, tail } = this.#part(segmentIndex)
    const place = placeOfSegment(this.#layout, segmentIndex)
    using sealer = new SegmentSealer(this.#dek, this.#layout, segmentIndex, saltOf(head))
    yield { at: 0, piece: head }
    const zeros = new Uint8Array(chunkBytes)
    for (let first = 0; first < place.chunks; first += PIECE_CHUNKS) {
      const at = HEADER_BYTES + first * (chunkBytes + TAG_BYTES)
      const chunks = Math.min(PIECE_CHUNKS, place.chunks - first)
      const plaintextBytes = Math.min(chunks * chunkBytes, place.plaintextBytes - first * chunkBytes)
      const pieceBytes = plaintextBytes + chunks * TAG_BYTES
      if (at + pieceBytes <= start || at >= end) continue
      const piece = new Uint8Array(pieceBytes)
      for (let chunk = 0; chunk < chunks; chunk++) {
        const plaintext = zeros.subarray(0, Math.min(chunkBytes, plaintextBytes - chunk * chunkBytes))
        const offset = chunk * (chunkBytes + TAG_BYTES)
        const target = piece.subarray(offset, offset + plaintext.length + TAG_BYTES)
        const final = place.final && first + chunk === place.chunks - 1
        sealer.sealChunkInto(first + chunk, final, plaintext, target)
      }
      yield { at, piece }
    }
    if (place.final) yield { at: place.ciphertextBytes, piece: tail.subarray(-SEAL_BYTES) }
  }

  #part(segmentIndex: number): KeptPart {
    const part = this.#parts[segmentIndex]
    if (!part) throw new RangeError(`part ${segmentIndex + 1} of ${this.#parts.length}`)
    return part
  }
}

function geometryOf({ head }: KeptPart): Geometry {
  return parseHeader(head, { segmentIndex: 0 })
}

function saltOf(head: Uint8Array): Uint8Array {
  return head.subarray(HEADER_BYTES - 32 - SALT_BYTES, HEADER_BYTES - 32)
}
