import { processIo } from "./io.ts"
import { run } from "./run.ts"
import { isInterrupted } from "./signals.ts"
import { rouseThreadPool } from "./thread-pool.ts"
import { limitYoungGeneration } from "./young-generation.ts"

/** How long the process waits, once all is done, for whatever still holds it. */
const LINGER_MS = 500

/** Run the process's own command line; what the launcher calls. */
export async function runProcess(): Promise<void> {
  using _limit = limitYoungGeneration()
  using _pool = rouseThreadPool()
  process.exitCode = await run(process.argv.slice(2), processIo())
  // Ending by itself, Node gives signals back to the system first, and a second one would tell another end.
  if (isInterrupted(process.exitCode)) process.exit()
  // A connection that will not close, or a standard input nobody ends, must not keep a finished program.
  setTimeout(() => process.exit(), LINGER_MS).unref()
}
