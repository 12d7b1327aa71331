import type { Environment } from "../config/environment.ts"
import type { OutputStream } from "./io.ts"

/** Paints words; never the only carrier of a meaning. */
export interface Paint {
  readonly error: (text: string) => string
  readonly hint: (text: string) => string
}

export type ColorChoice = "auto" | "always" | "never"

const PLAIN: Paint = { error: (text) => text, hint: (text) => text }

/** The one place that decides on colour. */
export async function choosePaint(
  choice: ColorChoice,
  stream: OutputStream,
  env: Environment,
): Promise<Paint> {
  if (choice === "never") return PLAIN
  if (choice === "auto" && (!stream.isTTY || env["TERM"] === "dumb")) return PLAIN
  const { Chalk } = await import("chalk")
  const chalk = new Chalk({ level: 1 })
  return { error: (text) => chalk.bold.red(text), hint: (text) => chalk.cyan(text) }
}

/** For errors before the settings are known: what the command line and the environment say. */
export function earlyColor(argv: readonly string[], env: Environment): ColorChoice {
  const given = argv.findLastIndex((word) => word === "--color" || word.startsWith("--color="))
  const option = given < 0 ? undefined : (argv[given]?.split("=")[1] ?? argv[given + 1])
  if (option === "always" || option === "never") return option
  const force = env["FORCE_COLOR"]
  if (force !== undefined) return force === "0" || force === "false" ? "never" : "always"
  return env["NO_COLOR"] ? "never" : "auto"
}
