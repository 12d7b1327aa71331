import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { KEYS_STATUSES } from "./keys-statuses.ts"

/** `keys list`. */
export function listCommand(invoke: Invoke): Command {
  const command = new Command("list").description(
    "List the keys at hand, with their ids and states; never the keys themselves. New objects go to those with a star.",
  )
  command.action(() =>
    invoke(command, async (session) => {
      const { listKeys } = await import("../actions/keys-list.ts")
      await listKeys(session)
    }),
  )
  return withManual(command, {
    examples: [["s3ep keys list"], ["s3ep keys list --json"]],
    statuses: KEYS_STATUSES,
  })
}

/** `keys show`. */
export function showCommand(invoke: Invoke): Command {
  const command = new Command("show")
    .description("Describe one key: its id, kind and state, and where it is kept; never the key itself.")
    .argument("[name]", "its name or id", "default")
  command.action((name: string) =>
    invoke(command, async (session) => {
      const { showKey } = await import("../actions/keys-list.ts")
      await showKey(session, name)
    }),
  )
  return withManual(command, {
    examples: [["s3ep keys show"], ["s3ep keys show archive-2026"]],
    statuses: KEYS_STATUSES,
  })
}

/** `keys recipients`. */
export function recipientsCommand(invoke: Invoke): Command {
  const command = new Command("recipients")
    .description(
      "Print the public parts of keys, which others write to with --recipient and cannot read with.",
    )
    .argument("[names...]", "names or ids; all keys that have a public part if not given")
  command.action((names: string[]) =>
    invoke(command, async (session) => {
      const { listRecipients } = await import("../actions/keys-list.ts")
      await listRecipients(session, names)
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep keys recipients backup"],
      ["s3ep keys recipients > recipients.txt", "s3ep put --recipient recipients.txt …"],
    ],
    statuses: KEYS_STATUSES,
  })
}

/** `keys export`. */
export function exportCommand(invoke: Invoke): Command {
  const command = new Command("export")
    .description(
      "Copy a key out of its place: to a file, to paper, or its public part to whoever is to write.",
    )
    .argument("<name>", "its name or id")
    .argument("[file]", "a new file, or `-` for standard output, a terminal too")
    .option("--reveal", "really: the secret key leaves its place")
    .option("--paper", "a recovery sheet to print, with the key as text and as a QR code (HTML)")
    .option("--public", "only what may be handed out")
  command.action((name: string, file: string | undefined, options) =>
    invoke(command, async (session) => {
      const { exportKey } = await import("../actions/keys-export.ts")
      await exportKey(session, name, file, options)
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep keys export default --reveal --paper sheet.html", "print it, then remove the file"],
      ["s3ep keys export default --reveal /media/stick/default.key"],
      ["s3ep keys export backup --public backup.pub"],
    ],
    statuses: KEYS_STATUSES,
  })
}
