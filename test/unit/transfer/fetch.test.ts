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

/** As a socket's: pieces read into memory of their own, with headers before the first, cut again on the way. */
async function* readFromSocket(bytes: Uint8Array, reads: readonly number[], cuts: readonly number[]) {
  let headers = 7
  let at = 0
  for await (const read of cutAt(bytes, reads)) {
    const memory = new Uint8Array(headers + read.length)
    memory.set(read, headers)
    const end = at + read.length
    const within = cuts.map((cut) => cut % (bytes.length + 1)).filter((cut) => cut > at && cut < end)
    const places = [at, ...within.sort((a, b) => a - b), end]
    for (const [index, start] of places.slice(0, -1).entries()) {
      const next = places[index + 1] ?? end
      yield Buffer.from(memory.buffer, headers + start - at, next - start)
    }
    headers = 0
    at = end
  }
}

test("memory that is given back held nothing any more", async () => {
  const bytes = plaintextOf(500)
  const counts = fc.array(fc.nat(), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(counts, counts, fc.array(fc.nat(200)), async (reads, cuts, sizes) => {
      const reader = new BodyReader(readFromSocket(bytes, reads, cuts), bytes.length, true)
      const taken: number[] = []
      const kept: Uint8Array[] = []
      for (const size of sizes) {
        if (taken.length + size > bytes.length) continue
        const piece = await reader.take(size)
        taken.push(...piece)
        kept.push(piece.slice())
      }
      for await (const piece of reader.rest()) kept.push(piece)
      expect(Uint8Array.from(taken)).toEqual(bytes.slice(0, taken.length))
      expect(Uint8Array.from(kept.flatMap((piece) => [...piece]))).toEqual(bytes)
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
