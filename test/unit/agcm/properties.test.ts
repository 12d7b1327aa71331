import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  fullSegmentBytes,
  type Geometry,
  HEADER_BYTES,
  layoutOfCiphertext,
  layoutOfPlaintext,
  placeOfChunk,
  placeOfSegment,
  SEAL_BYTES,
} from "../../../src/agcm/layout.ts"
import { RefusedError } from "../../../src/agcm/refused.ts"
import { computeSeal, verifySeal } from "../../../src/agcm/seal.ts"
import { openSegment, SegmentOpener, sealSegment } from "../../../src/agcm/segment.ts"
import { openStream, sealStream } from "../../../src/agcm/stream.ts"
import { concat } from "../../../src/bytes.ts"
import { sha256 } from "../../../src/crypto/kdf.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"

fc.configureGlobal({ numRuns: 50 })

const C = 4096
const MAX_K = 4

const geometries = fc
  .integer({ min: 1, max: MAX_K })
  .map((chunksPerSegment) => ({ chunkBytes: C, chunksPerSegment }))
const boundaries = (K: number) => {
  const around = [C, 2 * C, K * C, 2 * K * C, 3 * K * C].flatMap((size) => [size - 1, size, size + 1])
  return [...new Set([0, 1, 15, 16, 17, ...around])]
}
const objects = geometries.chain((geometry) =>
  fc.record({
    geometry: fc.constant(geometry),
    bytes: fc.oneof(
      fc.constantFrom(...boundaries(geometry.chunksPerSegment)),
      fc.integer({ min: 0, max: 3 * geometry.chunksPerSegment * C }),
    ),
  }),
)
const cuts = fc.array(fc.integer({ min: 1, max: 3 * C }), { minLength: 1, maxLength: 20 })

const dek = new SecretBytes(new Uint8Array(sha256(new Uint8Array([1]))))
const saltOf = (attempt: number, segmentIndex: number) =>
  sha256(new Uint8Array([attempt, segmentIndex])).slice(0, 24)

function plaintextOf(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + (at >> 8)) & 0xff)
}

async function* sliced(bytes: Uint8Array, at: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let start = 0, next = 0; start < bytes.length; next++) {
    const step = at[next % at.length] ?? 1
    yield bytes.slice(start, start + step)
    start += step
  }
}

/** Passes slices on and keeps them: one that was given back has no bytes any more. */
async function* recorded(
  source: AsyncIterable<Uint8Array>,
  slices: Uint8Array[],
): AsyncGenerator<Uint8Array> {
  for await (const slice of source) {
    slices.push(slice)
    yield slice
  }
}

function sealed(
  bytes: number,
  geometry: Geometry,
  attempt = 0,
): { whole: Uint8Array; segments: Uint8Array[] } {
  const plaintext = plaintextOf(bytes)
  const layout = layoutOfPlaintext(bytes, geometry)
  const places = Array.from({ length: layout.segments }, (_, index) => placeOfSegment(layout, index))
  const segments = places.map(({ segmentIndex: index, plaintextStart, plaintextBytes, final }) => {
    const part = plaintext.subarray(plaintextStart, plaintextStart + plaintextBytes)
    return sealSegment(dek, geometry, { index, salt: saltOf(attempt, index), plaintext: part, final })
  })
  const seal = computeSeal(
    dek,
    bytes,
    places.map(({ segmentIndex }) => saltOf(attempt, segmentIndex)),
  )
  return { whole: concat(...segments, seal), segments }
}

interface Outcome {
  readonly released: Uint8Array
  /** Undefined if it opened to its end. */
  readonly error: unknown
}

async function openedAsStream(stored: Uint8Array, at: readonly number[] = [C]): Promise<Outcome> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of openStream(dek, sliced(stored, at))) pieces.push(piece)
    return { released: concat(...pieces), error: undefined }
  } catch (error) {
    return { released: concat(...pieces), error }
  }
}

