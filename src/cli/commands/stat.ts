import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addReadOptions, addVersionOption } from "../options.ts"
import { STORE_STATUSES } from "../statuses.ts"

/** `stat`: everything known about objects, without their bodies. */
export function statCommand(invoke: Invoke): Command {
  const command = new Command("stat")
    .summary("describe objects: format, sizes, recipients, metadata")
    .description(
      "Describe objects without downloading them: format, sizes, parts, the KEKs that can open them, metadata, " +
        "retention. With a key at hand, also the sealed name, time and mode of the original.",
    )
    .usage("[options] s3://BUCKET/KEY…")
    .argument("<targets...>", "s3://BUCKET/KEY")
  addVersionOption(command)
  addReadOptions(command)
  command.action((targets: string[]) =>
    invoke(command, async (session) => {
      const { describe } = await import("../actions/describe.ts")
      await describe(session, targets, command.opts())
    }),
  )
  return withManual(command, {
    examples: [["s3ep stat s3://vault/backup.tar"], ["s3ep stat s3://vault/backup.tar --json"]],
    statuses: [...STORE_STATUSES, 3, 4].sort((a, b) => a - b),
  })
}
