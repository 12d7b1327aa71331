import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addDryRun, addSettings } from "../options.ts"
import { TRANSFER_STATUSES } from "../statuses.ts"

const STATUSES = TRANSFER_STATUSES.filter((status) => status !== 3)
const PREFIX = "s3://BUCKET/PREFIX/"

/** `keyring`: the KEKs of a bucket's own, and who can open them. */
export function keyringCommand(invoke: Invoke): Command {
  const command = new Command("keyring")
    .summary("keep the keys of a prefix in the bucket, for several readers")
    .description(
      "A keyring is one small object, PREFIX.s3ep/keyring.json. It holds KEKs of the bucket's own (epochs), wrapped to " +
        "every recipient. What is put below its prefix is encrypted to the active epoch, without being told. Who joins " +
        "or leaves, and a new epoch, rewrite that one object and nothing else. Every change is shown before it is made.",
    )
  const subcommands = [initCommand, showCommand, addCommand, removeCommand, epochCommand, trustCommand]
  for (const make of subcommands) command.addCommand(make(invoke))
  return withManual(command, {
    examples: [
      ["s3ep keyring init s3://vault/photos/", "your key is its first recipient"],
      ["s3ep keyring add s3://vault/photos/ bob"],
      ["s3ep put -r photos s3://vault/photos/", "encrypts to it"],
      ["s3ep keyring remove s3://vault/photos/ bob --new-epoch"],
    ],
    statuses: STATUSES,
  })
}

function initCommand(invoke: Invoke): Command {
  const command = new Command("init")
    .description(
      "Make the keyring of a prefix, or of a whole bucket. Its recipients are the keys that would be written to: the " +
        "default one, or those named with --kek. What is stored already stays as it is.",
    )
    .argument("<target>", `${PREFIX}, or s3://BUCKET for all of it`)
  command.action((target: string) =>
    invoke(command, async (session) => {
      const { initKeyring } = await import("../actions/keyring.ts")
      await initKeyring(session, target, command.opts())
    }),
  )
  return withManual(confirmed(command), {
    examples: [
      ["s3ep keyring init s3://vault/photos/"],
      ["s3ep keyring init s3://vault --kek alice --kek escrow --yes", "two recipients, and nothing is asked"],
    ],
    statuses: STATUSES,
  })
}

function showCommand(invoke: Invoke): Command {
  const command = new Command("show")
    .description(
      "Show the keyring that is responsible for a prefix: its own, or the nearest one above it. Works without a key, " +
        "but only a recipient's key tells whether a recipient wrote it.",
    )
    .argument("<target>", PREFIX)
  command.action((target: string) =>
    invoke(command, async (session) => {
      const { showKeyring } = await import("../actions/keyring-show.ts")
      await showKeyring(session, target)
    }),
  )
  addSettings(command, "Storage:", ["requesterPays"]).optionsGroup("Options:")
  return withManual(command, {
    examples: [["s3ep keyring show s3://vault/photos/"], ["s3ep keyring show s3://vault/photos/ --json"]],
    statuses: STATUSES,
  })
}

function addCommand(invoke: Invoke): Command {
  const command = new Command("add")
    .description(
      "Let one more key open the keyring, and with it everything that is encrypted to it, what was stored before included.",
    )
    .argument("<target>", PREFIX)
    .argument("<recipients...>", "names or ids of keys, as `s3ep keys list` shows them")
    .option("--name <NAME>", "what to call the recipient; the key's own name otherwise")
  command.action((target: string, recipients: string[]) =>
    invoke(command, async (session) => {
      const { addRecipients } = await import("../actions/keyring.ts")
      await addRecipients(session, target, recipients, command.opts())
    }),
  )
  return withManual(confirmed(command), {
    examples: [
      ["s3ep keyring add s3://vault/photos/ bob"],
      ["s3ep keyring add s3://vault/photos/ archive-2026 --name escrow --dry-run"],
    ],
    statuses: STATUSES,
  })
}

function removeCommand(invoke: Invoke): Command {
  const command = new Command("remove")
    .description(
      "Take a recipient off the keyring. They may have kept what they could open so far; a new epoch keeps from them what " +
        "is put from now on. The last recipient stays.",
    )
    .argument("<target>", PREFIX)
    .argument("<recipients...>", "names or ids, as `s3ep keyring show` shows them")
    .option("--new-epoch", "make a new epoch too")
    .option("--no-new-epoch", "make none, and do not ask")
  command.action((target: string, recipients: string[]) =>
    invoke(command, async (session) => {
      const { removeRecipients } = await import("../actions/keyring.ts")
      await removeRecipients(session, target, recipients, command.opts())
    }),
  )
  return withManual(confirmed(command), {
    examples: [["s3ep keyring remove s3://vault/photos/ bob --new-epoch"]],
    statuses: STATUSES,
  })
}

function epochCommand(invoke: Invoke): Command {
  const command = new Command("epoch")
    .description(
      "Make a new epoch, which objects are encrypted to from now on; the one before it is retired, and still opens what " +
        "was encrypted to it. With --revoke an epoch opens nothing any more, unless --allow-revoked asks for it. An " +
        "epoch never goes back.",
    )
    .argument("<target>", PREFIX)
    .option("--retire <ID>", "retire this epoch; the active one is replaced by a new one")
    .option("--revoke <ID>", "revoke this epoch; the active one is replaced by a new one")
  command.action((target: string) =>
    invoke(command, async (session) => {
      const { changeEpoch } = await import("../actions/keyring.ts")
      await changeEpoch(session, target, command.opts())
    }),
  )
  return withManual(confirmed(command), {
    examples: [
      ["s3ep keyring epoch s3://vault/photos/", "one small object is written, however many there are below"],
      ["s3ep keyring epoch s3://vault/photos/ --revoke aes:9f2c"],
    ],
    statuses: STATUSES,
  })
}

function trustCommand(invoke: Invoke): Command {
  const command = new Command("trust")
    .description(
      "Say that the keyring in the store is the right one. Needed once where all you have is a key that anybody can wrap to " +
        "(RSA, age, KMS): compare its id with who made it. Needed too when an older generation, another keyring or none came " +
        "back than this machine has seen: right after a restore that you know of; otherwise somebody has tampered with the bucket.",
    )
    .argument("<target>", PREFIX)
  command.action((target: string) =>
    invoke(command, async (session) => {
      const { trustAgain } = await import("../actions/keyring-show.ts")
      await trustAgain(session, target, command.opts())
    }),
  )
  return withManual(confirmed(command), {
    examples: [["s3ep keyring trust s3://vault/photos/ --dry-run", "shows what was seen and what is there"]],
    statuses: STATUSES,
  })
}

function confirmed(command: Command): Command {
  addDryRun(command.option("-y, --yes", "do not ask"))
  return addSettings(command, "Storage:", ["requesterPays"]).optionsGroup("Options:")
}
