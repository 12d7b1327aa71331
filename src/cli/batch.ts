import { PartialError, S3epError } from "../errors.ts"
import type { ErrorRecord } from "./errors.ts"
import type { Session } from "./session.ts"
import { counted } from "./text.ts"

/** What a run of several items ends with where that is more than a part of them failing. */
class RunError extends S3epError {
  readonly code: string
  readonly exitCode: number
  constructor(message: string, { code, exitCode }: ErrorRecord) {
    super(message)
    this.code = code
    this.exitCode = exitCode
  }
}

/** Several items, of which some may fail: each is reported when it does, and the others go on. */
export class Batch {
  readonly #session: Session
  readonly #noun: string
  readonly #failures: ErrorRecord[] = []
  #done = 0

  /** @param noun - what the items are, for the last line: `file`. */
  constructor(session: Session, noun: string) {
    this.#session = session
    this.#noun = noun
  }

  succeeded(count = 1): void {
    this.#done += count
  }

  failed(item: string, error: unknown): void {
    this.#failures.push(this.#session.output.failure(error, item))
    this.#session.output.count("failed", 1)
  }

  /** Runs `work` for one item; only what stops everything is thrown. */
  async run(item: string, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#session
    try {
      signal.throwIfAborted()
      await work()
      this.succeeded()
    } catch (error) {
      if (signal.aborted || !(error instanceof S3epError)) throw error
      this.failed(item, error)
    }
  }

  /**
   * @param grave - a status that the run ends with if one item has it, whatever became of the others.
   * @throws {PartialError} if some items failed.
   */
  finish(grave?: number): void {
    const [first] = this.#failures
    if (first === undefined) return
    const all = this.#done + this.#failures.length
    const message = `${this.#failures.length} of ${counted(all, this.#noun)} failed`
    const worst = this.#failures.find(({ exitCode }) => exitCode === grave)
    if (worst) throw new RunError(message, worst)
    if (this.#done === 0 && this.#failures.every(({ exitCode }) => exitCode === first.exitCode)) {
      throw new RunError(message, first)
    }
    throw new PartialError(message, { hint: "the others are done; run it again for the rest" })
  }
}

/** Runs `work` for each of some items; a single one simply throws what it fails with. */
export async function forEachItem<T>(
  session: Session,
  noun: string,
  items: readonly T[],
  nameOf: (item: T) => string,
  work: (item: T) => Promise<void>,
  grave?: number,
): Promise<void> {
  const [only] = items
  if (only !== undefined && items.length === 1) return work(only)
  const batch = new Batch(session, noun)
  for (const item of items) await batch.run(nameOf(item), () => work(item))
  batch.finish(grave)
}
