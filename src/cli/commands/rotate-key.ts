import { Command } from "commander"
import type { Invoke } from "../invoke.ts"
import { withManual } from "../manual.ts"
import { addDryRun, addReadOptions, addSettings, collect } from "../options.ts"
import { TRANSFER_STATUSES } from "../statuses.ts"

/** `rotate-key`: other KEKs for what is stored. */
export function rotateKeyCommand(invoke: Invoke): Command {
  const command = new Command("rotate-key")
    .summary("move stored objects to another key, inside the store")
    .description(
      "Wrap the DEKs of stored objects to another KEK, or to the active epoch of the keyring above them. Only the " +
        "envelope is replaced, by a copy inside the store: no body passes through this machine, and everything else " +
        "about an object stays. An object that somebody changes meanwhile is looked at again or left, never " +
        "overwritten. Interrupted? The same command goes on.\n\n" +
        "What it does not undo: whoever has kept an old ciphertext with its old envelope, and the old KEK, can still " +
        "read it; so does anybody who has learned a DEK (--reencrypt makes new ones), and old versions in a bucket " +
        "that keeps them stay readable with the old KEK (--purge-old-versions).",
    )
    .usage("[options] s3://BUCKET/PREFIX/…")
    .argument(
      "<targets...>",
      "s3://BUCKET/KEY, s3://BUCKET/PREFIX/ (or any prefix with -r), or the keyring of one: …/.s3ep/keyring.json; a " +
        "prefix that has a keyring, with nothing else said, stands for that",
    )
    .option("-r, --recursive", "everything under the prefix; after …/keyring.json, the objects below it too")
    .option(
      "--to <KEK>",
      "the key to move to; may be repeated; otherwise the one that `put` would use",
      collect,
    )
    .option("--from <KEK>", "move only what this key opens: a name, or an id of one not at hand", collect)
    .option("--new-epoch", "make a new epoch of the keyring first")
    .option("--reencrypt", "new DEKs too, and so new bodies, which pass through this machine")
    .option("--no-acl", "neither read nor keep ACLs, for who may not")
    .optionsGroup("Instead of moving anything:")
    .option(
      "--plan",
      "say how many objects, requests and bytes it would take, what it would cost, and what is stuck",
    )
    .option("--prove", "try the old key on every envelope; status 4 if it opens one")
    .option("--purge-old-versions", "prove, then delete the old versions that the old key opens")
    .option("--bypass-governance", "delete them in spite of a retention in GOVERNANCE mode")
    .optionsGroup("Several machines:")
    .option(
      "--shard <I/N>",
      "only every Nth object, I from 0; auto in an AWS Batch array, auto/N in a Kubernetes Job",
    )
    .option("--merge <N>", "see whether all N shards finished, and take their results away")
    .optionsGroup("Options:")
    .option("-y, --yes", "do not ask")
  addDryRun(command)
  addSettings(command, "Transfer:", ["concurrency"])
  addReadOptions(command)
  command.action((targets: string[]) =>
    invoke(command, async (session) => {
      const { rotateKey } = await import("../actions/rotate-key.ts")
      await rotateKey(session, targets, command.opts())
    }),
  )
  return withManual(command, {
    examples: [
      ["s3ep rotate-key s3://vault/ --to key-2026 --plan", "what it would take"],
      ["s3ep rotate-key s3://vault/ --from key-2025 --to key-2026"],
      ["s3ep rotate-key s3://vault/ --from key-2025 --prove"],
      ["s3ep rotate-key s3://vault/photos/.s3ep/keyring.json -r", "a new epoch, then the objects"],
      ["s3ep rotate-key s3://vault/ --to key-2026 --shard auto/8", "in a Kubernetes Indexed Job"],
    ],
    statuses: TRANSFER_STATUSES,
  })
}
