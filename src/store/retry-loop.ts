import { ContradictionError, type TransientCause, UnavailableError } from "../errors.ts"

export interface RetryPolicy {
  /** How often a request is sent in all. */
  readonly attempts: number
  /**
   * The same while the store has not answered at all yet, as a wrong endpoint is likelier then than an
   * interruption; no less than `attempts` if not given.
   */
  readonly attemptsUnanswered?: number
  /** The longest first wait; it doubles with each attempt. */
  readonly baseMs: number
  /** No wait is longer, unless the service asks for it. */
  readonly capMs: number
}

export interface RetryEvent {
  /** The request, in a few words: "upload part 3 of s3://vault/a.tar". */
  readonly what: string
  readonly cause: TransientCause
  /** How often it was sent so far. */
  readonly attempt: number
  readonly delayMs: number
}

export interface RetryDependencies {
  /** Waits, or rejects with the signal's reason. */
  readonly delay: (ms: number, signal: AbortSignal | undefined) => Promise<void>
  /** At least 0, less than 1. */
  readonly random: () => number
  readonly onRetry?: ((event: RetryEvent) => void) | undefined
  readonly policy?: Partial<RetryPolicy> | undefined
}

export const storePolicy: RetryPolicy = { attempts: 10, attemptsUnanswered: 4, baseMs: 1000, capMs: 30_000 }
// What garbles an answer on the way may be gone at the next one; what makes it up is not.
const ATTEMPTS_GARBLED = 4
// A service that asks for more patience than this is as good as gone.
const LONGEST_RETRY_AFTER_S = 300

/** The loop around one request. */
export class Again {
  readonly #policy: RetryPolicy
  readonly #dependencies: RetryDependencies
  #answered = false

  constructor(policy: RetryPolicy, dependencies: Omit<RetryDependencies, "policy">) {
    this.#policy = policy
    this.#dependencies = dependencies
  }

  /** @param send - is given the number of the attempt, from 1. */
  async run<T>(
    what: string,
    signal: AbortSignal | undefined,
    send: (attempt: number) => Promise<T>,
    mayRepeat: (error: UnavailableError) => boolean = () => true,
  ): Promise<T> {
    const failures = this.failures(what, signal)
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted()
      try {
        const answer = await send(attempt)
        this.#answered = true
        return answer
      } catch (error) {
        if (!(error instanceof UnavailableError && mayRepeat(error))) throw error
        await failures.wait(error)
      }
    }
  }

  /** Counts the failures of one request, and waits after each. */
  failures(what: string, signal: AbortSignal | undefined): { wait(error: UnavailableError): Promise<void> } {
    const { delay, onRetry } = this.#dependencies
    let count = 0
    let renewals = 0
    let garbled = 0
    return {
      wait: async (error) => {
        signal?.throwIfAborted()
        count += 1
        if (error.transient !== "network") this.#answered = true
        if (error.transient === "credentials") renewals += 1
        const { attempts, attemptsUnanswered = attempts } = this.#policy
        const most = this.#answered ? attempts : Math.min(attempts, attemptsUnanswered)
        if (error.transient === "garbled") garbled += 1
        if (count >= most || renewals > 1 || garbled >= ATTEMPTS_GARBLED) throw gaveUp(error, count)
        const delayMs = this.#delayMs(error, count)
        onRetry?.({ what, cause: error.transient, attempt: count, delayMs })
        if (delayMs > 0) await delay(delayMs, signal)
      },
    }
  }

  #delayMs({ transient, retryAfterSeconds }: UnavailableError, count: number): number {
    const { baseMs, capMs } = this.#policy
    const atOnce = transient === "credentials" || (transient === "network" && count === 1)
    const doublings = transient === "network" ? count - 2 : count - 1
    const jitterMs = atOnce ? 0 : this.#dependencies.random() * Math.min(capMs, baseMs * 2 ** doublings)
    return Math.max(jitterMs, 1000 * Math.min(retryAfterSeconds ?? 0, LONGEST_RETRY_AFTER_S))
  }
}

/** What a failed request ends with when it is not sent again. */
export function gaveUp(error: UnavailableError, attempts: number): UnavailableError | ContradictionError {
  const { hint, transient, retryAfterSeconds } = error
  const message = attempts === 1 ? error.message : `${error.message} (gave up after ${attempts} attempts)`
  if (transient === "garbled") return new ContradictionError(message, { cause: error, hint })
  if (attempts === 1) return error
  return new UnavailableError(message, { cause: error, hint, transient, retryAfterSeconds })
}
