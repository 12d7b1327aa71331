import fc from "fast-check"
import { expect, test } from "vitest"
import { ContradictionError } from "../../../src/errors.ts"
import { BodyReader } from "../../../src/transfer/fetch.ts"
import { plaintextOf } from "./download-fixture.ts"

async function* cutAt(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  for (const [index, start] of places.slice(0, -1).entries()) yield bytes.slice(start, places[index + 1])
}

test("pieces of any size become pieces of the sizes asked for", async () => {
  const bytes = plaintextOf(500)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 20 }), fc.array(fc.nat(200)), async (cuts, sizes) => {
      const reader = new BodyReader(cutAt(bytes, cuts), bytes.length)
      const taken: number[] = []
      for (const size of sizes) {
        if (taken.length + size <= bytes.length) taken.push(...(await reader.take(size)))
      }
      for await (const piece of reader.rest()) taken.push(...piece)
      expect(Uint8Array.from(taken)).toEqual(bytes)
    }),
  )
})

test("a body that is shorter or longer than it should be is not taken for whole", async () => {
  const bytes = plaintextOf(100)
  const read = async (body: Uint8Array, size: number) => {
    const reader = new BodyReader(cutAt(body, [30, 60]), 100)
    for (let taken = 0; taken < 100; taken += size) await reader.take(size)
    await reader.end()
  }
  for (const size of [1, 50, 100]) {
    await read(bytes, size)
    await expect(read(bytes.subarray(0, 99), size)).rejects.toThrow(ContradictionError)
    await expect(read(plaintextOf(101), size)).rejects.toThrow(ContradictionError)
  }
})

test("closing ends the body, however it takes that", async () => {
  let ended = 0
  const body: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: new Uint8Array(10) }),
      return: async () => {
        ended++
        throw new Error("broken pipe")
      },
    }),
  }
  const reader = new BodyReader(body, 100)
  await reader.take(5)
  await reader.close()
  expect(ended).toBe(1)
})
