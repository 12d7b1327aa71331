import { expect, test } from "vitest"
import { StreamMemory } from "../../../src/store/stream-memory.ts"

const PART = 4 * Buffer.poolSize

/** Given back, an array has no bytes any more. */
const isThere = (bytes: Uint8Array) => bytes.length > 0

test("slices are given back once a part was made of them, and of those before it", () => {
  const memory = new StreamMemory(PART)
  const slices = Array.from({ length: 5 }, () => new Uint8Array(PART / 2))
  for (const slice of slices) memory.give(slice)
  memory.begin(2, new Uint8Array(PART))
  expect(slices.map(isThere)).toEqual([false, false, false, false, true])
})

test("a part is given back once it is sent and the next one was put together", () => {
  const memory = new StreamMemory(PART)
  const parts = Array.from({ length: 3 }, () => new Uint8Array(PART))
  const begin = (partNumber: number) => memory.begin(partNumber, parts[partNumber - 1] ?? new Uint8Array())
  begin(1)
  memory.end(1)
  expect(parts.map(isThere)).toEqual([true, true, true]) // the beginning of the second may lie behind it
  begin(3)
  expect(parts.map(isThere)).toEqual([false, true, true])
  begin(2)
  memory.end(3)
  memory.end(2)
  expect(parts.map(isThere)).toEqual([false, false, true])
})

test("parts that share memory go together", () => {
  const memory = new StreamMemory(PART)
  const shared = new Uint8Array(2 * PART)
  memory.begin(1, shared.subarray(0, PART))
  memory.begin(2, shared.subarray(PART))
  memory.begin(3, new Uint8Array(PART))
  memory.end(2)
  expect(isThere(shared)).toBe(true)
  memory.end(1)
  expect(isThere(shared)).toBe(false)
})

test("what is a part itself, or a piece of Node's pool, is left alone", () => {
  const whole = new StreamMemory(PART)
  const slice = new Uint8Array(PART)
  whole.give(slice)
  whole.begin(1, slice)
  whole.begin(2, new Uint8Array(PART))
  expect(isThere(slice)).toBe(true)

  const small = new StreamMemory(100)
  const pooled = [Buffer.from("x".repeat(100)), Buffer.from("y".repeat(100))] as const
  small.begin(1, pooled[0])
  small.end(1)
  small.begin(2, pooled[1])
  small.begin(3, new Uint8Array(1))
  small.end(2)
  expect(pooled.map(isThere)).toEqual([true, true])
})
