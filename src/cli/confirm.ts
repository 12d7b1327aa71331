import { PreconditionError, UsageError } from "../errors.ts"
import { askYes } from "./prompt.ts"
import type { Session } from "./session.ts"

/** How a command that changes things is agreed to. */
export interface ConfirmOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
}

/**
 * Have a change agreed to that was just shown.
 *
 * @throws {UsageError} if there is nobody to ask; {PreconditionError} if the answer is no.
 */
export async function confirm(session: Session, question: string, { yes }: ConfirmOptions): Promise<void> {
  if (yes) return
  const { io, signal } = session
  if (!io.stdin.isTTY) {
    throw new UsageError("this has to be agreed to, and there is no terminal to ask on", {
      hint: "add --yes to agree, or --dry-run to see what would be done",
    })
  }
  if (!(await askYes(question, io, signal))) {
    throw new PreconditionError("it was not agreed to: nothing was changed")
  }
}
