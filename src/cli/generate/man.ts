import { type Setting, type SettingName, settingRows } from "../../config/settings.ts"
import type { Example } from "../manual.ts"
import { EXIT_STATUSES } from "../statuses.ts"
import { block, bold, definition, lines, paragraph, roff, section, subsection } from "./roff.ts"
import { type ArgumentNode, type CommandNode, everyCommand, type OptionNode } from "./tree.ts"

/** Of the last change of what the page says; a page needs a date, and a generated one must not have today's. */
const PAGE_DATE = "2026-11-21"

/** The text of s3ep(1), in the man(7) macros. */
export function manualPage(root: CommandNode, version: string): string {
  const commands = [...everyCommand(root)].filter(({ path }) => path.length > 0)
  return lines(
    '.\\" Generated from the command tree and the table of settings: npm run generate',
    `.TH S3EP 1 ${PAGE_DATE} "s3ep ${version}" "User Commands"`,
    section("NAME"),
    `s3ep \\- ${roff(root.summary)}`,
    section("SYNOPSIS"),
    ...synopsis(commands),
    section("DESCRIPTION"),
    paragraph(root.description.replace(/\.?$/, ".")),
    ...ABOUT.map(paragraph),
    section("GLOBAL OPTIONS"),
    "Accepted before and after the name of a command.",
    ...root.options.map(optionEntry),
    section("COMMANDS"),
    ...commands.flatMap(commandSection),
    section("EXIT STATUS"),
    ...Array.from(EXIT_STATUSES, ([status, meaning]) => definition(bold(String(status)), meaning)),
    section("ENVIRONMENT"),
    paragraph(
      "A variable that begins with S3EP_ and is not listed here, or has a value s3ep cannot use, is an error.",
    ),
    ...settingRows.flatMap(([, setting]) => variableEntries(setting)),
    ...OTHER_VARIABLES.map(([name, meaning]) => definition(bold(name), meaning)),
    section("CONFIGURATION"),
    ...CONFIGURATION.map(paragraph),
    ...settingRows.filter(([, { files }]) => files !== "none").map(memberEntry),
    section("FILES"),
    ...FILES.map(([path, meaning]) => definition(`\\fI${roff(path)}\\fR`, meaning)),
    section("SIGNALS"),
    paragraph(SIGNALS),
    section("EXAMPLES"),
    ...(root.manual?.examples ?? []).flatMap(exampleLines),
    section("SEE ALSO"),
    ".BR s3ep\\-format (5)",
  )
}

const ABOUT = [
  "Data is encrypted on this machine, before it leaves it, with AES-256-GCM under a key made for each object; that " +
    "key is stored beside the object, wrapped to one or more of your own keys (KEKs). What is downloaded is checked " +
    "whole: a file appears under its name only once every byte of it was found to be what was written. " +
    "s3ep-format(5) has the details.",
  "An address is s3://BUCKET/KEY for an object, s3://BUCKET/PREFIX/ (or -r) for a tree, - for standard input or " +
    "output, and a local path otherwise. Keys are taken literally.",
]

const CONFIGURATION = [
  "An option beats the environment (S3EP_* first, then the variables of AWS), which beats the project's config, " +
    "which beats the user's, which beats the default. `s3ep config explain` shows every setting and where it came " +
    "from.",
  "Config is data, JSON or YAML: an object with the members below, and in profiles.NAME an object of the same, " +
    "chosen with --profile. A NAME that config does not have is taken for an AWS profile. Relative paths are relative " +
    "to the file they are in. Members that run a command are not taken from a project's config.",
]

const FILES: readonly (readonly [path: string, meaning: string])[] = [
  [
    "s3ep.json, .s3eprc, .s3eprc.{json,yaml,yml}, .config/s3ep.{json,yaml,yml}",
    "a project's config, in the working directory or the nearest one above it",
  ],
  ["$XDG_CONFIG_HOME/s3ep/config.{json,yaml,yml}", "the user's config (~/.config/s3ep/...)"],
  ["$XDG_CONFIG_HOME/s3ep/keys/", "the keys of this machine"],
  ["$XDG_STATE_HOME/s3ep/", "records of unfinished transfers (~/.local/state/s3ep/)"],
  ["$XDG_CACHE_HOME/s3ep/", "what can be found out again (~/.cache/s3ep/)"],
]

const OTHER_VARIABLES: readonly (readonly [string, string])[] = [
  ["XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME", "where the directories under FILES are"],
  [
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, ...",
    "credentials, as every program that uses the AWS SDK takes them",
  ],
]

const SIGNALS =
  "The first SIGINT or SIGTERM stops new work, lets what is known reach the disk and ends the program within two " +
  "seconds; a second one ends it at once. Neither drops an unfinished upload: the same command goes on with it."

function synopsis(commands: readonly CommandNode[]): string[] {
  return commands
    .filter(({ commands: subs, args }) => subs.length === 0 || args.length > 0)
    .flatMap((node, index) => [...(index === 0 ? [] : [".br"]), usageLine(node)])
}

function usageLine({ path, usages }: CommandNode): string {
  return `${bold(roff(["s3ep", ...path].join(" ")))} ${roff(usages[0] ?? "")}`.trim()
}

function commandSection(node: CommandNode): string[] {
  const ways = node.usages.slice(1).map((usage) => `.br\n${bold("s3ep")} ${roff(usage)}`)
  const { examples = [], statuses = [] } = node.manual ?? {}
  return [
    subsection(`s3ep ${node.path.join(" ")}`),
    [usageLine(node), ...ways].join("\n"),
    paragraph(node.description.replace(/\.?$/, ".")),
    ...node.args.filter(({ help }) => help !== "").map(argumentEntry),
    ...node.options.filter(({ flags }) => !flags.includes("--help")).map(optionEntry),
    ...(statuses.length > 0 ? [paragraph(`Exit statuses: ${statuses.join(", ")}.`)] : []),
    ...examples.flatMap(exampleLines),
  ]
}

function optionEntry({ flags, metavar, offer, help }: OptionNode): string {
  const value = metavar === undefined ? "" : ` \\fI${roff(metavar)}\\fR`
  const choices = typeof offer === "string" ? "" : ` (${offer.join(", ")})`
  return definition(flags.map((flag) => bold(roff(flag))).join(", ") + value, help + choices)
}

function argumentEntry({ name, offer, help }: ArgumentNode): string {
  const choices = typeof offer === "string" ? "" : `: ${offer.join(", ")}`
  return definition(`\\fI${roff(name)}\\fR`, help + choices)
}

function exampleLines([line, note]: Example): string[] {
  return [...(note === undefined ? [] : [paragraph(`${note}:`)]), block(`$ ${line}`)]
}

function variableEntries({ variable, foreign = [], help, kind }: Setting<unknown, unknown>): string[] {
  if (variable === undefined) return []
  const choices = kind.choices === undefined ? "" : ` (${kind.choices.join(", ")})`
  const names = [variable, ...foreign.map(({ name }) => name)].map((name) => bold(roff(name)))
  return [definition(names.join(", "), help + choices)]
}

function memberEntry([name, { kind, help, files }]: readonly [
  SettingName,
  Setting<unknown, unknown>,
]): string {
  const where = { trusted: "; not in a project's config", top: "; not inside a profile", any: "", none: "" }[
    files
  ]
  return definition(bold(name), `${help}: ${kind.allowed}${where}`)
}
