import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { formatSize, parseAge, parseSize } from "../../../src/config/size.ts"
import { UsageError } from "../../../src/errors.ts"

describe("parseSize", () => {
  test.each([
    ["16777216", 16_777_216],
    ["16M", 16_777_216],
    ["16MiB", 16_777_216],
    ["16 mib", 16_777_216],
    ["16MB", 16_000_000],
    ["1.5GiB", 1_610_612_736],
    ["0", 0],
    ["5B", 5],
    ["50TiB", 54_975_581_388_800],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  test.each([
    "",
    "M",
    "-1",
    "1e3",
    "0x10",
    "1.5",
    "16 M B",
    "16XB",
    "9007199254740992",
    "9999P",
    "1,5M",
    "NaN",
  ])("%s is refused", (text) => {
    expect(() => parseSize(text)).toThrow(UsageError)
  })

  test("a count of bytes is itself, whatever the count", () => {
    fc.assert(
      fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (bytes) => {
        expect(parseSize(String(bytes))).toBe(bytes)
      }),
    )
  })
})

describe("formatSize", () => {
  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [16_777_216, "16 MiB"],
    [-1536, "-1.5 KiB"],
    [Number.MAX_SAFE_INTEGER, "8 PiB"],
  ])("%i is shown as %s", (bytes, shown) => {
    expect(formatSize(bytes)).toBe(shown)
  })

  test("what is shown is within 5 % of what it was", () => {
    fc.assert(
      fc.property(fc.nat(Number.MAX_SAFE_INTEGER), (bytes) => {
        const shown = parseShown(formatSize(bytes))
        expect(Math.abs(shown - bytes)).toBeLessThanOrEqual(bytes * 0.05)
      }),
    )
  })

  function parseShown(shown: string): number {
    const [count = "", unit = ""] = shown.split(" ")
    return Number(count) * 1024 ** ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].indexOf(unit)
  }
})

describe("parseAge", () => {
  test.each([
    ["0s", 0],
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["36h", 129_600_000],
    ["7d", 604_800_000],
    ["2w", 1_209_600_000],
    ["1d12h", 129_600_000],
  ])("%s is %i ms", (text, milliseconds) => {
    expect(parseAge(text)).toBe(milliseconds)
  })

  test.each(["", "7", "d", "-7d", "7 days", "1.5d", "7y"])("%s is refused", (text) => {
    expect(() => parseAge(text)).toThrow(UsageError)
  })
})
