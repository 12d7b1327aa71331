import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"

const STATUSES = [0, 1, 2, 5, 8, 10]

/** `keys`: the KEKs this machine knows. */
export function keysCommand(invoke: Invoke): Command {
  const command = new Command("keys")
    .summary("make and list the keys of this machine")
    .description("The KEKs this machine knows: those of its keys directory and those the settings name.")
  command.addCommand(generateCommand(invoke))
  command.addCommand(listCommand(invoke))
  command.addCommand(showCommand(invoke))
  return withManual(command, {
    examples: [["s3ep keys generate", "makes the key named default"], ["s3ep keys list"]],
    statuses: STATUSES,
  })
}

function generateCommand(invoke: Invoke): Command {
  const command = new Command("generate")
    .description("Make a new random KEK and keep it in the keys directory, readable by you alone.")
    .argument("[name]", "what to call it", "default")
  command.action((name: string) =>
    invoke(command, async (session) => {
      const { generateKey } = await import("../actions/keys.ts")
      await generateKey(session, name)
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep keys generate", "the one that is used unless --kek names another"],
      ["s3ep keys generate archive-2026"],
    ],
    statuses: STATUSES,
  })
}

function listCommand(invoke: Invoke): Command {
  const command = new Command("list").description(
    "List the KEKs at hand, with their ids; never the keys themselves.",
  )
  command.action(() =>
    invoke(command, async (session) => {
      const { listKeys } = await import("../actions/keys.ts")
      await listKeys(session)
    }),
  )
  return withManual(command, {
    examples: [["s3ep keys list"], ["s3ep keys list --json"]],
    statuses: STATUSES,
  })
}

function showCommand(invoke: Invoke): Command {
  const command = new Command("show")
    .description("Describe one KEK: its id, its kind and where it is kept; never the key itself.")
    .argument("[name]", "its name or id", "default")
  command.action((name: string) =>
    invoke(command, async (session) => {
      const { showKey } = await import("../actions/keys.ts")
      await showKey(session, name)
    }),
  )
  return withManual(command, {
    examples: [["s3ep keys show"], ["s3ep keys show archive-2026"]],
    statuses: STATUSES,
  })
}
