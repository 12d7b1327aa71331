import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { LOCAL_STATUSES } from "../statuses.ts"

const STATUSES = [...LOCAL_STATUSES, 10]

/** `config`: see what applies. */
export function configCommand(invoke: Invoke): Command {
  const command = new Command("config")
    .summary("see what settings apply and where they come from")
    .description("See what settings apply, where they come from, and whether they can be used.")
  const explain = subcommand(
    "explain",
    "Print every setting, its value (secrets masked) and where it came from.",
    invoke,
    async (session) => (await import("../actions/config.ts")).explainConfig(session),
  )
  const path = subcommand(
    "path",
    "Print where config files, keys and the state of transfers are kept.",
    invoke,
    async (session) => (await import("../actions/config.ts")).showPaths(session),
  )
  const check = subcommand(
    "check",
    "Check the settings and that the keys and directories they name can be used.",
    invoke,
    async (session) => (await import("../actions/config.ts")).checkConfig(session),
  )
  withManual(explain, {
    examples: [["s3ep config explain"], ["s3ep config explain --profile work --json"]],
    statuses: STATUSES,
  })
  withManual(path, { examples: [["s3ep config path"]], statuses: STATUSES })
  withManual(check, { examples: [["s3ep config check"]], statuses: [...LOCAL_STATUSES, 5, 10] })
  command.addCommand(explain)
  command.addCommand(path)
  command.addCommand(check)
  return withManual(command, { examples: [["s3ep config explain"]], statuses: STATUSES })
}

function subcommand(name: string, description: string, invoke: Invoke, task: Parameters<Invoke>[1]): Command {
  const command = new Command(name).description(description)
  return command.action(() => invoke(command, task))
}
