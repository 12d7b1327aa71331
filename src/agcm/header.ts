import { concat, equalSecret, readU32le, u32le, utf8 } from "../bytes.ts"
import { AeadKey, KEY_BYTES, NONCE_BYTES } from "../crypto/aead.ts"
import { hkdfSha512 } from "../crypto/kdf.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { checkGeometry, type Geometry, HEADER_BYTES, isGeometry, SALT_BYTES } from "./layout.ts"
import { RefusedError } from "./refused.ts"

const MAGIC = utf8("AGCM")
const VERSION = 2
const NO_FLAGS = 0
const COMMITMENT_BYTES = 32
const SALT_OFFSET = 24
const COMMITMENT_OFFSET = SALT_OFFSET + SALT_BYTES
const SEGMENT_INFO = concat(utf8("s3ep AGCM v2 segment+AEAD_AES_256_GCM"), new Uint8Array(1))

/** What one attempt at one segment is sealed with. */
export interface SegmentKeys extends Disposable {
  readonly chunkKey: AeadKey
  /** 12 bytes; XORed with the chunk's position and finality. */
  readonly baseNonce: Uint8Array
}

/** A parsed header; nothing in it is authenticated before its commitment was compared. */
export interface SegmentHeader extends Geometry {
  readonly segmentIndex: number
  /** 24 bytes. */
  readonly salt: Uint8Array
}

/**
 * The header and keys of a fresh attempt at a segment.
 *
 * @param dek - 32 bytes.
 * @param salt - 24 random bytes, never used before.
 * @see man/s3ep-format.5, "Segment header" and "Keys"
 */
export function createSegment(
  dek: SecretBytes,
  geometry: Geometry,
  segmentIndex: number,
  salt: Uint8Array,
): { header: Uint8Array<ArrayBuffer>; keys: SegmentKeys } {
  checkGeometry(geometry)
  if (salt.length !== SALT_BYTES) throw new RangeError(`segment salt of ${salt.length} bytes`)
  const prefix = concat(
    MAGIC,
    u32le(VERSION),
    u32le(geometry.chunkBytes),
    u32le(geometry.chunksPerSegment),
    u32le(segmentIndex),
    u32le(NO_FLAGS),
  )
  const { commitment, ...keys } = deriveSegmentKeys(dek, prefix, salt)
  return { header: concat(prefix, salt, commitment), keys }
}

/**
 * Read a segment header.
 *
 * @param header - 80 bytes.
 * @param expected - the position it must stand at, and the geometry of segment 0 for every later one.
 * @throws {RefusedError} "magic/version" or "geometry" for the first segment, "segment header" for a field
 * that does not belong where it stands.
 */
export function parseHeader(
  header: Uint8Array,
  expected: { segmentIndex: number; geometry?: Geometry | undefined },
): SegmentHeader {
  if (header.length !== HEADER_BYTES) throw new RangeError(`segment header of ${header.length} bytes`)
  const { segmentIndex } = expected
  const known = expected.geometry
  const genuine = MAGIC.every((byte, at) => header[at] === byte) && readU32le(header, 4) === VERSION
  if (!genuine) throw new RefusedError(known ? "segment header" : "magic/version", { segmentIndex })
  const geometry = { chunkBytes: readU32le(header, 8), chunksPerSegment: readU32le(header, 12) }
  if (known) {
    const same =
      known.chunkBytes === geometry.chunkBytes && known.chunksPerSegment === geometry.chunksPerSegment
    if (!same) throw new RefusedError("segment header", { segmentIndex })
  } else if (!isGeometry(geometry)) {
    throw new RefusedError("geometry", { segmentIndex })
  }
  if (readU32le(header, 16) !== segmentIndex || readU32le(header, 20) !== NO_FLAGS) {
    throw new RefusedError("segment header", { segmentIndex })
  }
  return { ...geometry, segmentIndex, salt: header.slice(SALT_OFFSET, COMMITMENT_OFFSET) }
}

/**
 * Derive the keys a header was made with, after checking that it commits to this DEK.
 *
 * @param dek - 32 bytes.
 * @param header - 80 bytes that `parseHeader` accepted.
 * @throws {RefusedError} "commitment": wrong key or damaged header.
 */
export function openHeader(dek: SecretBytes, header: Uint8Array): SegmentKeys {
  const { commitment, ...keys } = deriveSegmentKeys(
    dek,
    header.subarray(0, SALT_OFFSET),
    header.subarray(SALT_OFFSET, COMMITMENT_OFFSET),
  )
  if (!equalSecret(commitment, header.subarray(COMMITMENT_OFFSET))) {
    keys[Symbol.dispose]()
    throw new RefusedError("commitment", { segmentIndex: readU32le(header, 16) })
  }
  return keys
}

function deriveSegmentKeys(
  dek: SecretBytes,
  prefix: Uint8Array,
  salt: Uint8Array,
): SegmentKeys & { commitment: Uint8Array } {
  if (dek.length !== KEY_BYTES) throw new RangeError(`DEK of ${dek.length} bytes`)
  const info = concat(SEGMENT_INFO, prefix)
  using okm = hkdfSha512(dek.bytes, salt, info, KEY_BYTES + NONCE_BYTES + COMMITMENT_BYTES)
  const chunkKey = new AeadKey(okm.bytes.subarray(0, KEY_BYTES))
  return {
    chunkKey,
    baseNonce: okm.bytes.slice(KEY_BYTES, KEY_BYTES + NONCE_BYTES),
    commitment: okm.bytes.slice(KEY_BYTES + NONCE_BYTES),
    [Symbol.dispose]: () => chunkKey[Symbol.dispose](),
  }
}
