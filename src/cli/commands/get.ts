import { Command } from "commander"
import { addExpectOptions } from "../expectation.ts"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import {
  addDryRun,
  addForeignOptions,
  addReadOptions,
  addSettings,
  addTreeOptions,
  addVersionOption,
} from "../options.ts"
import { TRANSFER_STATUSES } from "../statuses.ts"

/** `get`: objects and trees back to files, or one object to standard output. */
export function getCommand(invoke: Invoke): Command {
  const command = new Command("get")
    .summary("download, verify and decrypt objects")
    .description(
      "Download, verify and decrypt objects into files, a tree (-r) into a directory, or one object to standard " +
        "output (-). A file appears under its name, or replaces the one there, only once all of it verified; until " +
        "then what arrived is kept beside it, and the same command resumes. A pipe gets each chunk once it verified. " +
        "Objects of other systems are recognised; most of them prove nothing before their end, so that a pipe gets them only " +
        "then, and a download that is interrupted starts over.",
    )
    .usage("[options] s3://BUCKET/KEY… DEST")
    .argument(
      "<paths...>",
      "objects, or a prefix with -r, then the file or directory to write; - is standard output",
    )
    .option("--range <RANGE>", "only these bytes of the plaintext: FIRST-LAST, FIRST- or -COUNT, as in HTTP")
    .option("--no-clobber", "fail with status 8 if the file exists, instead of replacing it")
    .option("--skip-existing", "leave alone files that exist")
    .option("--no-preserve", "do not restore the time and mode of the original")
  addVersionOption(command)
  addDryRun(command)
  addTreeOptions(command)
  addForeignOptions(command)
  addExpectOptions(command)
  addSettings(command, "Transfer:", ["concurrency"])
  addReadOptions(command)
  command.action((paths: string[]) =>
    invoke(command, async (session) => {
      const { get } = await import("../actions/get.ts")
      await get(session, paths, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep get s3://vault/backup.tar .", "appears only once all of it verified"],
      ["s3ep get -r s3://vault/photos/ photos"],
      ["s3ep get s3://vault/app.sql - | psql app"],
      ["s3ep get s3://vault/disk.img - --range 0-1048575", "the first MiB, and no more is fetched"],
      ["s3ep get s3://data/a.tar . --proxy-config proxy.yaml", "an object of S3 Encryption Proxy"],
    ],
    statuses: TRANSFER_STATUSES,
  })
}
