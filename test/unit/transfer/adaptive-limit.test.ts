import { expect, test } from "vitest"
import { AdaptiveLimit } from "../../../src/transfer/adaptive-limit.ts"

const MIB = 1024 ** 2

const idle = () => 0

/** Lets a line bring bytes for a while, a piece every few milliseconds. @returns the numbers that were tried. */
function run(
  start: number,
  most: number,
  seconds: number,
  bytesPerSecond: (inFlight: number) => number,
  busy: (seconds: number) => number = idle,
) {
  let now = 0
  const limit = new AdaptiveLimit(
    start,
    most,
    () => now,
    () => busy(now / 1000),
  )
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

test("who is at work most of the time gets no more, however much they would bring", () => {
  const line = (inFlight: number) => inFlight * MIB
  expect(run(2, 16, 10, line, () => 1)).toEqual({ tried: [2], kept: 2 })
  expect(run(2, 16, 10, line, () => 0.5)).toEqual({ tried: [2, 4, 8, 16], kept: 16 })
})

test("who is at work for a while gets more afterwards, and keeps what it has got", () => {
  const line = (inFlight: number) => inFlight * MIB
  const atFirst = (seconds: number) => (seconds < 3 ? 1 : 0)
  expect(run(2, 16, 10, line, atFirst)).toEqual({ tried: [2, 4, 8, 16], kept: 16 })
  let seconds = 0
  const later = (now: number) => {
    seconds = now
    return now > 1 ? 1 : 0
  }
  const slower = (inFlight: number) => line(inFlight) / (seconds > 3 ? 4 : 1)
  expect(run(2, 16, 10, slower, later)).toEqual({ tried: [2, 4], kept: 4 })
})

test("how busy this thread is, is found out", async () => {
  let now = 0
  const limit = new AdaptiveLimit(2, 4, () => now)
  const bring = () => {
    for (const end = now + 1000; now < end; now += 5) limit.progressed(limit.current * MIB)
  }
  for (const end = performance.now() + 20; performance.now() < end; );
  bring()
  expect(limit.current).toBe(2)
  await new Promise((resolve) => setTimeout(resolve, 200))
  bring()
  expect(limit.current).toBe(4)
})

test("a number that is asked for is kept to", () => {
  expect(run(3, 3, 10, (inFlight) => inFlight * MIB)).toEqual({ tried: [3], kept: 3 })
  expect(run(8, 2, 10, (inFlight) => inFlight * MIB)).toEqual({ tried: [2], kept: 2 })
})

test("nothing is counted before the first bytes: a service may think first", () => {
  let now = 0
  const limit = new AdaptiveLimit(4, 16, () => now, idle)
  now = 60_000
  limit.progressed(MIB)
  expect(limit.current).toBe(4)
  now += 200
  limit.progressed(MIB)
  expect(limit.current).toBe(4)
  now += 200
  limit.progressed(MIB)
  expect(limit.current).toBe(8)
})

test("objects without bytes count too", () => {
  let now = 0
  const limit = new AdaptiveLimit(16, 64, () => now, idle)
  for (let done = 0; done < 10_000; done++) {
    now += 100 / limit.current // a line with a delay: each takes as long as the others
    limit.finished(0)
  }
  expect(limit.current).toBe(64)
})
