import { Command } from "commander"
import { addExpectOptions } from "../expectation.ts"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addDryRun, addForeignOptions } from "../options.ts"

/** `decrypt`: the format on local files and pipes. */
export function decryptCommand(invoke: Invoke): Command {
  const command = new Command("decrypt")
    .summary("verify and decrypt a local file or pipe")
    .description(
      "Verify and decrypt an S3EP container, from a file or standard input. A file appears only once all of it verified; " +
        "a pipe gets each chunk once it verified. Formats of other systems are recognised; a file that was an object in a " +
        "bucket needs what was kept beside it there.",
    )
    .argument("[source]", "file to read; - is standard input", "-")
    .argument("[dest]", "file to write; - is standard output", "-")
    .option("--no-clobber", "fail with status 8 if the file exists, instead of replacing it")
  addDryRun(command)
  addForeignOptions(command)
    .option(
      "--object-metadata <FILE>",
      "metadata of the object it was: JSON, as aws s3api head-object prints it",
    )
    .option("--object-key <KEY>", "key of the object it was")
  addExpectOptions(command)
    .optionsGroup("Values that Harpocrates sealed:")
    .option("--sealed-value", "take it for one: base64, which nothing but a key can recognise")
    .option("--aad <TEXT>", "what the value was bound to; implies --sealed-value")
    .option("--aad-file <FILE>", "the same, byte for byte from a file")
    .optionsGroup("Options:")
  command.action((source: string, dest: string) =>
    invoke(command, async (session) => {
      const { decryptLocal } = await import("../actions/local.ts")
      await decryptLocal(session, source, dest, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep decrypt notes.txt.s3ep notes.txt"],
      ["s3ep decrypt < photos.tar.s3ep | tar x"],
      [
        "s3ep decrypt raw.bin a.tar --object-metadata head.json --object-key backup/a.tar --proxy-config proxy.yaml",
      ],
      [
        "s3ep decrypt old.agcm old.tar --kek-file old.key --expect-bytes 1048576",
        "a stream of Harpocrates, whose end nothing proves",
      ],
      ["s3ep decrypt value.b64 - --kek-file old.key --aad tenant-a"],
    ],
    statuses: [0, 1, 2, 4, 5, 8, 10, 130, 143],
  })
}
