import { Command, type HelpConfiguration } from "commander"
import { completionCommand } from "./commands/completion.ts"
import { configCommand } from "./commands/config.ts"
import { decryptCommand } from "./commands/decrypt.ts"
import { encryptCommand } from "./commands/encrypt.ts"
import { getCommand } from "./commands/get.ts"
import { keyringCommand } from "./commands/keyring.ts"
import { keysCommand } from "./commands/keys.ts"
import { lsCommand } from "./commands/ls.ts"
import { migrateCommand } from "./commands/migrate.ts"
import { mpUploadCommand } from "./commands/mp-upload.ts"
import { putCommand } from "./commands/put.ts"
import { rmCommand } from "./commands/rm.ts"
import { rotateKeyCommand } from "./commands/rotate-key.ts"
import { statCommand } from "./commands/stat.ts"
import { verifyCommand } from "./commands/verify.ts"
import type { Invoke } from "./invoke.ts"
import { withManual } from "./manual.ts"
import { addGlobalOptions } from "./options.ts"
import { TRANSFER_STATUSES } from "./statuses.ts"
import { readVersion } from "./version.ts"

const GROUPS: readonly { heading: string; commands: readonly [string, (invoke: Invoke) => Command][] }[] = [
  {
    heading: "Objects:",
    commands: [
      ["put", putCommand],
      ["get", getCommand],
      ["mp-upload", mpUploadCommand],
      ["ls", lsCommand],
      ["stat", statCommand],
      ["rm", rmCommand],
      ["verify", verifyCommand],
      ["rotate-key", rotateKeyCommand],
      ["migrate", migrateCommand],
    ],
  },
  {
    heading: "Local files:",
    commands: [
      ["encrypt", encryptCommand],
      ["decrypt", decryptCommand],
    ],
  },
  {
    heading: "Set-up:",
    commands: [
      ["keys", keysCommand],
      ["keyring", keyringCommand],
      ["config", configCommand],
      ["completion", completionCommand],
    ],
  },
]

/**
 * The whole command line: what parses arguments, writes help, and is walked to generate completions and s3ep(1).
 *
 * @param invoke - called with the work of the command that was given; by default nothing is done, which is enough
 *   for whoever only looks at the tree.
 * @param only - the name of the one command that is needed; if there is none of that name, all of them are made.
 */
export function createProgram(invoke: Invoke = async () => undefined, only?: string): Command {
  const program = new Command("s3ep")
    .description("Encrypt files on this machine and keep them in any S3-compatible store")
    .usage("[global options] <command> [options] [arguments]")
    .version(readVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print help")
    .addHelpCommand(
      new Command("help")
        .summary("print the help of a command")
        .argument("[command]", "its name")
        .helpGroup("Set-up:"),
    )
  addGlobalOptions(program)
  const single = GROUPS.flatMap(({ commands }) => commands).some(([name]) => name === only)
  for (const { heading, commands } of GROUPS) {
    for (const [name, make] of commands) {
      if (!single || name === only) program.addCommand(make(invoke).helpGroup(heading))
    }
  }
  for (const command of allCommands(program)) {
    command.configureHelp(helpStyle(program)).helpOption("-h, --help", "print help")
  }
  return withManual(program, {
    examples: [
      ["s3ep keys generate", "makes the key; keep a copy of it"],
      ["s3ep put backup.tar s3://vault/", "resumes if it was interrupted"],
      ["s3ep get s3://vault/backup.tar .", "appears only once all of it verified"],
      ["pg_dump app | s3ep put - s3://vault/app.sql"],
      ["s3ep put --help", "every command has its own"],
    ],
    statuses: TRANSFER_STATUSES,
  })
}

// Only the options of s3ep itself are global: those of mp-upload do not apply to its subcommands.
function helpStyle(program: Command): HelpConfiguration {
  return {
    showGlobalOptions: true,
    visibleGlobalOptions: (command) =>
      command === program ? [] : program.options.filter((option) => !option.hidden),
    subcommandTerm: (command) => `${command.name()} ${firstUsage(command)}`.trim(),
  }
}

function firstUsage(command: Command): string {
  const [first = ""] = command.usage().split("\n")
  return first.replace(/\[options\] ?/, "").replace("[command]", "<command>")
}

export { readVersion } from "./version.ts"

/** A command and all below it. */
export function* allCommands(command: Command): Generator<Command> {
  yield command
  for (const sub of command.commands) yield* allCommands(sub)
}
