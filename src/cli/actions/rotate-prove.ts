import { IntegrityError, KeyMissingError, PreconditionError, UsageError } from "../../errors.ts"
import type { OpenKeyring } from "../../keyring/open.ts"
import type { Kek } from "../../keys/kek.ts"
import { keyringOf, replacedEpochs } from "../../rotation/epochs.ts"
import { type OldVersion, oldVersions, proveRotation } from "../../rotation/prove.ts"
import { objectUri } from "../../transfer/naming.ts"
import { Batch } from "../batch.ts"
import { confirm } from "../confirm.ts"
import { counted, formatBytes } from "../text.ts"
import type { RotateJob } from "./rotate-key.ts"
import { nothingThere } from "./rotate-run.ts"

/** `rotate-key --prove` and `--purge-old-versions`. */
export async function proveAction(job: RotateJob): Promise<void> {
  const opened: OpenKeyring[] = []
  try {
    const keks = await oldKeks(job, opened)
    await prove(job, keks)
    await seeVersions(job, keks)
  } finally {
    for (const keyring of opened) keyring[Symbol.dispose]()
  }
}

/** The KEKs to try: those of --from; otherwise the epochs of keyrings that were replaced. */
async function oldKeks({ session, context, request }: RotateJob, opened: OpenKeyring[]): Promise<Kek[]> {
  for (const target of request.targets) {
    const keyring = await keyringOf(context, target, request)
    if (keyring) opened.push(keyring)
  }
  const epochs = opened.flatMap(replacedEpochs)
  const { from } = request
  if (!from) {
    if (epochs.length > 0) return epochs
    throw new UsageError("say which key is the old one", { hint: "name it with --from" })
  }
  const byId = from.ids.map((id) => {
    const epoch = epochs.find((kek) => kek.id === id || kek.id.slice(kek.id.indexOf(":") + 1).startsWith(id))
    if (epoch) return epoch
    throw new KeyMissingError(`the key ${id} is not at hand: it cannot be tried`, {
      hint: "a proof needs the old key: keep it until it is proven that nothing needs it",
    })
  })
  const keks = [...from.keks, ...byId]
  const revoked = keks.find(({ state }) => state === "revoked")
  if (revoked && !session.settings.allowRevoked) {
    throw new KeyMissingError(
      `the key ${revoked.name} is revoked: it opens nothing, so that nothing could be proven`,
      {
        hint: "add --allow-revoked to try it",
      },
    )
  }
  return keks
}

async function prove(job: RotateJob, keks: readonly Kek[]): Promise<void> {
  const { session, context, request } = job
  const { output } = session
  const batch = new Batch(session, "object")
  const counts = { open: 0, closed: 0, foreign: 0 }
  // Looked for without the filter of --from: what it leaves out is what is to be proven.
  await proveRotation(context, { ...request, from: undefined }, keks, (finding) => {
    const uri = objectUri(finding.address)
    if (finding.kind === "unknown") return batch.failed(uri, finding.error)
    batch.succeeded()
    counts[finding.kind] += 1
    output.count(finding.kind, 1)
    if (finding.kind !== "open") return
    const { kek, bytes } = finding
    output.answer({ type: "open", uri, kek, bytes }, (line) => `${line.kek} still opens ${line.uri}`)
  })
  const all = counts.open + counts.closed
  if (all + counts.foreign + output.total("failed") === 0 && !request.shard) throw nothingThere(job)
  const line = { type: "proof", ...counts, keks: keks.map(({ id }) => id) }
  output.answer({ ...line, holds: counts.open === 0 }, () =>
    counts.open === 0
      ? `none of ${counted(all, "object")} opens with ${line.keks.join(", ")}`
      : `${counts.open} of ${counted(all, "object")} open with ${line.keks.join(", ")}`,
  )
  if (counts.open > 0) {
    throw new IntegrityError(`the old key still opens ${counted(counts.open, "object")}`, {
      hint: "run the rotation again, without --prove",
    })
  }
  batch.finish()
}

async function seeVersions(job: RotateJob, keks: readonly Kek[]): Promise<void> {
  const { session, context, request, options } = job
  const { output } = session
  const found: OldVersion[] = []
  const looked = await oldVersions(context, request, keks, (version) => void found.push(version))
  if (!looked || looked.versions === 0) return
  const bytes = found.reduce((sum, version) => sum + version.bytes, 0)
  const locked = found.filter((version) => isLocked(version, options.bypassGovernance)).length
  const line = { type: "oldVersions", versions: looked.versions, open: found.length, bytes, locked }
  output.answer(
    line,
    ({ versions, open }) =>
      `${counted(versions, "old version")}: the old key opens ${open} (${formatBytes(bytes)})${locked > 0 ? `, of which ${locked} are locked` : ""}`,
  )
  if (found.length === 0) return
  if (!options.purgeOldVersions) {
    output.notice(
      "old versions stay readable with the old key",
      "--purge-old-versions removes them, those of deleted objects too; --dry-run lists them",
    )
    return
  }
  await purge(job, found)
}

async function purge(
  { session, context, request, options }: RotateJob,
  found: readonly OldVersion[],
): Promise<void> {
  const { output } = session
  if (!options.dryRun) {
    await confirm(session, `delete ${counted(found.length, "old version")} for good?`, options)
  }
  const batch = new Batch(session, "version")
  for (const version of found) {
    const { address, versionId, bytes, lockedUntil } = version
    const uri = objectUri(address)
    const until = lockedUntil instanceof Date ? lockedUntil.toISOString() : lockedUntil
    if (options.dryRun) {
      const line = { type: "planned", action: "delete", uri, versionId, bytes, lockedUntil: until }
      output.report(line, () =>
        isLocked(version, options.bypassGovernance)
          ? `keep version ${versionId} of ${uri}: locked until ${until}`
          : `would delete version ${versionId} of ${uri}`,
      )
      output.count("planned", 1)
      continue
    }
    await batch.run(`${uri} (version ${versionId})`, async () => {
      if (isLocked(version, options.bypassGovernance)) {
        throw new PreconditionError(`cannot delete version ${versionId} of ${uri}: it is locked (${until})`)
      }
      const { signal } = context
      const { requesterPays } = request
      const { bypassGovernance } = options
      await context.store.delete(address, { versionId, bypassGovernance, requesterPays, signal })
      output.report(
        { type: "deleted", uri, versionId, bytes },
        () => `deleted version ${versionId} of ${uri}`,
      )
      output.count("deleted", 1)
    })
  }
  batch.finish()
}

function isLocked({ lockedUntil }: OldVersion, bypass: boolean | undefined): boolean {
  return lockedUntil === "legal hold" || (lockedUntil !== null && !bypass)
}
