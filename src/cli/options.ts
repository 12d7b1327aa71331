import { type Command, Option } from "commander"
import { type SettingName, settings } from "../config/settings.ts"

/** Options of every command, accepted before and after its name. */
export function addGlobalOptions(program: Command): Command {
  addSettings(program, "Storage:", ["profile", "config", "endpoint", "region", "service", "pathStyle"])
  addSettings(program, "Keys:", [
    "kek",
    "kekFile",
    "kekFd",
    "recipient",
    "kmsKey",
    "identity",
    "keyPassphraseFile",
    "keyPassphraseFd",
    "passphraseFile",
    "passphraseFd",
    "proxyConfig",
    "allowRevoked",
    "keyring",
  ])
  program.option("-p, --passphrase", "ask for a passphrase on the terminal")
  addSettings(program, "Output:", ["json", "quiet", "verbose", "progress", "color"])
  return program.optionsGroup("Options:")
}

/** Add the options of some settings, as the table of settings has them, under a heading. */
export function addSettings(command: Command, heading: string, names: readonly SettingName[]): Command {
  command.optionsGroup(heading)
  for (const name of names) {
    for (const option of settingOptions(name)) command.addOption(option)
  }
  return command
}

// Their values stay text: the configuration layer checks them all in one way, wherever they come from.
function settingOptions(name: SettingName): Option[] {
  const setting: {
    kind: (typeof settings)[SettingName]["kind"]
    help: string
    option?: string
    short?: string
  } = settings[name]
  const { kind, help, option: long, short } = setting
  if (long === undefined) throw new RangeError(`the setting ${name} has no option`)
  const flags = short === undefined ? long : `${short}, ${long}`
  if (name === "progress") return [new Option("--no-progress", "show no progress")]
  if (name === "keyring") return [new Option("--no-keyring", "do without the keyrings of the bucket")]
  if (name === "pathStyle")
    return [new Option(flags, help), new Option("--no-path-style", "name it in the host")]
  if (kind.metavar === undefined) return [new Option(flags, help)]
  const option = new Option(`${flags} <${kind.metavar}>`, help)
  if (kind.choices !== undefined) option.choices(kind.choices)
  if (kind.isList) option.argParser(collect)
  return [option]
}

/** For an option that may be repeated: all its values, in order. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value]
}

export function addDryRun(command: Command): Command {
  return command.option("-n, --dry-run", "say what would be done, and do nothing")
}

/** What chooses files of a tree, in both directions. */
export function addTreeOptions(command: Command): Command {
  return command
    .optionsGroup("Trees:")
    .option("-r, --recursive", "the whole tree")
    .option("--include <PATTERN>", "only these files, a pattern as in .gitignore; may be repeated", collect)
    .option("--exclude <PATTERN>", "not these files, a pattern as in .gitignore; may be repeated", collect)
}

/** What a request to read stored objects may need. */
export function addReadOptions(command: Command): Command {
  return addSettings(command, "Storage:", ["requesterPays", "sseCKeyFile"]).optionsGroup("Options:")
}

/** What may be read that is not authenticated, on purpose. */
export function addForeignOptions(command: Command): Command {
  return command
    .optionsGroup("Objects of other systems:")
    .option("--plaintext", "pass on as it is what is in no format s3ep knows")
    .option(
      "--allow-unauthenticated",
      "read what nothing authenticates, and do not wait for the end to release what it would prove",
    )
    .optionsGroup("Options:")
}

export function addVersionOption(command: Command): Command {
  return command.option("--version-id <ID>", "this version of the object")
}

/** How files are cut and sent, and what is kept beside them: the options of `put` and `mp-upload`. */
export function addWriteOptions(command: Command): Command {
  addSettings(command, "Transfer:", [
    "partSize",
    "chunkSize",
    "concurrency",
    "checksum",
    "accelerate",
    "requesterPays",
  ])
  command
    .option("--no-clobber", "fail with status 8 if the object exists")
    .addOption(new Option("--if-none-match <ETAG>", "the same, in S3's words").choices(["*"]))
  return addSettings(command, "Stored beside the object, in the clear:", ["storageClass", "sseCKeyFile"])
    .option("--content-type <TYPE>", "media type the store shows")
    .option("--cache-control <VALUE>", "Cache-Control header")
    .option("--content-disposition <VALUE>", "Content-Disposition header")
    .option("--content-encoding <VALUE>", "Content-Encoding header")
    .option("--content-language <VALUE>", "Content-Language header")
    .option("--metadata <NAME=VALUE>", "user metadata; may be repeated", collect)
    .option("--tag <NAME=VALUE>", "object tag; may be repeated", collect)
    .option("--acl <ACL>", "canned ACL, such as bucket-owner-full-control")
    .addOption(
      new Option("--sse <KIND>", "server-side encryption on top of ours").choices(["AES256", "aws:kms"]),
    )
    .option("--sse-kms-key-id <ID>", "key of the store's KMS; implies --sse aws:kms")
    .addOption(
      new Option("--object-lock-mode <MODE>", "Object Lock retention mode").choices([
        "GOVERNANCE",
        "COMPLIANCE",
      ]),
    )
    .option("--object-lock-retain-until <TIME>", "ISO 8601 time until which it cannot be deleted")
    .option("--legal-hold", "put the object under legal hold")
}
