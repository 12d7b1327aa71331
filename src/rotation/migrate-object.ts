import { hex } from "../bytes.ts"
import { NotFoundError, PreconditionError, S3epError, UnavailableError } from "../errors.ts"
import type {
  ChecksumChoice,
  Conditions,
  CustomerKey,
  ObjectAddress,
  ObjectInfo,
  ObjectSettings,
  StoredObject,
  StoreLimits,
} from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import { type Expectation, expected } from "../transfer/expect.ts"
import type { ReadRequest } from "../transfer/fetch.ts"
import { objectUri } from "../transfer/naming.ts"
import { DEFAULT_PART_BYTES, type PlanWishes } from "../transfer/plan.ts"
import { type Beside, removeBeside, writeBeside } from "./beside.ts"
import type { Budget } from "./budget.ts"
import { keptSettings } from "./kept-settings.ts"
import { type MigrationSource, openSource, type SourceFacts } from "./migrate-source.ts"
import type { MigrationJournal } from "./migration-journal.ts"
import { putInPlace } from "./put-in-place.ts"

/** An object changed while it was migrated: how often that is tried again before it is left as it is. */
const MAX_ATTEMPTS = 2
/** A part that waits, one that is being filled, and what is on its way. */
const BUFFERED_PARTS = 3

/** What all objects of a migration are migrated with. */
export interface MigrationOptions extends Pick<PlanWishes, "partBytes" | "chunkBytes"> {
  readonly checksum?: ChecksumChoice | undefined
  readonly requesterPays?: boolean | undefined
  /** SSE-C: the key objects are read and written with. */
  readonly customerKey?: CustomerKey | undefined
  /** Instead of the class an object has. */
  readonly storageClass?: string | undefined
  /** What is known of the plaintext of a single object. */
  readonly expect?: Expectation | undefined
}

export interface MigrationJob {
  readonly context: TransferContext
  readonly options: MigrationOptions
  readonly journal: MigrationJournal
  /** Of the bucket that is written to. */
  readonly limits: StoreLimits
  /** Where objects lie until they are put in their place: a prefix in the bucket that is written to. */
  readonly besidePrefix: string
  /** Bytes of memory. */
  readonly memory: Budget
}

/** One object on its way. */
export interface Passage {
  readonly source: ObjectAddress
  readonly target: ObjectAddress
}

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

export function isInPlace({ source, target }: Passage): boolean {
  return source.bucket === target.bucket && source.key === target.key
}

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
    const kept = await keptSettings(context, request, info, { sameBucket, now: context.clock.now() })
    const { storageClass = kept.storageClass } = options
    const settings = { ...kept, storageClass, metadata: opened.metadata }
    if (earlier?.etag === info.etag && opened.plaintextBytes !== null) {
      const { metadata, etag, versionId, bytes: storedBytes } = earlier.info
      const beside = { ...earlier, etag, versionId, storedBytes, bytes: opened.plaintextBytes }
      return await place(job, passage, opened, { ...beside, settings: { ...settings, metadata } }, conditions)
    }
    await cleanUp(job, passage)
    using _ = await job.memory.take(memoryFor(opened, options))
    const beside = await opened.consume((plaintext) => write(job, passage, opened, settings, plaintext))
    return await place(job, passage, opened, beside, conditions)
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
  conditions: Conditions,
): Promise<Migrated> {
  const { context, journal, options } = job
  const { key } = passage.source
  const { etag } = opened.info
  const { etag: besideEtag, settings, bytes, storedBytes } = beside
  const previous = journal.done(key)
  const checked = { state: "checked" as const, etag, beside: beside.address.key, besideEtag, previous }
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
  await settle(job, passage, etag, stored.etag)
  // What cannot be removed now is swept up at the end of the run, or of the next one.
  await removeBeside(context, beside.address, options, beside.versionId).catch((error: unknown) => {
    if (context.signal.aborted || !(error instanceof S3epError)) throw error
  })
  const { format, title, findings } = opened
  return { outcome: "migrated", facts: { format, title, findings }, bytes, storedBytes, stored }
}

/** What an earlier run had written and read back, and not put in its place. */
interface Waiting {
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
async function takeUp(job: MigrationJob, passage: Passage): Promise<Waiting | null> {
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
async function conditionsFor(
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
async function settle(
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

async function etagNow(
  { context, options }: MigrationJob,
  address: ObjectAddress,
): Promise<string | undefined> {
  return (await headIfAny(context, address, options))?.etag
}

async function headIfAny(
  { store, signal }: TransferContext,
  address: ObjectAddress,
  { requesterPays, customerKey }: MigrationOptions,
): Promise<ObjectInfo | null> {
  try {
    return await store.head(address, { requesterPays, customerKey, signal })
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "object") return null
    throw error
  }
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
