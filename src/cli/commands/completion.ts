import { Argument, Command } from "commander"
import type { Shell } from "../completions.ts"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { LOCAL_STATUSES } from "../statuses.ts"

/** `completion`: what a shell needs to complete our command line. */
export function completionCommand(invoke: Invoke): Command {
  const command = new Command("completion")
    .summary("print a completion script for a shell")
    .description("Print the completion script for a shell.")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
  command.action((shell: Shell) =>
    invoke(command, async (session) => {
      const { printCompletion } = await import("../actions/completion.ts")
      await printCompletion(session, shell)
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep completion bash > ~/.local/share/bash-completion/completions/s3ep"],
      ["s3ep completion zsh > ~/.zfunc/_s3ep"],
      ["s3ep completion fish > ~/.config/fish/completions/s3ep.fish"],
    ],
    statuses: LOCAL_STATUSES,
  })
}
