import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { expectManyObjects, limitYoungGeneration } from "../../src/cli/young-generation.ts"

vi.mock("node:v8", () => ({ getHeapSpaceStatistics: vi.fn(), setFlagsFromString: vi.fn() }))

const MIB = 1024 * 1024

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** V8 makes the space as large as this; the factor is what it was told last, if it was told anything since. */
function factorAt(mebibytes: number): string | undefined {
  const space_size = mebibytes * MIB
  vi.mocked(getHeapSpaceStatistics).mockReturnValue([
    { space_name: "old_space", space_size: 1024 * MIB },
    { space_name: "new_space", space_size },
  ] as ReturnType<typeof getHeapSpaceStatistics>)
  vi.mocked(setFlagsFromString).mockClear()
  vi.advanceTimersByTime(1000)
  return vi.mocked(setFlagsFromString).mock.lastCall?.[0]
}

test("new objects get 4 MiB, 16 if there are many, and what V8 wants afterwards", () => {
  {
    using _limit = limitYoungGeneration()
    expect(factorAt(2)).toBe(undefined)
    expect(factorAt(4)).toBe("--semi-space-growth-factor=1")
    expect(vi.getTimerCount()).toBe(0)
    expectManyObjects()
    expect(setFlagsFromString).toHaveBeenLastCalledWith("--semi-space-growth-factor=2")
    expect(factorAt(8)).toBe(undefined)
    expect(factorAt(16)).toBe("--semi-space-growth-factor=1")
    expectManyObjects() // of a second tree
    expect(setFlagsFromString).toHaveBeenLastCalledWith("--semi-space-growth-factor=1")
    expect(vi.getTimerCount()).toBe(0)
  }
  expect(setFlagsFromString).toHaveBeenLastCalledWith("--semi-space-growth-factor=2")
  expect(vi.getTimerCount()).toBe(0)
})

test("many objects are nothing to a process whose memory is its own", () => {
  expectManyObjects()
  expect(factorAt(1)).toBe(undefined)
  expect(vi.getTimerCount()).toBe(0)
})
