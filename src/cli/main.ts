import { type Io, processIo } from "./io.ts"
import { readVersion } from "./version.ts"

/** How long the process waits, once all is done, for whatever still holds it. */
const LINGER_MS = 500

/** Run the process's own command line; what the launcher calls. */
export async function runProcess(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), processIo())
  // A connection that will not close, or a standard input nobody ends, must not keep a finished program.
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

/**
 * Run a command line.
 *
 * @param argv - without the names of the interpreter and the program.
 * @returns the exit status; everything else went to the streams of `io`.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  // Asked by every script that wants to know whether there is an s3ep, so it loads nothing.
  if (argv.length === 1 && argv[0] === "--version") {
    io.stdout.write(`${readVersion()}\n`)
    return 0
  }
  const { run } = await import("./run.ts")
  return run(argv, io)
}
