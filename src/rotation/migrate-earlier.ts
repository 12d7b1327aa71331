import { NotFoundError, PreconditionError } from "../errors.ts"
import type { Conditions, ObjectAddress, ObjectInfo } from "../store/store.ts"
import { objectUri } from "../transfer/naming.ts"
import { removeBeside } from "./beside.ts"
import { restoreExtras } from "./kept.ts"
import { headIfAny, isInPlace, type MigrationJob, type Passage } from "./migrate-job.ts"

// What earlier runs of a migration got done, and left behind.

/** What an earlier run had written and read back, and not put in its place. */
export interface Waiting {
  /** Of the object it was made of. */
  readonly etag: string
  readonly address: ObjectAddress
  readonly info: ObjectInfo
}

/**
 * Find out how far an earlier run got with an object.
 *
 * @returns what waits beside; null if there is nothing, or it got further, which the journal says by then.
 */
export async function takeUp(job: MigrationJob, passage: Passage): Promise<Waiting | null> {
  const { context, options, journal } = job
  const { source, target } = passage
  const entry = journal.get(source.key)
  if (entry?.state !== "checked") return null
  const address = { bucket: target.bucket, key: entry.beside }
  const info = await headIfAny(context, address, options)
  if (info?.etag !== entry.besideEtag) return null
  const there = await headIfAny(context, target, options)
  if (!there || !isCopyOf(there, info)) {
    await abortCopy(job, target, entry)
    return { etag: entry.etag, address, info }
  }
  await restoreExtras(context, options, target, there, entry.extras ?? {})
  await settle(job, passage, entry.etag, there.etag)
  await removeBeside(context, address, options, info.versionId)
  return null
}

/**
 * What must hold of the place an object is for.
 *
 * @returns null if an earlier run migrated the object as it is now.
 * @throws {PreconditionError} if something is there that no earlier run made, or that was changed since.
 */
export async function conditionsFor(
  { context, options, journal }: MigrationJob,
  passage: Passage,
): Promise<Conditions | null> {
  if (isInPlace(passage)) return {} // what was read is what must still be there
  const there = await headIfAny(context, passage.target, options)
  if (!there) return { ifNoneMatch: "*" }
  const earlier = journal.done(passage.source.key)
  if (!earlier) {
    throw new PreconditionError(`${objectUri(passage.target)} exists already`, {
      hint: "migrate to another prefix, or remove it",
    })
  }
  const source = await headIfAny(context, passage.source, options)
  if (source?.etag === earlier.etag) return null
  if (there.etag === earlier.targetEtag) return { ifMatch: there.etag }
  throw new PreconditionError(`${objectUri(passage.target)} was changed since it was migrated`, {
    hint: "its source changed too: decide which of the two is to stay, and remove the other",
  })
}

/** Note that there is nothing left to do. In place, the object itself tells what became of it. */
export async function settle(
  { journal }: MigrationJob,
  passage: Passage,
  etag: string,
  targetEtag: string,
): Promise<void> {
  const { key } = passage.source
  if (isInPlace(passage)) await journal.forget(key)
  else await journal.note(key, { state: "done", etag, targetEtag })
}

/** Remove what an earlier attempt at an object left beside. */
export async function cleanUp(job: MigrationJob, { source, target }: Passage): Promise<void> {
  const { context, options, journal } = job
  const entry = journal.get(source.key)
  if (!entry || entry.state === "done") return
  if (entry.state === "checked") await abortCopy(job, target, entry)
  const address = { bucket: target.bucket, key: entry.beside }
  const info = await headIfAny(context, address, options)
  if (info) await removeBeside(context, address, options, info.versionId)
  await journal.forget(source.key)
}

/** An upload that was to become the copy in its place. */
async function abortCopy(
  { context, options }: MigrationJob,
  target: ObjectAddress,
  { uploadId }: { readonly uploadId?: string | undefined },
): Promise<void> {
  if (uploadId === undefined) return
  const { requesterPays } = options
  await context.store
    .abortUpload(target, uploadId, { requesterPays, signal: context.signal })
    .catch((error: unknown) => {
      if (!(error instanceof NotFoundError)) throw error
    })
}

function isCopyOf(there: ObjectInfo, beside: ObjectInfo): boolean {
  const metadata = Object.entries(beside.metadata)
  return there.bytes === beside.bytes && metadata.every(([name, value]) => there.metadata[name] === value)
}
