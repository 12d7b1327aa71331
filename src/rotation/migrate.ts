import { isReserved, RESERVED_DIRECTORY } from "../envelope/reserved.ts"
import { NotFoundError, S3epError, UsageError } from "../errors.ts"
import { removeStateFile } from "../files/state-file.ts"
import type { ListedObject, ObjectAddress, StoredObject } from "../store/store.ts"
import { forEachConcurrent } from "../transfer/concurrent.ts"
import type { TransferContext } from "../transfer/context.ts"
import { acquireLock } from "../transfer/lock.ts"
import { objectUri } from "../transfer/naming.ts"
import { Budget } from "./budget.ts"
import { ExtrasReader } from "./kept.ts"
import { cleanUp } from "./migrate-earlier.ts"
import { isInPlace, type MigrationJob, type MigrationOptions, type Passage } from "./migrate-job.ts"
import { MIGRATED_ALREADY, migrateObject, OWN_FORMAT_ALREADY } from "./migrate-object.ts"
import { examineSource, type SourceFacts } from "./migrate-source.ts"
import { type MigrationEntry, MigrationJournal, migrationId, migrationPaths } from "./migration-journal.ts"
import { sweepBeside } from "./sweep-beside.ts"

const OBJECTS_AT_ONCE = 16
const MEMORY_BYTES = 144 * 1024 ** 2
const MAX_KEY_BYTES = 1024

export interface MigrateRequest extends MigrationOptions {
  /** An object, or a prefix. */
  readonly source: ObjectAddress
  /** The same, for a migration in place; another object, or another prefix. */
  readonly target: ObjectAddress
  /** Both are prefixes, and everything below goes along. */
  readonly recursive: boolean
  /** Whether to migrate an object, by its name below the prefix; all if not given. */
  readonly include?: ((relative: string) => boolean) | undefined
  /** Looks at every object and says what would become of it. */
  readonly dryRun?: boolean | undefined
  /** Objects at once; fewer while large ones take all the memory there is for them. */
  readonly concurrency?: number | undefined
  /** Called when an object is done with, in no order. */
  readonly onItem?: ((item: MigrationItem) => void) | undefined
}

export interface MigrationItem extends Passage {
  /** `planned` is what a dry run would migrate. */
  readonly outcome: "migrated" | "skipped" | "planned" | "failed"
  /** Why it was skipped. */
  readonly why: string | null
  /** What it was; null if it was not found out. */
  readonly facts: Omit<SourceFacts, "plaintextBytes"> | null
  /** Plaintext; as the stored length says of what is planned. */
  readonly bytes: number
  /** Of the source, of what is planned; of the target, of what was migrated. */
  readonly storedBytes: number
  readonly stored: StoredObject | null
  readonly error: S3epError | null
}

/** Counts of objects; `done` counts those a dry run would migrate. */
export interface MigrateResult {
  readonly done: number
  readonly skipped: number
  readonly failed: number
}

/**
 * Read objects of any format there is and write them anew in ours: in place, or to another object or prefix. What is
 * interrupted goes on with the next run; what fails does not stop the others. An object that changes meanwhile, or is
 * in the place already, is never overwritten.
 *
 * @throws {NotFoundError} if there is no such bucket or object; {PreconditionError} if another process is at it;
 * {UsageError} if source and target overlap; the signal's reason when interrupted.
 */
export async function migrate(context: TransferContext, request: MigrateRequest): Promise<MigrateResult> {
  checkPlaces(request)
  if (request.dryRun) return await planAll(context, request)
  const { source, target, requesterPays } = request
  const { store, signal, random, stateDirectory } = context
  const identity = { endpoint: store.endpoint, source, target }
  const paths = migrationPaths(stateDirectory, migrationId(identity))
  const limits = await store.limits(target.bucket, { signal, requesterPays })
  await using _lock = await acquireLock(paths.lock, `the migration of ${objectUri(source)}`, random)
  const journal = await MigrationJournal.open(paths.journal, identity, random)
  try {
    const besidePrefix = `${directoryOf(target.key)}${RESERVED_DIRECTORY}migrate/${journal.runId}/`
    const memory = new Budget(MEMORY_BYTES)
    const extras = new ExtrasReader(context, request)
    const job = { context, options: request, journal, limits, besidePrefix, extras, memory }
    const unseen = new Map(journal.unfinished())
    const result = await runAll(context, request, async (passage, signal) => {
      unseen.delete(passage.source.key)
      return await migrateOne({ ...job, context: { ...context, signal } }, passage)
    })
    for (const key of unseen.keys()) await cleanUp(job, passageOf(request, key))
    const swept = await sweepBeside(job, target.bucket)
    if (swept && journal.size === 0) await removeStateFile(paths.journal)
    return result
  } finally {
    await journal.close()
  }
}

