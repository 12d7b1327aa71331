import type { UnavailableError } from "../errors.ts"
import { Again } from "../store/retry.ts"
import type { TransferContext } from "./context.ts"

/**
 * The same patience as the store's own retries, for what only the caller can do again.
 *
 * @param what - is done again, for progress events.
 * @returns `wait`, to be called after each failure; throws it when patience is at its end.
 */
export function patience(
  context: TransferContext,
  what: string,
  signal: AbortSignal,
): { wait(error: UnavailableError): Promise<void> } {
  const again = new Again(
    { attempts: 10, baseMs: 1000, capMs: 30_000 },
    {
      delay: (milliseconds) => context.clock.delay(milliseconds, signal),
      random: () => new DataView(context.random(4).buffer).getUint32(0) / 2 ** 32,
      onRetry: (event) => context.onProgress({ type: "retried", ...event }),
    },
  )
  return again.failures(what, signal)
}
