import type { Argument, Command, Option } from "commander"
import { type Manual, manualOf } from "../manual.ts"

/** What a shell may offer in place of a value. */
export type Offer = "file" | "directory" | "nothing" | readonly string[]

export interface OptionNode {
  /** As typed: `-q`, `--quiet`. */
  readonly flags: readonly string[]
  /** Name of its value, if it takes one. */
  readonly metavar: string | undefined
  readonly offer: Offer
  readonly repeatable: boolean
  readonly help: string
}

export interface ArgumentNode {
  readonly name: string
  readonly required: boolean
  readonly variadic: boolean
  readonly offer: Offer
  readonly help: string
}

/** A command as its completions and its manual need it. */
export interface CommandNode {
  /** Names from below `s3ep` on: `["mp-upload", "list"]`; empty for `s3ep` itself. */
  readonly path: readonly string[]
  readonly name: string
  /** A few words, for lists. */
  readonly summary: string
  readonly description: string
  /** Each way to call it, without the program's name. */
  readonly usages: readonly string[]
  readonly options: readonly OptionNode[]
  /** Options of s3ep itself, which every command takes too; none at the top, where they are its own. */
  readonly inherited: readonly OptionNode[]
  readonly args: readonly ArgumentNode[]
  readonly commands: readonly CommandNode[]
  readonly manual: Manual | undefined
}

/** The command tree of commander, as plain data. */
export function describeCommand(program: Command): CommandNode {
  return describe(program, [], [])
}

function describe(command: Command, path: readonly string[], above: readonly OptionNode[]): CommandNode {
  const help = command.createHelp()
  const options = help.visibleOptions(command).map(describeOption)
  const global = path.length === 0 ? options.filter(({ flags }) => !flags.includes("--version")) : above
  const description = command.description() || command.summary()
  return {
    path,
    name: command.name(),
    summary: command.summary() || firstSentence(description),
    description,
    usages: command
      .usage()
      .split("\n")
      .map((usage) => usage.trim().replace(/^s3ep /, "")),
    options,
    inherited: above.filter(
      ({ flags }) => !options.some((own) => own.flags.some((flag) => flags.includes(flag))),
    ),
    args: command.registeredArguments.map(describeArgument),
    commands: help
      .visibleCommands(command)
      // Every group has a `help`; the one of s3ep itself is enough to be told about.
      .filter((sub) => path.length === 0 || sub.name() !== "help")
      .map((sub) => describe(sub, [...path, sub.name()], global)),
    manual: manualOf(command),
  }
}

/** A command and all below it, in order. */
export function* everyCommand(node: CommandNode): Generator<CommandNode> {
  yield node
  for (const sub of node.commands) yield* everyCommand(sub)
}

function describeOption(option: Option): OptionNode {
  const metavar = /[<[]([^>\].]+)(?:\.\.\.)?[>\]]/.exec(option.flags)?.[1]
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
    metavar,
    offer: option.argChoices ?? offerFor(metavar),
    repeatable: option.parseArg !== undefined && option.argChoices === undefined,
    help: option.description,
  }
}

function describeArgument(argument: Argument): ArgumentNode {
  return {
    name: argument.name(),
    required: argument.required,
    variadic: argument.variadic,
    offer: argument.argChoices ?? offerFor(argument.name()),
    help: argument.description,
  }
}

const FILES = /^(?:files?|paths?|sources?|dest|destination)$/i

function offerFor(name: string | undefined): Offer {
  if (name === undefined) return "nothing"
  if (/^(?:directory|dir)$/i.test(name)) return "directory"
  return FILES.test(name) ? "file" : "nothing"
}

function firstSentence(text: string): string {
  const [first = text] = text.split(/[.:;] /)
  const plain = first.replace(/\.$/, "")
  return plain.charAt(0).toLowerCase() + plain.slice(1)
}
