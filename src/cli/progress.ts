import type { Clock, ProgressEvent } from "../transfer/context.ts"
import type { OutputStream } from "./io.ts"
import { describeReading, Meter } from "./meter.ts"
import type { Output } from "./output.ts"

const LINE_INTERVAL_MS = 5000
const BAR_INTERVAL_MS = 100
const BAR_DELAY_MS = 300

export interface ProgressOptions {
  readonly output: Output
  readonly stderr: OutputStream
  readonly clock: Clock
  /** Whether to show how far the work is; notices are shown in any case. */
  readonly shown: boolean
}

/** Shows what goes on: bars on a terminal, a line every five seconds elsewhere, JSON lines with `--json`. */
export class Progress {
  readonly #options: ProgressOptions
  readonly #meter: Meter
  readonly #stopped = new AbortController()
  #begun = false
  #bar: { draw(): void; clear(): void } | undefined

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#meter = new Meter(options.clock.now)
  }

  readonly handle = (event: ProgressEvent): void => {
    const { output } = this.#options
    this.#meter.handle(event)
    if (event.type === "notice") output.notice(event.message, event.hint)
    if (event.type === "retried") this.#retried(event)
    if (event.type === "started" && !this.#begun && this.#options.shown) this.#begin()
  }

  stop(): void {
    this.#stopped.abort()
    this.#bar?.clear()
    this.#bar = undefined
  }

  #retried(event: ProgressEvent & { type: "retried" }): void {
    const { output } = this.#options
    const { what, cause, attempt, delayMs } = event
    if (output.json) output.event({ type: "retry", what, cause, attempt, delayMs } as { type: string })
    else if (output.verbose) {
      output.notice(
        `${what}: ${cause}, trying again in ${(delayMs / 1000).toFixed(1)} s (attempt ${attempt + 1})`,
      )
    }
  }

  #begin(): void {
    this.#begun = true
    const { output, stderr } = this.#options
    const work = stderr.isTTY && !output.json ? this.#drawBars() : this.#printLines()
    // Stopping is the only way it ends.
    work.catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) throw error
    })
  }

  async #printLines(): Promise<void> {
    const { output, clock } = this.#options
    for (;;) {
      await clock.delay(LINE_INTERVAL_MS, this.#stopped.signal)
      const reading = this.#meter.read()
      if (output.json) output.event({ type: "progress", ...reading })
      else output.notice(`${reading.current ? `${reading.current}: ` : ""}${describeReading(reading)}`)
    }
  }

  async #drawBars(): Promise<void> {
    const { output, stderr, clock } = this.#options
    const { signal } = this.#stopped
    await clock.delay(BAR_DELAY_MS, signal) // nobody wants a bar that is gone before it can be read
    const { createBar } = await import("./bar.ts")
    signal.throwIfAborted()
    const bar = createBar(stderr, () => this.#meter.read())
    this.#bar = bar
    output.beforeWriting(() => bar.clear())
    for (;;) {
      bar.draw()
      await clock.delay(BAR_INTERVAL_MS, signal)
    }
  }
}
