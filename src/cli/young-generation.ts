import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"

const ENOUGH_BYTES = 8 * 1024 * 1024
const LOOK_EVERY_MS = 50
/** V8's own. */
const GROWTH_FACTOR = 2

/**
 * Keep the space that new objects are made in from growing beyond 8 MiB. On a machine with much memory V8 lets it grow
 * to eighteen times that, the longer it runs: memory would grow with what is transferred, and nothing be faster.
 *
 * @returns what lets it grow again: compiled code that is kept is only good for a process with the flags it was made with.
 */
export function limitYoungGeneration(): Disposable {
  const timer = setInterval(() => {
    const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")
    if (!space || space.space_size < ENOUGH_BYTES) return
    setGrowthFactor(1)
    clearInterval(timer)
  }, LOOK_EVERY_MS)
  timer.unref()
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
      setGrowthFactor(GROWTH_FACTOR)
    },
  }
}

function setGrowthFactor(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}
