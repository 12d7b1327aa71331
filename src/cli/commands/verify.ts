import { Command } from "commander"
import { addExpectOptions } from "../expectation.ts"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addReadOptions, addSettings, addVersionOption } from "../options.ts"
import { STORE_STATUSES } from "../statuses.ts"

/** `verify`: read everything, write nothing. */
export function verifyCommand(invoke: Invoke): Command {
  const command = new Command("verify")
    .summary("read objects and check every byte, writing nothing")
    .description(
      "Read objects, or with -r everything under a prefix, and check every byte as `get` would, without writing " +
        "anything. Status 4 if one object is not what was written.",
    )
    .usage("[options] s3://BUCKET/KEY…")
    .argument("<targets...>", "s3://BUCKET/KEY, or s3://BUCKET/PREFIX with -r")
    .option("-r, --recursive", "everything under the prefix")
  addVersionOption(command)
  addSettings(command, "Transfer:", ["concurrency"])
  addExpectOptions(command)
  addReadOptions(command)
  command.action((targets: string[]) =>
    invoke(command, async (session) => {
      const { verify } = await import("../actions/verify.ts")
      await verify(session, targets, command.opts())
    }),
  )
  return withManual(command, {
    examples: [["s3ep verify s3://vault/backup.tar"], ["s3ep verify -r s3://vault/", "for cron"]],
    statuses: [...STORE_STATUSES, 3, 4, 5, 8].sort((a, b) => a - b),
  })
}
