import fc from "fast-check"
import { expect, test } from "vitest"
import { forEachConcurrent, type Limit } from "../../../src/transfer/concurrent.ts"

/** A limit that somebody changes. */
class Dial implements Limit {
  current: number
  #raised: () => void = () => undefined

  constructor(current: number) {
    this.current = current
  }

  onRaised(raised: () => void): void {
    this.#raised = raised
  }

  set(current: number): void {
    this.current = current
    this.#raised()
  }
}

/** Work that ends when it is told to, and knows how much of it is under way. */
class Bench {
  underWay = 0
  most = 0
  readonly done: number[] = []
  readonly #ends: (() => void)[] = []

  readonly work = async (item: number): Promise<void> => {
    this.underWay++
    this.most = Math.max(this.most, this.underWay)
    await new Promise<void>((resolve) => this.#ends.push(resolve))
    this.underWay--
    this.done.push(item)
  }

  async endOne(): Promise<void> {
    this.#ends.shift()?.()
    await settled()
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

test("every item is worked on once, whatever becomes of the limit meanwhile", async () => {
  const changes = fc.array(fc.option(fc.integer({ min: 1, max: 8 })), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(fc.nat(40), fc.integer({ min: 1, max: 8 }), changes, async (count, first, steps) => {
      const dial = new Dial(first)
      const bench = new Bench()
      const all = forEachConcurrent(Array(count).keys(), dial, bench.work)
      await settled()
      let lowered = false
      for (const step of steps) {
        if (step === null) await bench.endOne()
        else {
          lowered ||= step < dial.current
          dial.set(step)
          await settled()
        }
        const left = count - bench.done.length
        // What is under way when the limit falls goes on to its end.
        if (!lowered) expect(bench.underWay).toBe(Math.min(dial.current, left))
        expect(bench.underWay).toBeGreaterThanOrEqual(Math.min(dial.current, left))
      }
      while (bench.underWay > 0) await bench.endOne()
      await all
      expect(bench.done.toSorted((a, b) => a - b)).toEqual([...Array(count).keys()])
    }),
    { numRuns: 200 },
  )
})

test("a limit that falls is kept to as work ends", async () => {
  const dial = new Dial(6)
  const bench = new Bench()
  const all = forEachConcurrent(Array(20).keys(), dial, bench.work)
  await settled()
  dial.current = 2
  for (let ended = 0; ended < 4; ended++) await bench.endOne()
  expect(bench.underWay).toBe(2)
  await bench.endOne()
  expect(bench.underWay).toBe(2)
  while (bench.underWay > 0) await bench.endOne()
  await all
  expect(bench.done).toHaveLength(20)
})

test("after a failure nothing is begun, not even where there may be more", async () => {
  const dial = new Dial(1)
  const begun: number[] = []
  const failed = forEachConcurrent(Array(9).keys(), dial, async (item) => {
    begun.push(item)
    throw new Error("no")
  })
  await expect(failed).rejects.toThrow("no")
  dial.set(5)
  await settled()
  expect(begun).toEqual([0])
})

test("nothing is begun once the signal was aborted", async () => {
  const begun: number[] = []
  const stopped = forEachConcurrent(
    [1, 2],
    new Dial(2),
    async (item) => {
      begun.push(item)
    },
    { signal: AbortSignal.abort(new Error("stopped")) },
  )
  await expect(stopped).rejects.toThrow("stopped")
  expect(begun).toEqual([])
})

test.each([0, -1, Number.NaN])("a limit of %j is a caller's bug, and no wait without end", async (limit) => {
  const work = async (): Promise<void> => undefined
  await expect(forEachConcurrent([1], limit, work)).rejects.toThrow(RangeError)
  await expect(forEachConcurrent([1], new Dial(limit), work)).rejects.toThrow(RangeError)
})
