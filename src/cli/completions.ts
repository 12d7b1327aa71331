import type { Command } from "commander"
import { bashCompletion } from "./generate/bash.ts"
import { fishCompletion } from "./generate/fish.ts"
import { describeCommand } from "./generate/tree.ts"
import { zshCompletion } from "./generate/zsh.ts"

export type Shell = "bash" | "zsh" | "fish"

const WRITERS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

/** What `s3ep completion SHELL` prints: the text of the file in `completions/`. */
export function completionScript(program: Command, shell: Shell): string {
  return WRITERS[shell](describeCommand(program))
}