/** Segment by segment, by the places that the stored length and the first header give. */
function openedBySegments(stored: Uint8Array): Outcome {
  const pieces: Uint8Array[] = []
  try {
    if (stored.length < HEADER_BYTES) throw new RefusedError("too short")
    using first = new SegmentOpener(dek, stored.subarray(0, HEADER_BYTES), { segmentIndex: 0 })
    const geometry = first.header
    const layout = layoutOfCiphertext(stored.length, geometry)
    if (!layout) throw new RefusedError("length")
    const salts: Uint8Array[] = []
    for (let segmentIndex = 0; segmentIndex < layout.segments; segmentIndex++) {
      const { ciphertextStart, ciphertextBytes, final } = placeOfSegment(layout, segmentIndex)
      const part = stored.subarray(ciphertextStart, ciphertextStart + ciphertextBytes)
      const { header, chunks } = openSegment(dek, part, { segmentIndex, geometry, final })
      salts.push(header.salt)
      pieces.push(...chunks)
    }
    verifySeal(dek, layout.plaintextBytes, salts, stored.subarray(stored.length - SEAL_BYTES))
    return { released: concat(...pieces), error: undefined }
  } catch (error) {
    return { released: concat(...pieces), error }
  }
}

/** Both ways of reading refuse it, and neither releases a byte that was not written there. */
async function expectRefused(stored: Uint8Array, bytes: number, at?: readonly number[]): Promise<void> {
  const plaintext = plaintextOf(bytes)
  for (const { released, error } of [await openedAsStream(stored, at), openedBySegments(stored)]) {
    expect(error).toBeInstanceOf(RefusedError)
    expect(Buffer.compare(released, plaintext.subarray(0, released.length))).toBe(0)
  }
}

const sizes = [1, 2, 3, 4].flatMap((K) => boundaries(K).map((bytes) => ({ K, bytes })))

test.each(sizes)("$bytes bytes in segments of $K come back, however they are read", async ({ K, bytes }) => {
  const geometry = { chunkBytes: C, chunksPerSegment: K }
  const { whole } = sealed(bytes, geometry)
  expect(whole.length).toBe(layoutOfPlaintext(bytes, geometry).ciphertextBytes)
  for (const { released, error } of [await openedAsStream(whole), openedBySegments(whole)]) {
    expect(error).toBeUndefined()
    expect(Buffer.compare(released, plaintextOf(bytes))).toBe(0)
  }
})

describe("slicing never matters", () => {
  test("when sealing, whether or not memory is given back on the way", async () => {
    await fc.assert(
      fc.asyncProperty(objects, cuts, fc.boolean(), async ({ geometry, bytes }, at, ownMemory) => {
        let segmentIndex = 0
        const drawSalt = () => saltOf(0, segmentIndex++)
        const pieces: Uint8Array[] = []
        const slices: Uint8Array[] = []
        const source = recorded(sliced(plaintextOf(bytes), at), slices)
        for await (const piece of sealStream(dek, geometry, source, drawSalt, ownMemory)) pieces.push(piece)
        expect(Buffer.compare(concat(...pieces), sealed(bytes, geometry).whole)).toBe(0)
        const left = slices.reduce((sum, slice) => sum + slice.length, 0)
        // The last piece may be what the last chunk was taken of.
        if (ownMemory) expect(left).toBeLessThanOrEqual(slices.at(-1)?.length ?? 0)
        else expect(left).toBe(bytes)
      }),
    )
  })

  test("when opening", async () => {
    await fc.assert(
      fc.asyncProperty(objects, cuts, async ({ geometry, bytes }, at) => {
        const { released, error } = await openedAsStream(sealed(bytes, geometry).whole, at)
        expect(error).toBeUndefined()
        expect(Buffer.compare(released, plaintextOf(bytes))).toBe(0)
      }),
    )
  })
})

