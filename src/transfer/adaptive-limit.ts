import type { Limit } from "./concurrent.ts"

/** How long a number is tried, and how long after a change nothing is counted: new connections gather speed first. */
const TRIAL_MS = 750
const SETTLING_MS = 250
/** How long the first one is, which is on the low side for all but a service on the same machine. */
const FIRST_TRIAL_MS = 250
/** Twice as many are worth it if that brings a seventh more. */
const STEP = 2
const WORTH = 1.15
/** Who is at work for this share of the time could do a third more at most, and each request is work by itself. */
const BUSY = 0.75
/** What a request counts for beside its bytes. */
const REQUEST_BYTES = 65_536

/**
 * How many requests, or objects, to have in flight: more and more as long as that brings more bytes in the same time, and then as
 * many as the last that did; but no more while this thread is at work most of the time. Where both ends share a machine few are
 * enough, and each of the others costs; over a long line each brings what one connection can.
 *
 * @see "Automatic request parallelization", AWS Common Runtime libraries: the same idea
 */
export class AdaptiveLimit implements Limit {
  readonly #most: number
  readonly #now: () => number
  readonly #busy: () => number
  #current: number
  #raised: (() => void) | undefined
  #trying = true
  /** When bytes count from; not before the first ones came. */
  #countsFrom: number | undefined
  #bytes = 0
  /** What was tried before: how many, and the bytes each millisecond brought. */
  #before: { readonly limit: number; readonly rate: number } | undefined

  /**
   * @param start - how many at first, if not more than `most`.
   * @param now - milliseconds since whenever.
   * @param busy - the share of the time since the last call in which this thread was at work, 0 to 1.
   */
  constructor(
    start: number,
    most: number,
    now: () => number = () => performance.now(),
    busy: () => number = utilization(),
  ) {
    this.#current = Math.min(start, most)
    this.#most = most
    this.#now = now
    this.#busy = busy
  }

  get current(): number {
    return this.#current
  }

  onRaised(raised: () => void): void {
    this.#raised = raised
  }

  /** Bytes that came, of any request. */
  progressed(bytes: number): void {
    if (!this.#trying) return
    const now = this.#now()
    if (this.#countsFrom === undefined) {
      this.#countsFrom = now
      this.#busy() // for the first bytes, everybody waits
    }
    const elapsedMs = now - this.#countsFrom
    if (elapsedMs <= 0) return
    this.#bytes += bytes
    if (elapsedMs >= (this.#before ? TRIAL_MS : FIRST_TRIAL_MS)) this.#judge(this.#bytes / elapsedMs, now)
  }

  /** A whole object that came or went; small ones cost little more than their request. */
  finished(bytes: number): void {
    this.progressed(bytes + REQUEST_BYTES)
  }

  #judge(rate: number, now: number): void {
    const before = this.#before
    if (before && rate < before.rate * WORTH) {
      this.#trying = false
      this.#current = before.limit
      return
    }
    if (this.#current === this.#most) {
      this.#trying = false
      return
    }
    this.#before = undefined
    this.#bytes = 0
    this.#countsFrom = now
    if (this.#busy() >= BUSY) return
    this.#before = { limit: this.#current, rate }
    this.#current = Math.min(this.#most, this.#current * STEP)
    this.#countsFrom += SETTLING_MS
    this.#raised?.()
  }
}

/** @returns the share of the time since it was called last in which this thread's event loop did not wait. */
function utilization(): () => number {
  const { eventLoopUtilization } = performance
  let last = eventLoopUtilization()
  return () => {
    const now = eventLoopUtilization()
    const { utilization } = eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}
