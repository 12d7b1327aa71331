import { UnavailableError } from "../errors.ts"

/** What has to come in the time that a silent connection is given. */
const LEAST_BYTES = 4096

/** Tells a body that comes slowly from one that is kept back: a byte now and then keeps no reader for ever. */
export class Pace {
  readonly #now: () => number
  readonly #windowMs: number

  /** @param windowMs - of waiting, in which at least 4 KiB have to come, or the end. */
  constructor(now: () => number, windowMs: number) {
    this.#now = now
    this.#windowMs = windowMs
  }

  /**
   * Passes a body on. Only the time counts in which somebody waits for it.
   *
   * @param action - for the message.
   * @throws {UnavailableError} if it does not keep the pace.
   */
  async *keptBy(
    body: AsyncIterable<Uint8Array>,
    action: string,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const input = body[Symbol.asyncIterator]()
    let waitedMs = 0
    let bytes = 0
    try {
      for (;;) {
        const asked = this.#now()
        const next = await input.next()
        if (next.done) return
        waitedMs += Math.max(0, this.#now() - asked) // clocks may be set back
        bytes += next.value.length
        if (waitedMs >= this.#windowMs) {
          if (bytes < LEAST_BYTES) throw tooSlow(action, bytes, waitedMs)
          waitedMs = 0
          bytes = 0
        }
        yield next.value
      }
    } finally {
      await input.return?.()
    }
  }
}

function tooSlow(action: string, bytes: number, waitedMs: number): UnavailableError {
  const message = `cannot ${action}: ${bytes} bytes came in ${Math.round(waitedMs / 1000)} s`
  return new UnavailableError(message, { transient: "network" })
}
