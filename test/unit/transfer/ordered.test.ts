import { expect, test } from "vitest"
import { inOrder } from "../../../src/transfer/ordered.ts"

async function* yielding<T>(...values: T[]): AsyncGenerator<T> {
  yield* values
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

test("keeps the order of the items, whichever is done first", async () => {
  const gates = [0, 1, 2].map(() => Promise.withResolvers<void>())
  const produce = async function* (item: number): AsyncGenerator<string> {
    await gates[item]?.promise
    yield `${item}a`
    yield `${item}b`
  }
  const found = all(inOrder([0, 1, 2], 3, produce))
  for (const gate of gates.toReversed()) gate.resolve()
  expect(await found).toEqual(["0a", "0b", "1a", "1b", "2a", "2b"])
})

test("hands out what the first item has while it has more to come", async () => {
  const gate = Promise.withResolvers<void>()
  const produce = async function* (): AsyncGenerator<string> {
    yield "first"
    await gate.promise
    yield "second"
  }
  const items = inOrder([0], 1, produce)
  expect(await items.next()).toEqual({ done: false, value: "first" })
  gate.resolve()
  expect(await items.next()).toEqual({ done: false, value: "second" })
  expect(await items.next()).toEqual({ done: true, value: undefined })
})

test.each([1, 2, 5])("runs %i items at once and no more", async (limit) => {
  let [running, most] = [0, 0]
  const produce = async function* (item: number): AsyncGenerator<number> {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    yield item
    running--
  }
  const items = Array.from({ length: 20 }, (_, item) => item)
  expect(await all(inOrder(items, limit, produce))).toEqual(items)
  expect(most).toBe(limit)
})

test("a failure comes in its turn, and ends what runs beside it", async () => {
  let stopped = 0
  const produce = async function* (item: number, signal: AbortSignal): AsyncGenerator<number> {
    if (item === 1) throw new TypeError("one")
    if (item === 2) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
      stopped++
    }
    yield item
  }
  const found: number[] = []
  const run = async () => {
    for await (const item of inOrder([0, 1, 2], 3, produce)) found.push(item)
  }
  await expect(run()).rejects.toThrow("one")
  expect([found, stopped]).toEqual([[0], 1])
})

test("an abort ends it with the signal's reason", async () => {
  const abort = new AbortController()
  const items = inOrder([0, 1], 1, (item) => yielding(item), { signal: abort.signal })
  await items.next()
  abort.abort(new RangeError("enough"))
  await expect(all(items)).rejects.toThrow("enough")
})

test("a failing source of items is passed on", async () => {
  const failing = async function* (): AsyncGenerator<number> {
    yield 0
    throw new TypeError("no more")
  }
  await expect(all(inOrder(failing(), 1, (item) => yielding(item)))).rejects.toThrow("no more")
})

test("nothing in, nothing out", async () => {
  expect(await all(inOrder([], 4, (item) => yielding(item)))).toEqual([])
})
