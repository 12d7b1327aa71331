import { expect, test } from "vitest"
import { AdaptiveLimit } from "../../../src/transfer/adaptive-limit.ts"

const MIB = 1024 ** 2

/** Lets a line bring bytes for a while, a piece every few milliseconds. @returns the numbers that were tried. */
function run(start: number, most: number, seconds: number, bytesPerSecond: (inFlight: number) => number) {
  let now = 0
  const limit = new AdaptiveLimit(start, most, () => now)
  const tried = [limit.current]
  limit.onRaised(() => tried.push(limit.current))
  for (; now < seconds * 1000; now += 5) limit.progressed((bytesPerSecond(limit.current) * 5) / 1000)
  return { tried, kept: limit.current }
}

test("a line that brings more for each request gets as many as there may be", () => {
  expect(run(4, 12, 10, (inFlight) => inFlight * 10 * MIB)).toEqual({ tried: [4, 8, 12], kept: 12 })
})

test("where more requests bring no more bytes, it stays with what it began with", () => {
  expect(run(4, 16, 10, () => 500 * MIB)).toEqual({ tried: [4, 8], kept: 4 })
})

test("it stops where the line is full", () => {
  const upTo = (full: number) => (inFlight: number) => Math.min(inFlight, full) * MIB
  expect(run(4, 64, 20, upTo(10))).toEqual({ tried: [4, 8, 16, 32], kept: 16 })
  expect(run(4, 64, 20, upTo(9))).toEqual({ tried: [4, 8, 16], kept: 8 })
})

test("a number that is asked for is kept to", () => {
  expect(run(3, 3, 10, (inFlight) => inFlight * MIB)).toEqual({ tried: [3], kept: 3 })
  expect(run(8, 2, 10, (inFlight) => inFlight * MIB)).toEqual({ tried: [2], kept: 2 })
})

test("nothing is counted before the first bytes: a service may think first", () => {
  let now = 0
  const limit = new AdaptiveLimit(4, 16, () => now)
  now = 60_000
  limit.progressed(MIB)
  expect(limit.current).toBe(4)
  now += 400
  limit.progressed(MIB)
  expect(limit.current).toBe(4)
  now += 400
  limit.progressed(MIB)
  expect(limit.current).toBe(8)
})

test("objects without bytes count too", () => {
  let now = 0
  const limit = new AdaptiveLimit(16, 64, () => now)
  for (let done = 0; done < 10_000; done++) {
    now += 100 / limit.current // a line with a delay: each takes as long as the others
    limit.finished(0)
  }
  expect(limit.current).toBe(64)
})
