import { hex } from "../bytes.ts"
import { PreconditionError, S3epError, UnavailableError } from "../errors.ts"
import type { Conditions, ObjectAddress, ObjectSettings, StoredObject } from "../store/store.ts"
import { expected } from "../transfer/expect.ts"
import type { ReadRequest } from "../transfer/fetch.ts"
import { objectUri } from "../transfer/naming.ts"
import { DEFAULT_PART_BYTES } from "../transfer/plan.ts"
import { type Beside, removeBeside, writeBeside } from "./beside.ts"
import { type Extras, restoreExtras } from "./kept.ts"
import { keptSettings } from "./kept-settings.ts"
import { cleanUp, conditionsFor, settle, takeUp } from "./migrate-earlier.ts"
import {
  headIfAny,
  isInPlace,
  type MigrationJob,
  type MigrationOptions,
  type Passage,
} from "./migrate-job.ts"
import { type MigrationSource, openSource, type SourceFacts } from "./migrate-source.ts"
import { putInPlace } from "./put-in-place.ts"

/** An object changed while it was migrated: how often that is tried again before it is left as it is. */
const MAX_ATTEMPTS = 2
/** A part that waits, one that is being filled, and what is on its way. */
const BUFFERED_PARTS = 3

export type Migrated =
  | { readonly outcome: "skipped"; readonly why: string }
  | {
      readonly outcome: "migrated"
      readonly facts: Omit<SourceFacts, "plaintextBytes">
      /** Plaintext. */
      readonly bytes: number
      readonly storedBytes: number
      readonly stored: StoredObject
    }

export const OWN_FORMAT_ALREADY = "it is of this format already"
export const MIGRATED_ALREADY = "it was migrated already"

/**
 * Migrate one object: read it, write it anew beside its place, read that back, put it in its place if nothing changed
 * meanwhile. What is in the place before is not touched until then.
 *
 * @throws {PreconditionError} if it, or what is in its place, changed meanwhile; it is left as it is.
 */
export async function migrateObject(job: MigrationJob, passage: Passage): Promise<Migrated> {
  for (let attempt = 1; ; attempt++) {
    let readEtag: string | undefined
    try {
      return await migrateOnce(job, passage, (etag) => {
        readEtag = etag
      })
    } catch (error) {
      job.context.signal.throwIfAborted()
      if (!(error instanceof PreconditionError) || attempt === MAX_ATTEMPTS) throw error
      if (readEtag === undefined || (await etagNow(job, passage.source)) === readEtag) throw error
    }
  }
}

async function migrateOnce(
  job: MigrationJob,
  passage: Passage,
  onRead: (etag: string) => void,
): Promise<Migrated> {
  const { source } = passage
  const { context, options, journal } = job
  const earlier = await takeUp(job, passage)
  const there = await conditionsFor(job, passage)
  if (!there) return { outcome: "skipped", why: MIGRATED_ALREADY }
  const request = readRequest(options, source)
  await using opened = await openSource(context, request, { skipOwn: isInPlace(passage) })
  if (!opened) {
    await cleanUp(job, passage)
    return { outcome: "skipped", why: OWN_FORMAT_ALREADY }
  }
  const { info } = opened
  onRead(info.etag)
  const conditions = isInPlace(passage) ? { ifMatch: info.etag } : there
  try {
    const sameBucket = source.bucket === passage.target.bucket
    const kept = await keptSettings(context, job.extras, request, info, opened.metadata, { sameBucket })
    const storageClass = options.storageClass ?? kept.settings.storageClass
    const settings = { ...kept.settings, storageClass }
    if (earlier?.etag === info.etag && opened.plaintextBytes !== null) {
      const { metadata, etag, versionId, bytes: storedBytes } = earlier.info
      const beside = { ...earlier, etag, versionId, storedBytes, bytes: opened.plaintextBytes }
      const whole = { ...beside, settings: { ...settings, metadata } }
      return await place(job, passage, opened, whole, kept.extras, conditions)
    }
    await cleanUp(job, passage)
    using _ = await job.memory.take(memoryFor(opened, options))
    const beside = await opened.consume((plaintext) => write(job, passage, opened, settings, plaintext))
    return await place(job, passage, opened, beside, kept.extras, conditions)
  } catch (error) {
    // What was lost on the way may be there all the same: the next run looks.
    const unknown = context.signal.aborted || error instanceof UnavailableError
    if (!unknown && journal.get(source.key)) await cleanUp(job, passage).catch(() => undefined)
    throw error
  }
}

async function write(
  job: MigrationJob,
  { source, target }: Passage,
  opened: MigrationSource,
  settings: ObjectSettings,
  plaintext: AsyncIterable<Uint8Array>,
): Promise<Beside> {
  const { context, options, journal } = job
  const { etag } = opened.info
  const { chunkBytes, checksum, requesterPays, expect = {} } = options
  const address = { bucket: target.bucket, key: `${job.besidePrefix}${hex(context.random(16))}` }
  const begun = { etag, beside: address.key, previous: journal.done(source.key) }
  await journal.note(source.key, { ...begun, state: "begun" })
  return await writeBeside(
    context,
    {
      target,
      beside: address,
      settings,
      privateMetadata: opened.private,
      plaintext: expected(plaintext, expect),
      expectedBytes: opened.plaintextBytes ?? opened.info.bytes,
      item: objectUri(source),
      partBytes: partBytesOf(options),
      chunkBytes,
      checksum,
      requesterPays,
      concurrency: 1,
    },
    job.limits,
  )
}

async function place(
  job: MigrationJob,
  passage: Passage,
  opened: MigrationSource,
  beside: Beside,
  extras: Extras,
  conditions: Conditions,
): Promise<Migrated> {
  const { context, journal, options } = job
  const { key } = passage.source
  const { etag } = opened.info
  const { etag: besideEtag, settings, bytes, storedBytes } = beside
  const previous = journal.done(key)
  const known = { etag, beside: beside.address.key, besideEtag, extras, previous }
  const checked = { ...known, state: "checked" as const }
  const earlier = journal.get(key)
  const stored = await putInPlace(
    context,
    {
      beside: beside.address,
      besideEtag,
      storedBytes,
      target: passage.target,
      settings,
      conditions,
      requesterPays: options.requesterPays,
      unanswered: earlier?.state === "checked" ? (earlier.creating ?? []) : [],
      onUpload: (known) => journal.note(key, { ...checked, ...known }),
    },
    job.limits,
  )
  await restoreExtras(context, options, passage.target, stored, extras)
  await settle(job, passage, etag, stored.etag)
  // What cannot be removed now is swept up at the end of the run, or of the next one.
  await removeBeside(context, beside.address, options, beside.versionId).catch((error: unknown) => {
    if (context.signal.aborted || !(error instanceof S3epError)) throw error
  })
  const { format, title, findings } = opened
  return { outcome: "migrated", facts: { format, title, findings }, bytes, storedBytes, stored }
}

async function etagNow(
  { context, options }: MigrationJob,
  address: ObjectAddress,
): Promise<string | undefined> {
  return (await headIfAny(context, address, options))?.etag
}

function readRequest({ requesterPays, customerKey }: MigrationOptions, address: ObjectAddress): ReadRequest {
  return { address, requesterPays, customerKey }
}

function partBytesOf({ partBytes }: MigrationOptions): number {
  return partBytes ?? DEFAULT_PART_BYTES
}

function memoryFor({ plaintextBytes, info }: MigrationSource, options: MigrationOptions): number {
  return Math.min(plaintextBytes ?? info.bytes, partBytesOf(options)) * BUFFERED_PARTS
}
