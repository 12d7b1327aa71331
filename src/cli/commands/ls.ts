import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addReadOptions, addSettings } from "../options.ts"
import { STORE_STATUSES } from "../statuses.ts"

/** `ls`: what a bucket or prefix holds. */
export function lsCommand(invoke: Invoke): Command {
  const command = new Command("ls")
    .summary("list objects with their plaintext sizes")
    .description(
      "List what a bucket or prefix holds, one level deep unless -r is given, with plaintext sizes. Each object is " +
        "asked for its size, which takes a request; --stored-sizes shows what the store says and takes none.",
    )
    .usage("[options] s3://BUCKET/PREFIX…")
    .argument("<targets...>", "s3://BUCKET/PREFIX")
    .option("-r, --recursive", "all levels")
    .option("--stored-sizes", "show how large the objects are in the store")
  addSettings(command, "Transfer:", ["concurrency"])
  addReadOptions(command)
  command.action((targets: string[]) =>
    invoke(command, async (session) => {
      const { list } = await import("../actions/list.ts")
      await list(session, targets, command.opts())
    }),
  )
  return withManual(command, {
    examples: [["s3ep ls s3://vault/"], ["s3ep ls -r s3://vault/photos/ --json"]],
    statuses: STORE_STATUSES,
  })
}