async function migrateOne(job: MigrationJob, passage: Passage): Promise<MigrationItem> {
  const item = objectUri(passage.source)
  const { onProgress } = job.context
  checkKey(passage.target)
  onProgress({ type: "started", item, bytes: undefined, doneBytes: 0, parts: undefined })
  const done = await migrateObject(job, passage)
  onProgress({ type: "finished", item })
  return { ...nothingOf(passage), why: null, ...done }
}

/** What a run would do, by looking at every object and writing nothing. */
async function planAll(context: TransferContext, request: MigrateRequest): Promise<MigrateResult> {
  const { source, target } = request
  const identity = { endpoint: context.store.endpoint, source, target }
  const { journal } = migrationPaths(context.stateDirectory, migrationId(identity))
  const known = await MigrationJournal.read(journal)
  return await runAll(context, request, (passage, signal) =>
    planOne({ ...context, signal }, request, passage, known.get(passage.source.key)),
  )
}

async function planOne(
  context: TransferContext,
  request: MigrateRequest,
  passage: Passage,
  earlier: MigrationEntry | undefined,
): Promise<MigrationItem> {
  const { requesterPays, customerKey } = request
  const nothing = nothingOf(passage)
  checkKey(passage.target)
  const read = { address: passage.source, requesterPays, customerKey }
  const found = await examineSource(context, read, { skipOwn: isInPlace(passage) })
  if (!found) return { ...nothing, outcome: "skipped", why: OWN_FORMAT_ALREADY }
  const { info, ...facts } = found
  if (earlier?.state === "done" && earlier.etag === info.etag) {
    return { ...nothing, outcome: "skipped", why: MIGRATED_ALREADY }
  }
  const bytes = facts.plaintextBytes ?? info.bytes
  return { ...nothing, outcome: "planned", why: null, facts, bytes, storedBytes: info.bytes }
}

function nothingOf(passage: Passage) {
  return { ...passage, facts: null, bytes: 0, storedBytes: 0, stored: null, error: null }
}

/** Runs `work` for every object; a single one simply throws what it fails with. */
async function runAll(
  context: TransferContext,
  request: MigrateRequest,
  work: (passage: Passage, signal: AbortSignal) => Promise<MigrationItem>,
): Promise<MigrateResult> {
  const { source, target, recursive, concurrency = OBJECTS_AT_ONCE } = request
  const counts = { done: 0, skipped: 0, failed: 0 }
  const settle = (item: MigrationItem): void => {
    if (item.outcome === "failed") counts.failed++
    else if (item.outcome === "skipped") counts.skipped++
    else counts.done++
    request.onItem?.(item)
  }
  if (!recursive) {
    settle(await work({ source, target }, context.signal))
    return counts
  }
  const one = async (passage: Passage, signal: AbortSignal): Promise<void> => {
    settle(await work(passage, signal).catch((error: unknown) => failedItem(passage, error, signal)))
  }
  await forEachConcurrent(passages(context, request), concurrency, one, { signal: context.signal })
  return counts
}

function failedItem(passage: Passage, error: unknown, signal: AbortSignal): MigrationItem {
  signal.throwIfAborted()
  const grave = error instanceof NotFoundError && error.what === "bucket"
  if (!(error instanceof S3epError) || grave) throw error
  return { ...nothingOf(passage), outcome: "failed", why: null, error }
}

async function* passages(
  context: TransferContext,
  request: MigrateRequest,
): AsyncGenerator<Passage, void, undefined> {
  const { source, requesterPays } = request
  const options = { prefix: source.key, requesterPays, signal: context.signal }
  for await (const entry of context.store.list(source.bucket, options)) {
    if (isWanted(entry, entry.key.slice(source.key.length), request)) yield passageOf(request, entry.key)
  }
}

/** @param key - of the object in the source. */
function passageOf({ source, target, recursive }: MigrateRequest, key: string): Passage {
  const targetKey = recursive ? `${target.key}${key.slice(source.key.length)}` : target.key
  return { source: { bucket: source.bucket, key }, target: { bucket: target.bucket, key: targetKey } }
}

// A key that ends in "/" stands for a directory, and what lies in .s3ep/ is s3ep's own.
function isWanted(
  { kind, key }: ListedObject,
  relative: string,
  { source, target, include }: MigrateRequest,
): boolean {
  if (kind !== "object" || relative === "" || key.endsWith("/") || isReserved(key)) return false
  const within = source.bucket === target.bucket && target.key !== source.key && key.startsWith(target.key)
  return !within && (include?.(relative) ?? true)
}

function checkPlaces({ source, target, recursive }: MigrateRequest): void {
  const elsewhere = source.bucket !== target.bucket || source.key !== target.key
  const within = source.bucket === target.bucket && source.key.startsWith(target.key)
  if (recursive && elsewhere && within) {
    throw new UsageError(`${objectUri(target)} holds ${objectUri(source)}: one would migrate into the other`)
  }
}

function checkKey(address: ObjectAddress): void {
  if (Buffer.byteLength(address.key) <= MAX_KEY_BYTES) return
  throw new UsageError(`${objectUri(address)} has a key of more than ${MAX_KEY_BYTES} bytes`)
}

function directoryOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/") + 1)
}