describe("refused", () => {
  test.each([0, 1])("every flipped bit of an object of %i bytes", async (bytes) => {
    const { whole } = sealed(bytes, { chunkBytes: C, chunksPerSegment: 1 })
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const stored = whole.slice()
      stored[bit >> 3] = (stored[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await expectRefused(stored, bytes)
    }
  })

  test("any flipped bit", async () => {
    await fc.assert(
      fc.asyncProperty(objects, fc.nat(), cuts, async ({ geometry, bytes }, anywhere, at) => {
        const stored = sealed(bytes, geometry).whole
        const bit = anywhere % (stored.length * 8)
        stored[bit >> 3] = (stored[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        await expectRefused(stored, bytes, at)
      }),
    )
  })

  test("any cut", async () => {
    await fc.assert(
      fc.asyncProperty(objects, fc.nat(), cuts, async ({ geometry, bytes }, anywhere, at) => {
        const { whole } = sealed(bytes, geometry)
        await expectRefused(whole.subarray(0, anywhere % whole.length), bytes, at)
      }),
    )
  })

  test("any cut where a chunk ends, with the seal put back", async () => {
    await fc.assert(
      fc.asyncProperty(objects, fc.nat(), async ({ geometry, bytes }, anywhere) => {
        const { whole } = sealed(bytes, geometry)
        const layout = layoutOfPlaintext(bytes, geometry)
        const { ciphertextStart } = placeOfChunk(layout, anywhere % layout.chunks)
        const seal = whole.subarray(whole.length - SEAL_BYTES)
        await expectRefused(concat(whole.subarray(0, ciphertextStart), seal), bytes)
      }),
    )
  })

  test("any bytes cut out", async () => {
    await fc.assert(
      fc.asyncProperty(objects, fc.nat(), fc.nat(), async ({ geometry, bytes }, anywhere, some) => {
        const { whole } = sealed(bytes, geometry)
        const start = anywhere % whole.length
        const count = 1 + (some % (whole.length - start))
        await expectRefused(concat(whole.subarray(0, start), whole.subarray(start + count)), bytes)
      }),
    )
  })

  test("any bytes appended", async () => {
    const more = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.constant(new Uint8Array(2 * C)))
    await fc.assert(
      fc.asyncProperty(objects, more, cuts, async ({ geometry, bytes }, appended, at) => {
        await expectRefused(concat(sealed(bytes, geometry).whole, appended), bytes, at)
      }),
    )
  })

  test("the object twice", async () => {
    await fc.assert(
      fc.asyncProperty(objects, async ({ geometry, bytes }) => {
        const { whole } = sealed(bytes, geometry)
        await expectRefused(concat(whole, whole), bytes)
      }),
    )
  })

  const ofSegments = fc.record({
    K: fc.integer({ min: 1, max: 3 }),
    segments: fc.integer({ min: 2, max: 5 }),
  })

  test("any two segments swapped, repeated or left out", async () => {
    await fc.assert(
      fc.asyncProperty(ofSegments, fc.nat(), fc.nat(), async ({ K, segments: count }, any, other) => {
        const geometry = { chunkBytes: C, chunksPerSegment: K }
        const bytes = count * K * C
        const { whole, segments } = sealed(bytes, geometry)
        const seal = whole.subarray(count * fullSegmentBytes(geometry))
        const i = any % count
        const j = (i + 1 + (other % (count - 1))) % count
        const at = (index: number) => segments[index] ?? new Uint8Array()
        const swapped = segments.map((segment, index) =>
          index === i ? at(j) : index === j ? at(i) : segment,
        )
        const repeated = segments.map((segment, index) => (index === i ? at(j) : segment))
        await expectRefused(concat(...swapped, seal), bytes)
        await expectRefused(concat(...repeated, seal), bytes)
        await expectRefused(concat(...segments.toSpliced(i, 1), seal), bytes)
        await expectRefused(concat(...segments.toSpliced(i, 0, at(i)), seal), bytes)
      }),
      { numRuns: 40 },
    )
  })

  test("any mixture of two attempts, under either's seal", async () => {
    await fc.assert(
      fc.asyncProperty(ofSegments, fc.nat(), async ({ K, segments: count }, choice) => {
        const geometry = { chunkBytes: C, chunksPerSegment: K }
        const bytes = count * K * C - 1
        const attempts = [sealed(bytes, geometry, 0), sealed(bytes, geometry, 1)] as const
        // At least one segment of each attempt.
        const mask = 1 + (choice % (2 ** count - 2))
        const mixed = Array.from(
          { length: count },
          (_, index) => attempts[(mask >> index) & 1 ? 1 : 0].segments[index] ?? new Uint8Array(),
        )
        for (const { whole } of attempts) {
          const seal = whole.subarray(whole.length - SEAL_BYTES)
          await expectRefused(concat(...mixed, seal), bytes)
        }
      }),
      { numRuns: 40 },
    )
  })

  test("any chunk moved to another place", async () => {
    await fc.assert(
      fc.asyncProperty(ofSegments, fc.nat(), fc.nat(), async ({ K, segments: count }, any, other) => {
        const geometry = { chunkBytes: C, chunksPerSegment: K }
        const bytes = count * K * C
        const layout = layoutOfPlaintext(bytes, geometry)
        const stored = sealed(bytes, geometry).whole
        const i = any % layout.chunks
        const from = placeOfChunk(layout, i)
        const to = placeOfChunk(layout, (i + 1 + (other % (layout.chunks - 1))) % layout.chunks)
        stored.copyWithin(
          to.ciphertextStart,
          from.ciphertextStart,
          from.ciphertextStart + from.ciphertextBytes,
        )
        await expectRefused(stored, bytes)
      }),
    )
  })

  test("any other key", async () => {
    const { whole } = sealed(3 * C, { chunkBytes: C, chunksPerSegment: 2 })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 255 }), async (bit) => {
        const bytes = dek.bytes.slice()
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const opening = openStream(new SecretBytes(bytes), sliced(whole, [C])).next()
        await expect(opening).rejects.toMatchObject({ reason: "commitment" })
      }),
    )
  })
})

