import type { Command } from "commander"
import { EXIT_STATUSES } from "./statuses.ts"

/** A line to type, and what is worth knowing about it. */
export type Example = readonly [line: string, note?: string]

/** What a command's help, and the manual page, say after the options. */
export interface Manual {
  readonly examples: readonly Example[]
  readonly statuses: readonly number[]
}

const manuals = new WeakMap<Command, Manual>()

/** Give a command its examples and exit statuses, which end its `--help`. */
export function withManual(command: Command, manual: Manual): Command {
  manuals.set(command, manual)
  return command.addHelpText("after", () => renderManual(manual))
}

/** The examples and exit statuses of a command, if it has been given any. */
export function manualOf(command: Command): Manual | undefined {
  return manuals.get(command)
}

function renderManual(manual: Manual): string {
  const width = Math.max(...manual.examples.filter(([, note]) => note).map(([line]) => line.length), 0)
  const examples = manual.examples.map(([line, note]) =>
    note === undefined ? `  $ ${line}` : `  $ ${line.padEnd(width)}   ${note}`,
  )
  const statuses = manual.statuses.map(
    (status) => `  ${String(status).padStart(3)}  ${EXIT_STATUSES.get(status) ?? ""}`,
  )
  return ["", "Examples:", ...examples, "", "Exit statuses:", ...statuses].join("\n")
}
