import { Command } from "commander"
import { addExpectOptions } from "../expectation.ts"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addDryRun, addForeignOptions, addSettings, addTreeOptions } from "../options.ts"
import { TRANSFER_STATUSES } from "../statuses.ts"

/** `migrate`: objects of any format that can be read into our own. */
export function migrateCommand(invoke: Invoke): Command {
  const command = new Command("migrate")
    .summary("move objects of other systems to the format of s3ep")
    .description(
      "Read objects in any format that s3ep knows and write them anew in its own: in place, or to another object or " +
        "prefix. Each is written beside its place first, under .s3ep/, read back and compared, and then put in its place " +
        "inside the store, if nothing changed there meanwhile. What is interrupted goes on with the same command. User " +
        "metadata, tags and headers stay. All keys at hand read; what is written is encrypted to the default key, or to those " +
        "of --kek, which a key that is given with --kek-file or S3EP_KEK_FILE takes the place of.",
    )
    .usage("[options] SOURCE DEST\n       s3ep migrate [options] SOURCE --in-place")
    .argument("<source>", "s3://BUCKET/KEY, or s3://BUCKET/PREFIX/")
    .argument("[dest]", "the same, for what is written")
    .option("--in-place", "replace each object by its migrated self")
    .option("--plan", "look at every object, and say what there is to migrate and what it takes")
  addDryRun(command)
  addTreeOptions(command)
  addForeignOptions(command)
  addExpectOptions(command)
  addSettings(command, "Transfer:", [
    "partSize",
    "chunkSize",
    "concurrency",
    "checksum",
    "requesterPays",
    "storageClass",
    "sseCKeyFile",
  ]).optionsGroup("Options:")
  command.action((source: string, dest: string | undefined) =>
    invoke(command, async (session) => {
      const { migrateObjects } = await import("../actions/migrate.ts")
      await migrateObjects(session, source, dest, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep migrate s3://old/ --in-place --plan", "what is there, and what it would take"],
      ["s3ep migrate s3://old/ s3://vault/", "goes on where it was interrupted"],
      ["s3ep migrate s3://vault/backups/ --in-place --kek-file old.key --kek default"],
      ["s3ep migrate s3://old/a.agcm s3://vault/a.tar --expect-sha256 $(sha256sum < a.tar | cut -c-64)"],
    ],
    statuses: TRANSFER_STATUSES,
  })
}
