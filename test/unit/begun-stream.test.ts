import { expect, test } from "vitest"
import { BegunStream, beginStream } from "../../src/begun-stream.ts"

const [a, b, c] = [Uint8Array.of(1), Uint8Array.of(2, 3), Uint8Array.of(4)]

/** A source that yields `c`, begun, and whether what it reads from was closed. */
async function begunSource() {
  const closed = { times: 0 }
  const source = (async function* () {
    try {
      yield a
      yield c
    } finally {
      closed.times++
    }
  })()
  await source.next()
  return { source, closed }
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece)
  return pieces
}

test("what was read comes first, then the rest", async () => {
  const { source, closed } = await begunSource()
  expect(await collect(new BegunStream([a, b], source))).toEqual([a, b, c])
  expect(closed.times).toBe(1)
})

test.each([0, 1, 2, 3])(
  "returned after %i pieces, it leaves nothing open and yields nothing",
  async (taken) => {
    const { source, closed } = await begunSource()
    const stream = new BegunStream([a, b], source)
    for (let count = 0; count < taken; count++) await stream.next()
    expect(closed.times).toBe(0)
    expect(await stream.return()).toEqual({ done: true, value: undefined })
    expect(closed.times).toBe(1)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  },
)

test("what begins with nothing is the rest, which need not be closed", async () => {
  const rest: AsyncIterator<Uint8Array> = { next: async () => ({ done: true, value: undefined }) }
  const stream = new BegunStream([], rest)
  expect(await collect(stream)).toEqual([])
  expect(await stream.return()).toEqual({ done: true, value: undefined })
})

test.each([
  [0, 0],
  [1, 1],
  [3, 3],
  [4, 4],
  [5, 4],
])("of its first %i bytes there are %i, and nothing of it is lost", async (bytes, there) => {
  const memory = new Uint8Array(2)
  const source = (async function* () {
    // The same memory for each piece, as some sources do.
    for (const piece of [a, b, c]) {
      memory.set(piece)
      yield memory.subarray(0, piece.length)
    }
  })()
  const { head, stream } = await beginStream(source, bytes)
  expect(head).toEqual(Uint8Array.of(1, 2, 3, 4).subarray(0, there))
  const all: number[] = []
  for await (const piece of stream) all.push(...piece)
  expect(all).toEqual([1, 2, 3, 4])
})
