import { Command, Option } from "commander"
import { generators } from "../../keys/kinds.ts"
import { addDerivationOptions } from "../derivation.ts"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { KEYS_STATUSES } from "./keys-statuses.ts"

/** `keys generate`. */
export function generateCommand(invoke: Invoke): Command {
  const command = new Command("generate")
    .description(
      "Make a new random key. It is kept in the keys directory, readable by you alone, if nothing else is said.",
    )
    .argument("[name]", "what to call it", "default")
    .addOption(
      new Option(
        "--kind <KIND>",
        "aes: one secret writes and reads; age, age-pq (post-quantum) and rsa: a public part writes, a secret one reads",
      )
        .choices([...generators().keys()])
        .default("aes"),
    )
  addPlaces(command)
  command.action((name: string, options) =>
    invoke(command, async (session) => {
      const { generateKey } = await import("../actions/keys-make.ts")
      await generateKey(session, name, options)
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep keys generate", "the one that is used unless --kek names another"],
      ["s3ep keys generate archive-2026 --protect", "under a passphrase"],
      ["s3ep keys generate laptop --keychain", "in the keychain of the system"],
      ["s3ep keys generate backup --kind age", "`s3ep keys recipients backup` is for those who write"],
    ],
    statuses: KEYS_STATUSES,
  })
}

/** `keys import`. */
export function importCommand(invoke: Invoke): Command {
  const command = new Command("import")
    .description(
      "Keep a key that comes from elsewhere: 32 bytes raw, in hex or base64, a key file, a recovery sheet, RSA in PEM, an age identity or recipient, the ARN of a KMS key, a key export of Harpocrates to which the keys were added.",
    )
    .argument("[source]", "a file, `-` for standard input, or a recipient (age1…, arn:…)")
    .argument("[name]", "what to call it; what it was called, or default, if not given")
    .option("--paper", "ask for the lines of a recovery sheet on the terminal")
  addPlaces(command)
  addDerivationOptions(command)
  command.action((source: string | undefined, name: string | undefined, options) =>
    invoke(command, async (session) => {
      const { importKeys } = await import("../actions/keys-make.ts")
      // With a sheet to type there is no source, and the first word is the name.
      if (options.paper) await importKeys(session, undefined, source, options)
      else await importKeys(session, source, name, options)
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep keys import old.key archive-2024"],
      ["s3ep keys import --paper default", "type a recovery sheet"],
      [
        "s3ep keys import ~/.ssh/backup.pem backup --protect",
        "an encrypted PEM file asks for its passphrase",
      ],
      ["pass show s3ep | s3ep keys import - default"],
      [
        "s3ep keys import kek.hex tenant-a --derive hkdf-sha256 --info tenant-a/objects/2025",
        "a data key of Harpocrates",
      ],
      ["s3ep keys import age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p alice"],
    ],
    statuses: KEYS_STATUSES,
  })
}

function addPlaces(command: Command): void {
  command
    .option("--keychain", "keep it in the keychain of the system")
    .option(
      "--protect",
      "keep it under a passphrase, which is asked for, or comes from --key-passphrase-file",
    )
}
