import { describe, expect, test } from "vitest"
import { HEADER_BYTES, layoutOfCiphertext, layoutOfPlaintext } from "../../../src/agcm/layout.ts"
import { RefusedError } from "../../../src/agcm/refused.ts"
import { openSegment, SegmentSealer, sealSegment } from "../../../src/agcm/segment.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"

const geometry = { chunkBytes: 4096, chunksPerSegment: 3 }
const sealedChunkBytes = 4096 + 16
const dek = new SecretBytes(new Uint8Array(32).fill(7))
const salt = new Uint8Array(24).fill(9)

function reasonOf(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error instanceof RefusedError ? error.reason : error
  }
}

describe("what a writer may not seal", () => {
  test.each([0, 4096, 8192])("a segment of %i bytes that is neither full nor the last", (bytes) => {
    const plaintext = new Uint8Array(bytes)
    expect(() => sealSegment(dek, geometry, { index: 0, salt, plaintext, final: false })).toThrow(RangeError)
  })

  test("an empty segment after another", () => {
    const plaintext = new Uint8Array(0)
    expect(() => sealSegment(dek, geometry, { index: 1, salt, plaintext, final: true })).toThrow(RangeError)
  })

  test.each([
    { why: "an empty chunk after another", chunkIndex: 1, bytes: 0 },
    { why: "a chunk past the last of a segment", chunkIndex: 3, bytes: 4096 },
    { why: "a chunk before the first", chunkIndex: -1, bytes: 4096 },
    { why: "half an index", chunkIndex: 0.5, bytes: 4096 },
    { why: "more than a chunk", chunkIndex: 0, bytes: 4097 },
  ])("$why", ({ chunkIndex, bytes }) => {
    using sealer = new SegmentSealer(dek, geometry, 0, salt)
    const target = new Uint8Array(bytes + 16)
    expect(() => sealer.sealChunkInto(chunkIndex, true, new Uint8Array(bytes), target)).toThrow(RangeError)
  })

  test.each([
    [0, 0],
    [1, 1],
    [2, 1],
  ])("after chunk %i, chunk %i: its nonce may be spent", (first, second) => {
    using sealer = new SegmentSealer(dek, geometry, 0, salt)
    const chunk = new Uint8Array(4096)
    sealer.sealChunkInto(first, false, chunk, new Uint8Array(sealedChunkBytes))
    for (const final of [false, true]) {
      const target = new Uint8Array(sealedChunkBytes)
      expect(() => sealer.sealChunkInto(second, final, chunk, target)).toThrow(RangeError)
    }
  })

  test("anything once its keys were wiped", () => {
    const sealer = new SegmentSealer(dek, geometry, 0, salt)
    sealer[Symbol.dispose]()
    const target = new Uint8Array(17)
    expect(() => sealer.sealChunkInto(0, true, new Uint8Array(1), target)).toThrow(TypeError)
    expect(target).toEqual(new Uint8Array(17))
  })
})

describe("a segment cut where a chunk ends", () => {
  const plaintext = new Uint8Array(3 * 4096).fill(1)
  const sealed = sealSegment(dek, geometry, { index: 0, salt, plaintext, final: false })

  test.each([0, 1, 2])("after %i of its chunks it is refused", (chunks) => {
    const cut = sealed.subarray(0, HEADER_BYTES + chunks * sealedChunkBytes)
    expect(reasonOf(() => openSegment(dek, cut, { segmentIndex: 0, final: false }))).toBe("length")
  })

  test.each([0, 1, 79])("within its header, at %i, it is refused", (bytes) => {
    const cut = sealed.subarray(0, bytes)
    expect(reasonOf(() => openSegment(dek, cut, { segmentIndex: 0, final: false }))).toBe("length")
  })

  test("a last one without any chunk is refused", () => {
    const last = sealSegment(dek, geometry, { index: 0, salt, plaintext: new Uint8Array(5), final: true })
    const header = last.subarray(0, HEADER_BYTES)
    expect(reasonOf(() => openSegment(dek, header, { segmentIndex: 0, final: true }))).toBe("length")
  })

  test("one with too many chunks is refused", () => {
    const long = new Uint8Array(sealed.length + sealedChunkBytes)
    long.set(sealed)
    expect(reasonOf(() => openSegment(dek, long, { segmentIndex: 0, final: true }))).toBe("length")
  })
})

describe("objects beyond what can be counted", () => {
  const smallest = { chunkBytes: 4096, chunksPerSegment: 1 }

  test("a stored length that needs more than 2^32 segments maps to nothing", () => {
    expect(layoutOfCiphertext(2 ** 32 * (80 + 4112) + 32, smallest)?.segments).toBe(2 ** 32)
    expect(layoutOfCiphertext(2 ** 32 * (80 + 4112) + 32 + 80 + 17, smallest)).toBeNull()
  })

  test("a plaintext that needs more than 2^32 segments has no layout", () => {
    expect(layoutOfPlaintext(2 ** 44, smallest).segments).toBe(2 ** 32)
    expect(() => layoutOfPlaintext(2 ** 44 + 1, smallest)).toThrow(RangeError)
  })

  test("a plaintext whose ciphertext has no exact length has no layout", () => {
    const large = { chunkBytes: 16_777_216, chunksPerSegment: 2 ** 20 }
    expect(() => layoutOfPlaintext(Number.MAX_SAFE_INTEGER, large)).toThrow(RangeError)
  })

  test.each([
    [4095, 1],
    [4097, 1],
    [2048, 1],
    [2 ** 25, 1],
    [4096, 0],
    [4096, 2 ** 31],
    [4096, 1.5],
    [Number.NaN, 1],
  ])("no geometry of C = %d and K = %d", (chunkBytes, chunksPerSegment) => {
    expect(() => layoutOfPlaintext(1, { chunkBytes, chunksPerSegment })).toThrow(RangeError)
  })
})