describe("layout", () => {
  const anyGeometry = fc.record({
    chunkBytes: fc.integer({ min: 12, max: 24 }).map((log) => 2 ** log),
    chunksPerSegment: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2 ** 31 - 1 })),
  })
  // S3's largest object is 50 TB; no geometry makes segments small enough to run out of numbers below 2^44.
  const anyLength = fc.oneof(
    fc.integer({ min: 0, max: 2 ** 17 }),
    fc.maxSafeNat().map((n) => n % 2 ** 44),
  )

  test("of plaintext and of ciphertext are one", () => {
    fc.assert(
      fc.property(anyGeometry, anyLength, (geometry, bytes) => {
        const layout = layoutOfPlaintext(bytes, geometry)
        expect(layoutOfCiphertext(layout.ciphertextBytes, geometry)).toEqual(layout)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([1, 2, 3])("maps exactly the lengths that some plaintext has, K = %i", (K) => {
    const geometry = { chunkBytes: C, chunksPerSegment: K }
    const limit = 2 * fullSegmentBytes(geometry) + SEAL_BYTES + 200
    const lengths = new Map<number, number>()
    for (let bytes = 0; ; bytes++) {
      const { ciphertextBytes } = layoutOfPlaintext(bytes, geometry)
      if (ciphertextBytes > limit) break
      lengths.set(ciphertextBytes, bytes)
    }
    for (let length = -1; length <= limit; length++) {
      const known = layoutOfCiphertext(length, geometry)?.plaintextBytes
      if (known !== lengths.get(length))
        expect({ length, known }).toEqual({ length, known: lengths.get(length) })
    }
    expect(layoutOfCiphertext(limit + 0.5, geometry)).toBeNull()
    expect(layoutOfCiphertext(Number.NaN, geometry)).toBeNull()
  })

  test("segments and chunks lie end to end and hold everything", () => {
    fc.assert(
      fc.property(objects, ({ geometry, bytes }) => {
        const layout = layoutOfPlaintext(bytes, geometry)
        let ciphertext = 0
        let plaintext = 0
        let chunks = 0
        for (let index = 0; index < layout.segments; index++) {
          const segment = placeOfSegment(layout, index)
          expect(segment).toMatchObject({ ciphertextStart: ciphertext, plaintextStart: plaintext })
          expect(segment.final).toBe(index === layout.segments - 1)
          let end = ciphertext + HEADER_BYTES
          for (let chunkIndex = 0; chunkIndex < segment.chunks; chunkIndex++) {
            const chunk = placeOfChunk(layout, chunks++)
            expect(chunk).toMatchObject({ segmentIndex: index, chunkIndex, ciphertextStart: end })
            expect(chunk.plaintextStart).toBe(plaintext)
            expect(chunk.final).toBe(chunks === layout.chunks)
            end += chunk.ciphertextBytes
            plaintext += chunk.plaintextBytes
          }
          ciphertext += segment.ciphertextBytes
          expect(end).toBe(ciphertext)
        }
        expect({ plaintext, chunks }).toEqual({ plaintext: bytes, chunks: layout.chunks })
        expect(ciphertext + SEAL_BYTES).toBe(layout.ciphertextBytes)
        expect(() => placeOfSegment(layout, layout.segments)).toThrow(RangeError)
        expect(() => placeOfChunk(layout, layout.chunks)).toThrow(RangeError)
      }),
    )
  })
})
