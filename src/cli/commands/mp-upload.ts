import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addDryRun, addWriteOptions } from "../options.ts"
import { STORE_STATUSES, TRANSFER_STATUSES } from "../statuses.ts"

/** `mp-upload`: the multipart upload with every knob, and the uploads that are not finished. */
export function mpUploadCommand(invoke: Invoke): Command {
  const command = new Command("mp-upload")
    .summary("upload one file in parts, and deal with unfinished uploads")
    .description(
      "Encrypt one file and upload it in parts, whatever its size, with every knob in the open. Interrupted, the same " +
        "command resumes; so does `mp-upload resume`. Only `abort` and `clean` tell the store to drop what it has.",
    )
    .usage("[options] FILE s3://BUCKET/KEY\n       s3ep mp-upload list|resume|abort|clean …")
    .argument("<file>", "the file to upload; ./list for one that has the name of a subcommand")
    .argument("<dest>", "s3://BUCKET/KEY, or a prefix ending in a slash")
  addDryRun(command)
  addWriteOptions(command)
  command.option("--no-resume", "start over, even if an earlier upload can go on")
  command.action((file: string, dest: string) =>
    invoke(command, async (session) => {
      const { mpUpload } = await import("../actions/mp-upload.ts")
      await mpUpload(session, file, dest, command.opts())
    }),
  )
  command.addCommand(listCommand(invoke))
  command.addCommand(resumeCommand(invoke))
  command.addCommand(abortCommand(invoke))
  command.addCommand(cleanCommand(invoke))
  return withManual(command, {
    examples: [
      ["s3ep mp-upload disk.img s3://vault/ --part-size 64MiB --concurrency 8"],
      ["s3ep mp-upload disk.img s3://vault/ --checksum sha256", "signs the payload too"],
      ["s3ep mp-upload list", "what is unfinished"],
      ["s3ep mp-upload resume --all"],
    ],
    statuses: TRANSFER_STATUSES,
  })
}

function listCommand(invoke: Invoke): Command {
  const command = new Command("list")
    .description(
      "List unfinished uploads: those this machine has a journal of, and those the buckets named still hold, with " +
        "what they hold in bytes.",
    )
    .argument("[buckets...]", "s3://BUCKET; those of the local journals if none is named")
  command.action((buckets: string[]) =>
    invoke(command, async (session) => {
      const { listUnfinished } = await import("../actions/uploads.ts")
      await listUnfinished(session, buckets)
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep mp-upload list"],
      ["s3ep mp-upload list s3://vault", "also what other machines left there"],
    ],
    statuses: STORE_STATUSES,
  })
}

function resumeCommand(invoke: Invoke): Command {
  const command = new Command("resume")
    .description("Go on with unfinished uploads of this machine, where they stopped.")
    .argument("[ids...]", "ids, or unambiguous beginnings of them, as `mp-upload list` shows")
    .option("--all", "every upload this machine has a journal of")
  addDryRun(command)
  command.action((ids: string[]) =>
    invoke(command, async (session) => {
      const { resumeUnfinished } = await import("../actions/uploads.ts")
      await resumeUnfinished(session, ids, command.opts())
    }),
  )
  return withManual(command, {
    examples: [["s3ep mp-upload resume 3f9c"], ["s3ep mp-upload resume --all"]],
    statuses: TRANSFER_STATUSES,
  })
}

function abortCommand(invoke: Invoke): Command {
  const command = new Command("abort")
    .description("Give up uploads: the store drops their parts, and the journals are removed.")
    .argument(
      "<ids...>",
      "ids as `mp-upload list` shows; s3://BUCKET too, to find those that others began there",
    )
  addDryRun(command)
  command.action((ids: string[]) =>
    invoke(command, async (session) => {
      const { abortUnfinished } = await import("../actions/uploads.ts")
      await abortUnfinished(session, ids, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep mp-upload abort 3f9c"],
      ["s3ep mp-upload abort 3f9c --dry-run", "says what it would free"],
    ],
    statuses: [...STORE_STATUSES, 3].sort((a, b) => a - b),
  })
}

function cleanCommand(invoke: Invoke): Command {
  const command = new Command("clean")
    .description(
      "Abort the unfinished uploads that are older than AGE: journals here, and parts the buckets hold. Empty uploads " +
        "that interrupted runs of this machine asked for and never heard of go after two minutes.",
    )
    .argument("[buckets...]", "s3://BUCKET; those of the local journals if none is named")
    .requiredOption("--older-than <AGE>", "such as 7d or 12h")
  addDryRun(command)
  command.action((buckets: string[]) =>
    invoke(command, async (session) => {
      const { cleanUnfinished } = await import("../actions/uploads.ts")
      await cleanUnfinished(session, buckets, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep mp-upload clean --older-than 7d --dry-run", "says what it would free"],
      ["s3ep mp-upload clean s3://vault --older-than 7d"],
    ],
    statuses: [...STORE_STATUSES, 3].sort((a, b) => a - b),
  })
}
