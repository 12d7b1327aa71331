import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { fullSegmentBytes, SEAL_BYTES, segmentPlaintextBytes } from "../../../src/agcm/layout.ts"
import { UsageError } from "../../../src/errors.ts"
import type { StoreLimits } from "../../../src/store/store.ts"
import { BUFFER_BUDGET_BYTES, DEFAULT_PART_BYTES, planUpload } from "../../../src/transfer/plan.ts"

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const TIB = 1024 ** 4

const aws: StoreLimits = {
  maxParts: 10_000,
  minPartBytes: 5 * MIB,
  maxPartBytes: 5 * GIB,
  maxPutBytes: 5 * GIB,
  maxObjectBytes: 50e12,
  maxMetadataBytes: 2048,
  maxMetadataValueBytes: 2048,
  conditionalPut: true,
  conditionalComplete: true,
  trailers: true,
}

describe("what fits one part of the wished size is one request", () => {
  test.each([
    [0, false],
    [DEFAULT_PART_BYTES, false],
    [DEFAULT_PART_BYTES + 1, true],
  ])("%i bytes", (bytes, multipart) => {
    const plan = planUpload(bytes, aws, {})
    expect(plan.multipart).toBe(multipart)
    if (!multipart) expect(segmentPlaintextBytes(plan.layout)).toBe(DEFAULT_PART_BYTES)
  })

  test("unless parts are asked for", () => {
    expect(planUpload(0, aws, { multipart: true })).toMatchObject({
      multipart: true,
      layout: { segments: 1 },
    })
  })

  test("or it is too large to hold, or for one request", () => {
    expect(planUpload(100 * MIB, aws, { partBytes: 200 * MIB }).multipart).toBe(true)
    expect(planUpload(6 * MIB, { ...aws, maxPutBytes: 5 * MIB }, {}).multipart).toBe(true)
  })
})

test("every size up to the largest object is cut into parts the service takes", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom(1000, 10_000),
      fc.constantFrom(4096, 65_536, 16 * MIB),
      (share, maxParts, chunkBytes) => {
        const limits = { ...aws, maxParts }
        const bytes = Math.floor(Math.min(maxParts * 4.9 * GIB, 49e12) * share ** 6)
        const { layout, concurrency, streamed } = planUpload(bytes, limits, { chunkBytes, concurrency: 64 })
        const part = Math.min(fullSegmentBytes(layout) + SEAL_BYTES, layout.ciphertextBytes)
        expect(layout.plaintextBytes).toBe(bytes)
        expect(layout.segments).toBeLessThanOrEqual(maxParts)
        expect(part).toBeLessThanOrEqual(limits.maxPartBytes)
        if (!streamed) expect(concurrency === 1 || concurrency * part <= BUFFER_BUDGET_BYTES).toBe(true)
      },
    ),
  )
})

describe("a file that takes several parts", () => {
  const bytes = fc.integer({ min: DEFAULT_PART_BYTES + 1, max: 40 * GIB })

  test("is cut so that all requests have something to do until the last part, which is small", () => {
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 10 }), (size, concurrency) => {
        const plan = planUpload(size, aws, { concurrency })
        const { segments, plaintextBytes, chunkBytes } = plan.layout
        const part = segmentPlaintextBytes(plan.layout)
        expect(plan.concurrency).toBe(concurrency)
        expect(part).toBeGreaterThanOrEqual(aws.minPartBytes)
        expect(part).toBeLessThanOrEqual(DEFAULT_PART_BYTES)
        const full = Math.floor((plaintextBytes - 1) / part)
        const last = plaintextBytes - full * part
        expect(segments).toBe(full + 1)
        // A chunk for each of the others at most, or none would be as large as another.
        expect(last).toBeLessThanOrEqual(Math.max(full, 1) * chunkBytes)
        const fewest = Math.floor((plaintextBytes - 1) / (aws.minPartBytes + chunkBytes))
        expect(full).toBeGreaterThanOrEqual(Math.min(concurrency, fewest))
      }),
    )
  })

  test.each([
    [17 * MIB, 3],
    [30 * MIB, 5],
    [50 * MIB, 7],
    [100 * MIB, 14],
    [200 * MIB, 28],
  ])("%i bytes: %i parts and the last", (size, parts) => {
    expect(planUpload(size, aws, {})).toMatchObject({ concurrency: 7, layout: { segments: parts + 1 } })
  })

  test("in the parts that were asked for, if they were", () => {
    const { layout } = planUpload(30 * MIB, aws, { partBytes: DEFAULT_PART_BYTES })
    expect(layout.segments).toBe(2)
  })

  test("in parts no smaller than the service takes, and no more than it takes", () => {
    const large = planUpload(30 * MIB, { ...aws, minPartBytes: 14 * MIB }, {})
    expect(segmentPlaintextBytes(large.layout)).toBeGreaterThanOrEqual(14 * MIB)
    expect(planUpload(150 * MIB, { ...aws, maxParts: 10 }, {}).layout.segments).toBe(10)
    const most = planUpload(75 * GIB, aws, {})
    expect(most.concurrency).toBe(7)
    expect(most.layout.segments).toBeLessThanOrEqual(10_000)
  })
})

test("parts grow by whole MiB, no more than they must", () => {
  const { layout } = planUpload(TIB, aws, {})
  expect(segmentPlaintextBytes(layout)).toBe(105 * MIB)
})

describe("an impossible wish is refused before any request", () => {
  test("a part size that needs too many parts, with one that would do", () => {
    const error = catching(() => planUpload(10_001 * 5 * MIB, aws, { partBytes: 5 * MIB }))
    expect(error.message).toContain("10001 parts")
    expect(error.hint).toContain("--part-size 6MiB")
    const hinted = planUpload(10_001 * 5 * MIB, aws, { partBytes: 6 * MIB })
    expect(hinted.layout.segments).toBeLessThanOrEqual(10_000)
  })

  test.each([
    ["a part too small", { partBytes: 5 * MIB - 1 }],
    ["a part too large", { partBytes: 5 * GIB }],
    ["chunks that are no power of two", { chunkBytes: 65_537 }],
    ["chunks too small", { chunkBytes: 2048 }],
    ["no part in flight", { concurrency: 0 }],
  ])("%s", (_, wishes) => {
    expect(catching(() => planUpload(GIB, aws, wishes))).toBeInstanceOf(UsageError)
  })

  test("an object larger than the service stores, or its parts can hold", () => {
    expect(catching(() => planUpload(50e12, aws, {})).message).toContain("50000000000000")
    expect(catching(() => planUpload(60e12, { ...aws, maxObjectBytes: 1e15 }, {})).message).toContain(
      "10000 parts",
    )
  })
})

function catching(work: () => unknown): UsageError {
  try {
    work()
  } catch (error) {
    if (error instanceof UsageError) return error
    throw error
  }
  throw new Error("it was to fail and did not")
}
