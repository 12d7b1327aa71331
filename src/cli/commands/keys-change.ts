import { Command } from "commander"
import type { KekState } from "../../keys/kek.ts"
import type { Invoke } from "../invoke.ts"
import { type Example, withManual } from "../manual.ts"
import { addDryRun } from "../options.ts"
import { KEYS_STATUSES } from "./keys-statuses.ts"

/** `keys retire`. */
export function retireCommand(invoke: Invoke): Command {
  return stateCommand(invoke, "retire", "retired", {
    description: "Write nothing new to a key. What it wrapped can be read as before.",
    examples: [["s3ep keys retire archive-2024"]],
  })
}

/** `keys revoke`. */
export function revokeCommand(invoke: Invoke): Command {
  return stateCommand(invoke, "revoke", "revoked", {
    description:
      "Use a key for nothing any more: what it wrapped is opened only with --allow-revoked. Whoever has a copy of the key can still read: give what matters to another key first.",
    examples: [["s3ep keys revoke laptop-2023"]],
  })
}

/** `keys activate`. */
export function activateCommand(invoke: Invoke): Command {
  return stateCommand(invoke, "activate", "active", {
    description: "Take back that a key was retired or revoked.",
    examples: [["s3ep keys activate archive-2024"]],
  })
}

function stateCommand(
  invoke: Invoke,
  verb: string,
  state: KekState,
  { description, examples }: { readonly description: string; readonly examples: readonly Example[] },
): Command {
  const command = new Command(verb).description(description).argument("<name>", "its name or id")
  addDryRun(command)
  command.action((name: string, options) =>
    invoke(command, async (session) => {
      const { changeState } = await import("../actions/keys-change.ts")
      await changeState(session, name, state, options)
    }),
  )
  return withManual(command, { examples, statuses: KEYS_STATUSES })
}

/** `keys remove`. */
export function removeCommand(invoke: Invoke): Command {
  const command = new Command("remove")
    .description(
      "Remove a key from its place, for good. Refused where it is the only one known for something this machine knows of; what is stored in buckets cannot be looked through.",
    )
    .argument("<name>", "its name or id")
    .option("--force", "even if it is the only one known for something")
  addDryRun(command)
  command.action((name: string, options) =>
    invoke(command, async (session) => {
      const { removeKey } = await import("../actions/keys-change.ts")
      await removeKey(session, name, options)
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep keys export laptop-2023 --reveal copy.key", "a copy first"],
      ["s3ep keys remove laptop-2023 --dry-run"],
      ["s3ep keys remove laptop-2023"],
    ],
    statuses: KEYS_STATUSES,
  })
}
