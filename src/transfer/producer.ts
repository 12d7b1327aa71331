import { spawn } from "node:child_process"
import { LocalIoError, UsageError } from "../errors.ts"

/** How a process ended; or why it never began. */
type End = { readonly status: number | null; readonly killedBy: string | null } | { readonly error: Error }

/**
 * Run a program, without a shell, and read what it prints. Its stdin and stderr are ours.
 *
 * @param command - the program and its arguments.
 * @returns its standard output. Only a normal end of the iteration means that the program succeeded; ending the
 * iteration early, or aborting, ends the program.
 * @throws {LocalIoError} if it cannot be started, or fails: after its last byte, so that nothing is taken for whole.
 */
export async function* runProducer(
  command: readonly string[],
  { signal }: { signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  const [program, ...parameters] = command
  if (program === undefined) throw new UsageError("no command to run was given")
  signal.throwIfAborted()
  const child = spawn(program, parameters, { stdio: ["inherit", "pipe", "inherit"] })
  const ending = new Promise<End>((resolve) => {
    child.once("error", (error) => resolve({ error }))
    child.once("close", (status, killedBy) => resolve({ status, killedBy }))
  })
  const stop = (): void => {
    child.kill()
  }
  signal.addEventListener("abort", stop, { once: true })
  try {
    let broken: { error: unknown } | undefined
    try {
      for await (const piece of child.stdout) yield piece
    } catch (error) {
      broken = { error } // what became of the program says more
    }
    const end = await ending
    signal.throwIfAborted()
    const failure = describe(end)
    if (failure !== null) {
      throw new LocalIoError(`${program} ${failure}`, { cause: "error" in end ? end.error : undefined })
    }
    if (broken) throw new LocalIoError(`cannot read what ${program} prints`, { cause: broken.error })
  } finally {
    signal.removeEventListener("abort", stop)
    stop()
  }
}

function describe(end: End): string | null {
  if ("error" in end) return `could not be run: ${end.error.message}`
  if (end.killedBy !== null) return `was killed by ${end.killedBy}`
  return end.status === 0 ? null : `failed with status ${end.status}`
}
