import { type Command, CommanderError } from "commander"
import { UsageError } from "../errors.ts"
import { choosePaint, earlyColor } from "./color.ts"
import { isBrokenPipe, usageError } from "./errors.ts"
import type { Task } from "./invoke.ts"
import type { Io } from "./io.ts"
import { brokenPipeSignal, flushed, Output } from "./output.ts"
import { allCommands, createProgram } from "./program.ts"
import { Progress } from "./progress.ts"
import { Session } from "./session.ts"
import { watchSignals } from "./signals.ts"
import { BROKEN_PIPE_STATUS } from "./statuses.ts"
import { readVersion } from "./version.ts"

const WIDEST_HELP_COLUMNS = 100

/**
 * Parse a command line, run it, and say how it ended.
 *
 * @param argv - without the names of the interpreter and the program.
 * @returns the exit status; everything else went to the streams of `io`.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const closed = brokenPipeSignal(io.stdout)
  brokenPipeSignal(io.stderr)
  let status = 0
  const program = createProgram(async (command, task) => {
    status = await runTask(command, task, io, closed)
  }, argv[0])
  program.exitOverride()
  for (const command of allCommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: () => undefined, // said below, in our words
      getOutHelpWidth: () => Math.min(io.stdout.columns ?? WIDEST_HELP_COLUMNS, WIDEST_HELP_COLUMNS),
    })
  }
  try {
    await program.parseAsync(separateProducer(argv), { from: "user" })
    return status
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    if (error instanceof CommanderError && error.code === "commander.help") return new UsageError("").exitCode
    const name = nameOf(commandIn(program, argv))
    const json = argv.includes("--json") || /^(?:true|1|yes|on)$/i.test(io.env["S3EP_JSON"] ?? "")
    const paint = await choosePaint(earlyColor(argv, io.env), io.stderr, io.env)
    const output = new Output(io, { json, quiet: false, verbose: false, paint })
    const { exitCode } = output.failure(error instanceof CommanderError ? usageError(error, name) : error)
    output.summary(name, exitCode)
    return exitCode
  }
}

/** The command that a command line means, as far as it can be told. */
function commandIn(program: Command, argv: readonly string[]): Command {
  let command = program
  for (const word of argv) command = command.commands.find((sub) => sub.name() === word) ?? command
  return command
}

/** What follows `--from-command` is a command line of its own, whose options are not ours. */
function separateProducer(argv: readonly string[]): string[] {
  const at = argv.indexOf("--from-command")
  const literal = argv.indexOf("--")
  if (at < 0 || (literal >= 0 && literal < at) || argv[at + 1] === "--") return [...argv]
  return [...argv.slice(0, at + 1), "--", ...argv.slice(at + 1)]
}

async function runTask(command: Command, task: Task, io: Io, closed: AbortSignal): Promise<number> {
  refuseOptionsOfParents(command)
  const { resolveSettings } = await import("../config/resolve.ts")
  const { env, cwd, homeDirectory } = io
  const resolved = await resolveSettings({ options: givenOptions(command), env, cwd, homeDirectory })
  const { json, quiet, verbose, color, progress: showsProgress } = resolved.values
  const paint = await choosePaint(color, io.stderr, env)
  const output = new Output(io, { json, quiet, verbose, paint })
  const progress = new Progress({
    output,
    stderr: io.stderr,
    clock: io.clock,
    shown: showsProgress && !quiet,
  })
  const finish = (exitCode: number) => {
    progress.stop()
    output.summary(nameOf(command), exitCode)
    return exitCode
  }
  using interruption = watchSignals(io, (error) => {
    progress.stop() // or the error would stand behind a bar
    finish(output.failure(error).exitCode)
  })
  const signal = AbortSignal.any([interruption.signal, closed])
  using session = new Session({
    io,
    output,
    resolved,
    interruption,
    progress,
    signal,
    asksPassphrase: command.optsWithGlobals()["passphrase"] === true,
    version: readVersion(),
  })
  try {
    await task(session)
    finish(0)
    await flushed(io.stdout)
    return closed.aborted ? BROKEN_PIPE_STATUS : 0
  } catch (error) {
    progress.stop()
    if (closed.aborted || isBrokenPipe(error)) return BROKEN_PIPE_STATUS
    // Whatever work that was told to stop says, the reason is why.
    return finish(output.failure(interruption.signal.aborted ? interruption.signal.reason : error).exitCode)
  }
}

/** The options on the command line, of the command and of s3ep. */
function givenOptions(command: Command): Record<string, unknown> {
  const given: Record<string, unknown> = {}
  for (let place: Command | null = command; place !== null; place = place.parent) {
    for (const [name, value] of Object.entries(place.opts())) {
      if (place.getOptionValueSource(name) === "cli") given[name] ??= value
    }
  }
  return given
}

// commander takes the options of mp-upload before its subcommands see them.
function refuseOptionsOfParents(command: Command): void {
  for (let parent = command.parent; parent?.parent; parent = parent.parent) {
    for (const name of Object.keys(parent.opts())) {
      const own = command.options.some((option) => option.attributeName() === name)
      if (parent.getOptionValueSource(name) !== "cli") continue
      if (own) command.setOptionValueWithSource(name, parent.getOptionValue(name), "cli")
      else {
        const option = parent.options.find((option) => option.attributeName() === name)
        throw new UsageError(`${nameOf(command)} has no option ${option?.long ?? name}`, {
          hint: `see \`s3ep ${nameOf(command)} --help\``,
        })
      }
    }
  }
}

/** `mp-upload list`. */
function nameOf(command: Command): string {
  const names: string[] = []
  for (let place: Command = command; place.parent !== null; place = place.parent) names.unshift(place.name())
  return names.join(" ")
}
