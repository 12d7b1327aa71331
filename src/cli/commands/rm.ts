import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addDryRun, addSettings, addVersionOption } from "../options.ts"
import { STORE_STATUSES } from "../statuses.ts"

/** `rm`: delete objects. */
export function rmCommand(invoke: Invoke): Command {
  const command = new Command("rm")
    .summary("delete objects")
    .description(
      "Delete objects, or with -r everything under a prefix. In a bucket with versioning they become hidden and stay " +
        "recoverable, unless --version-id names the version to destroy. Keyrings stay, unless --reserved is given.",
    )
    .usage("[options] s3://BUCKET/KEY…")
    .argument("<targets...>", "s3://BUCKET/KEY, or s3://BUCKET/PREFIX with -r")
    .option("-r, --recursive", "everything under the prefix")
    .option("--reserved", "what s3ep keeps for itself too: keyrings, without which nothing can be read")
    .option("--bypass-governance", "delete in spite of a retention in GOVERNANCE mode")
  addVersionOption(command)
  addDryRun(command)
  addSettings(command, "Storage:", ["requesterPays"]).optionsGroup("Options:")
  command.action((targets: string[]) =>
    invoke(command, async (session) => {
      const { remove } = await import("../actions/remove.ts")
      await remove(session, targets, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep rm s3://vault/backup.tar"],
      ["s3ep rm -r s3://vault/photos/ --dry-run", "says what would go"],
    ],
    statuses: [...STORE_STATUSES, 3, 8].sort((a, b) => a - b),
  })
}
