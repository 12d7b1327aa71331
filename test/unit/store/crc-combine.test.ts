import { crc32 } from "node:zlib"
import fc from "fast-check"
import { expect, test } from "vitest"
import { base64, u32be } from "../../../src/bytes.ts"
import { combineCrc32, combineParts } from "../../../src/store/crc-combine.ts"

test("the CRC of two sequences is the CRC of both together", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.uint8Array({ maxLength: 3000 }), (first, second) => {
      const whole = crc32(second, crc32(first))
      expect(combineCrc32(crc32(first), crc32(second), second.length)).toBe(whole)
    }),
  )
})

test.each([0, 1, 2 ** 24, 2 ** 24 + 1])("lengths like %i", (bytes) => {
  const second = new Uint8Array(bytes).fill(7)
  expect(combineCrc32(crc32("first"), crc32(second), bytes)).toBe(crc32(second, crc32("first")))
})

test("lengths beyond 32 bits count in full", () => {
  // 2^33 bytes at once, and as two halves.
  const half = combineCrc32(crc32("a"), 0, 2 ** 32)
  expect(combineCrc32(crc32("a"), 0, 2 ** 33)).toBe(combineCrc32(half, 0, 2 ** 32))
  expect(combineCrc32(crc32("a"), 0, 2 ** 33)).not.toBe(half)
})

test("parts are combined in order", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 20 }), (bodies) => {
      const parts = bodies.map((body) => ({ crc32: base64(u32be(crc32(body))), bytes: body.length }))
      expect(combineParts(parts)).toBe(base64(u32be(crc32(Buffer.concat(bodies)))))
    }),
  )
})

test.each(["", "AAAA", "not base64", "AAAAAAA="])("%j is no CRC-32", (value) => {
  expect(combineParts([{ crc32: value, bytes: 1 }])).toBeNull()
})

test.each([-1, 0.5, Number.NaN])("a length of %d is the caller's bug", (bytes) => {
  expect(() => combineCrc32(0, 0, bytes)).toThrow(RangeError)
})
