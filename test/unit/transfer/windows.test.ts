import fc from "fast-check"
import { expect, test } from "vitest"
import { fullSegmentBytes, layoutOfPlaintext } from "../../../src/agcm/layout.ts"
import { inRows, segmentsBeginningIn, Windows, windowsOfPlaintext } from "../../../src/transfer/windows.ts"

const layouts = fc
  .record({
    chunkBytes: fc.constantFrom(4096, 8192, 65_536),
    chunksPerSegment: fc.integer({ min: 1, max: 12 }),
    plaintextBytes: fc.integer({ min: 0, max: 2_000_000 }),
  })
  .map(({ plaintextBytes, ...geometry }) => layoutOfPlaintext(plaintextBytes, geometry))
const limits = fc.integer({ min: 1000, max: 300_000 })

test("windows cover an object once, in order, each found by its number", () => {
  fc.assert(
    fc.property(layouts, limits, (layout, limitBytes) => {
      const windows = new Windows(layout, limitBytes)
      const all = [...windows]
      expect(all).toHaveLength(windows.count)
      let stored = 0
      let plaintext = 0
      let chunks = 0
      for (const [windowIndex, window] of all.entries()) {
        expect(window).toEqual(windows.at(windowIndex))
        expect(window).toMatchObject({ windowIndex, start: stored, plaintextStart: plaintext })
        expect(window.sealed).toBe(windowIndex === windows.count - 1)
        stored = window.end
        plaintext += window.plaintextBytes
        chunks += window.chunks
      }
      expect([stored, plaintext, chunks]).toEqual([
        layout.ciphertextBytes,
        layout.plaintextBytes,
        layout.chunks,
      ])
      expect(all.flatMap((window) => [...segmentsBeginningIn(layout, window)])).toEqual(
        Array.from({ length: layout.segments }, (_, segment) => segment),
      )
    }),
  )
})

test("rows hold all windows in order, none that lies apart, and towards the end one each", () => {
  const limit = fc.integer({ min: 1, max: 16 })
  const gaps = fc.array(fc.boolean(), { maxLength: 200 })
  fc.assert(
    fc.property(layouts, limits, limit, gaps, (layout, limitBytes, current, missing) => {
      const windows = [...new Windows(layout, limitBytes)].filter((_, index) => !missing[index])
      const rows = [...inRows(windows, windows.length, { current })]
      expect(rows.flat()).toEqual(windows)
      let left = windows.length
      for (const row of rows) {
        expect(row.length).toBeLessThanOrEqual(left < 2 * current ? 1 : 8)
        for (const [index, { end }] of row.slice(0, -1).entries()) expect(row[index + 1]?.start).toBe(end)
        left -= row.length
      }
    }),
  )
})

test("rows are long where there is much, but not before the first ones have come", () => {
  const layout = layoutOfPlaintext(4096 * 1000, { chunkBytes: 4096, chunksPerSegment: 10 })
  const windows = new Windows(layout, 80 + 10 * 4112)
  const rows = [...inRows(windows, windows.count, { current: 4 })].map((row) => row.length)
  expect(rows.slice(0, 8)).toEqual([1, 1, 1, 1, 4, 4, 4, 4])
  expect(rows.slice(8)).toEqual([8, 8, 8, 7, 6, 5, 4, 4, 3, 3, 3, 2, 2, 2, ...new Array(15).fill(1)])
})

test("rows stay short while more and more requests are under way", () => {
  const layout = layoutOfPlaintext(4096 * 1000, { chunkBytes: 4096, chunksPerSegment: 10 })
  const windows = new Windows(layout, 80 + 10 * 4112)
  const limit = { current: 2 }
  const rows: number[] = []
  for (const row of inRows(windows, windows.count, limit)) {
    rows.push(row.length)
    if (rows.length >= limit.current) limit.current = Math.min(16, 2 * limit.current)
  }
  expect(rows.slice(0, 16)).toEqual(new Array(16).fill(1))
})

test("a window keeps to the limit unless one chunk does not, and the first has half of it or all", () => {
  fc.assert(
    fc.property(layouts, limits, (layout, limitBytes) => {
      const [first, ...rest] = new Windows(layout, limitBytes)
      const overhead = 80 + 32 + layout.chunkBytes + 16
      for (const window of [first, ...rest]) {
        expect((window?.end ?? 0) - (window?.start ?? 0)).toBeLessThan(limitBytes + overhead)
      }
      expect(first?.end).toBeGreaterThanOrEqual(Math.min(limitBytes / 2, layout.ciphertextBytes))
    }),
  )
})

test("a window of a large segment never reaches into the next one", () => {
  const layout = layoutOfPlaintext(4096 * 50, { chunkBytes: 4096, chunksPerSegment: 10 })
  const windows = [...new Windows(layout, 4 * 4112)]
  expect(windows.map((window) => window.chunks)).toEqual([4, 4, 2, 4, 4, 2, 4, 4, 2, 4, 4, 2, 4, 4, 2])
})

test("default geometry: a window is one segment of 16 MiB less its overhead", () => {
  const geometry = { chunkBytes: 65_536, chunksPerSegment: 255 }
  const windows = new Windows(layoutOfPlaintext(10 ** 12, geometry), 16 * 1024 ** 2)
  expect(windows.at(1)).toMatchObject({ start: fullSegmentBytes(geometry), chunks: 255 })
})

test("windows of a range hold just the chunks it touches, and never the seal", () => {
  fc.assert(
    fc.property(layouts, limits, fc.nat(), fc.nat(), (layout, limitBytes, from, bytes) => {
      fc.pre(layout.plaintextBytes > 0)
      const start = from % layout.plaintextBytes
      const end = Math.min(layout.plaintextBytes, start + 1 + (bytes % layout.plaintextBytes))
      const windows = [...windowsOfPlaintext(layout, { start, end }, limitBytes)]
      const first = windows[0]?.firstChunk
      const chunks = windows.reduce((sum, window) => sum + window.chunks, 0)
      expect(first).toBe(Math.floor(start / layout.chunkBytes))
      expect(chunks).toBe(
        Math.floor((end - 1) / layout.chunkBytes) - Math.floor(start / layout.chunkBytes) + 1,
      )
      for (const window of windows) expect(window.end).toBeLessThanOrEqual(layout.ciphertextBytes - 32)
    }),
  )
})

test("there is no window beyond the last", () => {
  const windows = new Windows(layoutOfPlaintext(1, { chunkBytes: 4096, chunksPerSegment: 1 }), 10_000)
  expect(() => windows.at(1)).toThrow(RangeError)
})
