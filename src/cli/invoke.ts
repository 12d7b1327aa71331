import type { Command } from "commander"
import type { Session } from "./session.ts"

/** The work of a command, once settings, output and signals stand. */
export type Task = (session: Session) => Promise<void>

/** How the command tree hands over what was asked for; `main` settles everything around it. */
export type Invoke = (command: Command, task: Task) => Promise<void>
