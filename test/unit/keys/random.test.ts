import { expect, test } from "vitest"
import { hex } from "../../../src/bytes.ts"
import { systemRandom } from "../../../src/keys/random.ts"

test.each([0, 1, 12, 32, 4096, 4097])("draws %i bytes, in memory of their own", (length) => {
  const drawn = systemRandom(length)
  expect(drawn).toHaveLength(length)
  expect(drawn.buffer.byteLength).toBe(length)
})

test("draws nothing twice, whatever was drawn between", () => {
  const drawn = new Set<string>()
  for (let count = 0; count < 5000; count++) {
    drawn.add(hex(systemRandom(16)))
    systemRandom(count % 100)
  }
  expect(drawn.size).toBe(5000)
})

test("hands out no byte that was wiped", () => {
  for (let count = 0; count < 5000; count++) expect(systemRandom(24).some((byte) => byte !== 0)).toBe(true)
})
