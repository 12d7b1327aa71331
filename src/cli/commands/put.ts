import { Command, Option } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addDryRun, addSettings, addTreeOptions, addWriteOptions } from "../options.ts"
import { TRANSFER_STATUSES } from "../statuses.ts"

/** `put`: files, trees and streams into the store. */
export function putCommand(invoke: Invoke): Command {
  const command = new Command("put")
    .summary("encrypt and upload files, trees or standard input")
    .description(
      "Encrypt and upload files, trees (-r) or standard input (-). What fits one part goes in one request, the rest " +
        "in parts with a journal: after an interruption the same command resumes. A DEST that ends in a slash, and " +
        "one for several sources, is a prefix. One tree is stored as what it holds, several each under its own name.",
    )
    .usage(
      "[options] SOURCE… s3://BUCKET/KEY\n       s3ep put [options] s3://BUCKET/KEY --from-command COMMAND [ARGUMENT…]",
    )
    .argument("<paths...>", "sources (- is standard input), then the destination")
  command
    .option(
      "--from-command",
      "run the rest of the line and store what it prints; nothing is stored if it fails",
    )
    .option("--expected-size <SIZE>", "about how much standard input will hold, when it is over 150 GiB")
    .option("--skip-existing", "leave alone files whose key is in the bucket already")
    .addOption(
      new Option("--format <FORMAT>", "what to write: our own format, or what S3 Encryption Proxy reads")
        .choices(["agcm2", "s3-encryption-proxy"])
        .default("agcm2"),
    )
  addDryRun(command)
  addTreeOptions(command)
  addSettings(command, "Trees:", ["symlinks"])
  addWriteOptions(command)
  command.action((paths: string[]) =>
    invoke(command, async (session) => {
      const { put } = await import("../actions/put.ts")
      await put(session, paths, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep put backup.tar s3://vault/", "resumes if it was interrupted"],
      ["s3ep put -r photos s3://vault/photos/ --exclude '*.tmp'"],
      ["pg_dump app | s3ep put - s3://vault/app.sql"],
      ["s3ep put a.tar s3://vault/ --format s3-encryption-proxy --proxy-config proxy.yaml"],
      ["s3ep put s3://vault/app.sql --from-command pg_dump app", "stores nothing if pg_dump fails"],
      ["s3ep put report.pdf s3://vault/report.pdf --no-clobber", "status 8 if it exists"],
    ],
    statuses: TRANSFER_STATUSES,
  })
}
