import { InterruptedError } from "../errors.ts"
import type { Io, StopSignal } from "./io.ts"

/** Whoever is interrupted has two seconds; a little of it is for saying so. */
const GRACE_MS = 1700

/** A terminal, npm and timeout(1) may each pass the same signal on; nobody asks twice that fast. */
const ECHO_MS = 100

const STATUS = { SIGINT: 130, SIGTERM: 143 } as const

/** Whether that is the exit status of who was interrupted. */
export function isInterrupted(status: number): boolean {
  return Object.values<number>(STATUS).includes(status)
}

export interface Interruption extends Disposable {
  /** Aborted with an `InterruptedError` by the first signal. */
  readonly signal: AbortSignal
  /** What the error will tell the user to do; by default, to run the same command again. */
  hint: string
}

/**
 * Turn signals into an abort. The first one asks the work to stop; if it has not within two seconds, or at a second
 * signal, the process is ended. An echo of the first one is not a second one.
 *
 * @param onEnd - called before that, to say why.
 */
export function watchSignals(
  io: Pick<Io, "onSignal" | "clock" | "exit">,
  onEnd: (error: InterruptedError) => void,
): Interruption {
  const controller = new AbortController()
  const over = new AbortController()
  const interruption = {
    signal: controller.signal,
    hint: "run the same command again: it resumes where it stopped",
    [Symbol.dispose]: () => {
      over.abort()
      // What is interrupted says so itself; a second signal while it goes down must not make the system's end of it.
      if (!controller.signal.aborted) unsubscribe()
    },
  }
  const end = (error: InterruptedError, status: number) => {
    over.abort()
    onEnd(error)
    io.exit(status)
  }
  let first: { name: StopSignal; at: number } | undefined
  const stop = (name: StopSignal) => {
    const now = io.clock.now()
    if (first?.name === name && Math.abs(now - first.at) < ECHO_MS) return
    const { aborted, reason } = controller.signal
    if (over.signal.aborted) return io.exit(STATUS[name])
    if (aborted) return end(reason, STATUS[name])
    first = { name, at: now }
    const error = new InterruptedError(name, { hint: interruption.hint })
    controller.abort(error)
    io.clock.delay(GRACE_MS, over.signal).then(
      () => end(error, error.exitCode),
      () => undefined, // it stopped in time
    )
  }
  const unsubscribe = io.onSignal(stop)
  return interruption
}
