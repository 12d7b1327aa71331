import type { CommanderError } from "commander"
import { LocalIoError, S3epError, UsageError } from "../errors.ts"

/** An error as `--json` prints it and as text shows it. */
export interface ErrorRecord {
  readonly type: "error"
  /** What of several things failed. */
  readonly item?: string
  readonly code: string
  readonly message: string
  readonly hint: string | null
  readonly exitCode: number
  /** Of a bug only. */
  readonly stack?: string
}

export const BUG_STATUS = 1
const BUG_HINT = "this is a bug in s3ep: please report it with the lines above"

/** How an error is shown, and the status it ends the program with. */
export function errorRecord(error: unknown, item?: string): ErrorRecord {
  const known = actionable(error)
  const about = item === undefined ? {} : { item }
  if (known) {
    const { code, message, hint = null, exitCode } = known
    return { type: "error", ...about, code, message, hint, exitCode }
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  return {
    type: "error",
    ...about,
    code: "S3EP_BUG",
    message: message === "" ? "something unexpected happened" : message,
    hint: BUG_HINT,
    exitCode: BUG_STATUS,
    stack: stack ?? message,
  }
}

/** The error the user can act on that an error is, or amounts to; null if it is a bug. */
export function actionable(error: unknown): S3epError | null {
  if (error instanceof S3epError) return error
  if (!(error instanceof Error)) return null
  // A system call that failed where nothing more could be said about it.
  if ("syscall" in error && "code" in error) {
    return new LocalIoError(`cannot go on: ${error.message}`, { cause: error })
  }
  return null
}

/** Whether nobody reads our output any more. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE"
}

/** What commander has against a command line, in our words. @param command - the name of the command, if any. */
export function usageError({ message, cause }: CommanderError, command: string): UsageError {
  const [first = "", ...suggestion] = message.replace(/^error: /, "").split("\n")
  const hint = suggestion
    .join(" ")
    .replace(/^\((.*)\)$/, "$1")
    .replace(/^Did you mean/, "did you mean")
  return new UsageError(withoutValue(first.replace(/^Missing/, "missing").replace(/\.$/, "")), {
    cause,
    hint: hint === "" ? `see \`s3ep ${command === "" ? "" : `${command} `}--help\`` : hint,
  })
}

// What follows the "=" of an option that takes none may be a secret that was not meant to be there.
function withoutValue(message: string): string {
  return message.replace(/^(unknown option '--[^=']+)=.*'$/s, "$1=…'")
}
