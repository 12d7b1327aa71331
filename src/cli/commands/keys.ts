import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { activateCommand, removeCommand, retireCommand, revokeCommand } from "./keys-change.ts"
import { exportCommand, listCommand, recipientsCommand, showCommand } from "./keys-look.ts"
import { generateCommand, importCommand } from "./keys-make.ts"
import { KEYS_STATUSES } from "./keys-statuses.ts"

/** `keys`: the KEKs this machine knows. */
export function keysCommand(invoke: Invoke): Command {
  const command = new Command("keys")
    .summary("make, list, copy and retire the keys of this machine")
    .description("The KEKs this machine knows: those of its keys directory and those the settings name.")
  const commands = [
    generateCommand,
    listCommand,
    showCommand,
    importCommand,
    exportCommand,
    recipientsCommand,
    retireCommand,
    revokeCommand,
    activateCommand,
    removeCommand,
  ]
  for (const make of commands) command.addCommand(make(invoke))
  return withManual(command, {
    examples: [
      ["s3ep keys generate", "makes the key named default"],
      ["s3ep keys list"],
      ["s3ep keys export default --reveal --paper sheet.html", "a recovery sheet to print"],
    ],
    statuses: KEYS_STATUSES,
  })
}
