import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addDryRun } from "../options.ts"

/** `encrypt`: the format on local files and pipes. */
export function encryptCommand(invoke: Invoke): Command {
  const command = new Command("encrypt")
    .summary("encrypt a local file or pipe")
    .description(
      "Encrypt a file or standard input into an S3EP container: the same format as in the store, with no store involved.",
    )
    .argument("[source]", "file to read; - is standard input", "-")
    .argument("[dest]", "file to write; - is standard output", "-")
    .option("--no-clobber", "fail with status 8 if the file exists, instead of replacing it")
  addDryRun(command)
  command.action((source: string, dest: string) =>
    invoke(command, async (session) => {
      const { encryptLocal } = await import("../actions/local.ts")
      await encryptLocal(session, source, dest, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep encrypt notes.txt notes.txt.s3ep"],
      ["tar c photos | s3ep encrypt > photos.tar.s3ep"],
      ["s3ep encrypt -p notes.txt notes.txt.s3ep", "under a passphrase"],
    ],
    statuses: [0, 1, 2, 4, 5, 8, 10, 130, 143],
  })
}
