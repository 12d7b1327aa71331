import { describe, expect, test } from "vitest"
import { PartMemory } from "../../../src/transfer/part-memory.ts"

const { signal } = new AbortController()

describe("a piece", () => {
  test("is the next one once it is disposed of, and nobody else's before", () => {
    const memory = new PartMemory(0)
    const first = memory.piece(10)
    first.bytes.fill(1)
    using beside = memory.piece(10)
    expect(beside.bytes).toEqual(new Uint8Array(10))
    first[Symbol.dispose]()
    using shorter = memory.piece(4)
    expect(shorter.bytes).toEqual(new Uint8Array(4).fill(1))
    using longer = memory.piece(11)
    expect(longer.bytes).toEqual(new Uint8Array(11))
  })

  test("takes nothing of the limit, and nothing of a part's buffer", async () => {
    const memory = new PartMemory(10)
    using piece = memory.piece(100)
    const part = await memory.take(10, signal)
    expect(part.bytes.buffer).not.toBe(piece.bytes.buffer)
    part.recycle()
    using next = memory.piece(10)
    expect(next.bytes.buffer).not.toBe(part.bytes.buffer)
  })
})

describe("a buffer", () => {
  test("of the same length is used again, unless a request may read it still", async () => {
    const memory = new PartMemory(30)
    const first = await memory.take(10, signal)
    first.recycle()
    const second = await memory.take(10, signal)
    expect(second.bytes).toBe(first.bytes)
    second.abandon()
    expect((await memory.take(10, signal)).bytes).not.toBe(second.bytes)
  })

  test("is waited for in the order of asking", async () => {
    const memory = new PartMemory(10)
    const held = await memory.take(6, signal)
    const order: string[] = []
    const large = memory.take(10, signal).then((buffer) => {
      order.push("large")
      buffer.recycle()
    })
    const small = memory.take(1, signal).then(() => order.push("small"))
    await Promise.resolve()
    expect(order).toEqual([])
    held.recycle()
    await Promise.all([large, small])
    expect(order).toEqual(["large", "small"])
  })

  test("is not waited for once nobody wants it", async () => {
    const memory = new PartMemory(10)
    const held = await memory.take(10, signal)
    const stop = new AbortController()
    const stopped = memory.take(10, stop.signal)
    const next = memory.take(1, signal)
    stop.abort(new Error("stop"))
    await expect(stopped).rejects.toThrow("stop")
    held.recycle()
    expect((await next).bytes.length).toBe(1)
  })
})
