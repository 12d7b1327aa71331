import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"

const ENOUGH_BYTES = 4 * 1024 * 1024
/** Many objects at once have much that is alive whenever it is collected. */
const ENOUGH_FOR_MANY_BYTES = 16 * 1024 * 1024
const LOOK_EVERY_MS = 50
/** V8's own. */
const GROWTH_FACTOR = 2

/** The limit of this process, while there is one. */
let active: Limit | undefined

/**
 * Keep the space that new objects are made in from growing beyond 4 MiB, or 16 MiB for many objects at once. On a machine
 * with much memory V8 lets it grow to nine times that, the longer it runs: memory would grow with what is transferred, and
 * nothing be faster.
 *
 * @returns what lets it grow again: compiled code that is kept is only good for a process with the flags it was made with.
 */
export function limitYoungGeneration(): Disposable {
  active = new Limit()
  return active
}

/** Say that this run is about many objects; again and again is no different from once. */
export function expectManyObjects(): void {
  active?.raiseTo(ENOUGH_FOR_MANY_BYTES)
}

class Limit implements Disposable {
  #enoughBytes = ENOUGH_BYTES
  #timer: NodeJS.Timeout | undefined

  constructor() {
    this.#watch()
  }

  raiseTo(enoughBytes: number): void {
    if (enoughBytes <= this.#enoughBytes) return
    this.#enoughBytes = enoughBytes
    setGrowthFactor(GROWTH_FACTOR)
    this.#watch()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    setGrowthFactor(GROWTH_FACTOR)
    active = undefined
  }

  #watch(): void {
    clearInterval(this.#timer)
    this.#timer = setInterval(() => {
      const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")
      if (!space || space.space_size < this.#enoughBytes) return
      setGrowthFactor(1)
      clearInterval(this.#timer)
    }, LOOK_EVERY_MS)
    this.#timer.unref()
  }
}

function setGrowthFactor(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}
