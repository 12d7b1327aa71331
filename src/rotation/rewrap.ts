import { DeniedError, NotFoundError, PreconditionError, UsageError } from "../errors.ts"
import type { ObjectInfo, ObjectSettings, StoreLimits } from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import type { Movable } from "./assess.ts"
import { abortParts, beginParts, finishParts } from "./copy-parts.ts"
import type { BegunLine, RotationJournal } from "./journal.ts"
import { checkLength, type ExtrasReader, restoreExtras, settingsOf } from "./kept.ts"
import type { RotationRequest } from "./request.ts"

/** What moving objects takes, besides the context. */
export interface Mover {
  readonly context: TransferContext
  readonly request: RotationRequest
  readonly journal: RotationJournal
  readonly extras: ExtrasReader
}

/**
 * Give an object its new envelope, by a copy onto itself inside the store: atomically, and only if it is still the
 * one that was looked at. What takes more than one step is in the journal before the first.
 *
 * @throws {PreconditionError} if the object changed meanwhile.
 */
export async function rewrap(mover: Mover, object: Movable, limits: StoreLimits): Promise<void> {
  const { context, request, journal } = mover
  const { address, info } = object
  const extras = await mover.extras.read(address, info)
  const customerKey = info.customerEncrypted ? request.customerKey : undefined
  const settings = settingsOf(info, object.metadata, extras, { customerKey, nowMs: context.clock.now() })
  const line: BegunLine = {
    begun: address.key,
    bucket: address.bucket,
    etag: info.etag,
    metadata: object.metadata,
    ...extras,
    ...lockOf(settings),
  }
  if (object.how === "copy-in-parts") {
    // Tags of an upload are its own: nothing takes them from what it is copied from.
    const kept = { ...settings, tags: extras.tags }
    const copy = await beginParts(context, request, address, kept, customerKey, ({ uploadId, sentAt }) =>
      journal.begin({ ...line, upload: uploadId, sentAt }),
    )
    await finishParts(context, request, address, info, copy, limits, customerKey)
  } else {
    const steps = extras.tags || extras.acl || settings.retention || settings.legalHold
    if (steps) await journal.begin(line)
    await copyWhole(mover, object, settings, customerKey)
    if (!steps) return
  }
  await settle(mover, object, line)
}

async function copyWhole(
  { context: { store, signal }, request: { requesterPays } }: Mover,
  { address, info }: Movable,
  settings: ReturnType<typeof settingsOf>,
  customerKey: RotationRequest["customerKey"],
): Promise<void> {
  const source = { address, ifMatch: info.etag, customerKey }
  const conditions = { ifMatch: info.etag }
  await store.copy(source, address, { signal, requesterPays, settings, conditions })
}

/** The steps behind the write that made the object. */
export async function settle(
  mover: Mover,
  { address, info, metadata }: Pick<Movable, "address" | "info" | "metadata">,
  line: BegunLine,
): Promise<void> {
  const written = await lookAgain(mover, address, info)
  // Somebody else's object by now: it has tags and an ACL of its own.
  if (written && hasAll(written.metadata, metadata)) {
    checkLength(address, info, written)
    // A lock may be missing where it is set after the copy, and that request failed.
    const relocked = await lockAgain(mover, line, written)
    const { tags, acl } = line
    await restoreExtras(mover.context, mover.request, address, relocked ?? written, { tags, acl })
  }
  await mover.journal.settle(address.bucket, address.key)
}

async function lookAgain(
  { context: { store, signal }, request: { requesterPays, customerKey } }: Mover,
  address: Movable["address"],
  before: ObjectInfo,
): Promise<ObjectInfo | null> {
  const options = { signal, requesterPays, customerKey: before.customerEncrypted ? customerKey : undefined }
  return store.head(address, options).catch(whenThere)
}

function lockOf({ retention, legalHold }: ObjectSettings): Pick<BegunLine, "lock" | "legalHold"> {
  return {
    ...(retention && { lock: { mode: retention.mode, until: retention.until.toISOString() } }),
    ...(legalHold && { legalHold }),
  }
}

/**
 * Put right what an earlier run was in the middle of: an object that was written gets the tags, the ACL and the lock
 * it had; a copy in parts is gone on with if the object is still the one it is of, and given up otherwise.
 */
export async function takeUp(mover: Mover, line: BegunLine, limits: StoreLimits): Promise<void> {
  const { context, request, journal } = mover
  const address = { bucket: line.bucket, key: line.begun }
  let info = await lookForLeft(mover, line)
  if (info && line.upload !== undefined && !hasAll(info.metadata, line.metadata)) {
    info = info.etag === line.etag ? await takeUpParts(mover, line, line.upload, info, limits) : null
  }
  if (line.upload !== undefined && !info) await abortParts(context, request, address, line.upload)
  if (info && hasAll(info.metadata, line.metadata)) {
    const relocked = await lockAgain(mover, line, info)
    await restoreExtras(context, request, address, relocked ?? info, { tags: line.tags, acl: line.acl })
  }
  await journal.settle(line.bucket, line.begun)
}

/** @returns the object that was made of the parts; null if that cannot be any more. */
async function takeUpParts(
  mover: Mover,
  line: BegunLine,
  uploadId: string,
  info: ObjectInfo,
  limits: StoreLimits,
): Promise<ObjectInfo | null> {
  const { context, request } = mover
  const address = { bucket: line.bucket, key: line.begun }
  const customerKey = info.customerEncrypted ? request.customerKey : undefined
  const settings = settingsOf(info, line.metadata, line, { customerKey, nowMs: context.clock.now() })
  try {
    const copy = { uploadId, sentAt: line.sentAt ?? 0, settings: { ...settings, tags: line.tags } }
    await finishParts(context, request, address, info, copy, limits, customerKey)
    return await lookForLeft(mover, line)
  } catch (error) {
    const lost =
      error instanceof PreconditionError || (error instanceof NotFoundError && error.what === "upload")
    if (!lost) throw error
    return null
  }
}

/** Where a service locks an object only after it is written, a lock may be missing: the copy is made again, locked. */
async function lockAgain(mover: Mover, line: BegunLine, info: ObjectInfo): Promise<ObjectInfo | null> {
  const { context, request } = mover
  const missing = (line.lock && !info.retention) || (line.legalHold && !info.legalHold)
  if (!missing || info.bytes > (await context.store.limits(line.bucket)).maxPutBytes) return null
  const address = { bucket: line.bucket, key: line.begun }
  const retention = line.lock && { mode: line.lock.mode, until: new Date(line.lock.until) }
  const locked = { ...info, retention, legalHold: line.legalHold ?? false }
  const customerKey = info.customerEncrypted ? request.customerKey : undefined
  const settings = settingsOf(locked, line.metadata, line, { customerKey, nowMs: context.clock.now() })
  await context.store.copy({ address, ifMatch: info.etag, customerKey }, address, {
    signal: context.signal,
    requesterPays: request.requesterPays,
    settings,
    conditions: { ifMatch: info.etag },
  })
  return lookForLeft(mover, line)
}

async function lookForLeft(
  { context: { store, signal }, request: { requesterPays, customerKey } }: Mover,
  line: BegunLine,
): Promise<ObjectInfo | null> {
  const address = { bucket: line.bucket, key: line.begun }
  const options = { signal, requesterPays }
  try {
    if (customerKey) return await store.head(address, { ...options, customerKey })
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof DeniedError)) return whenThere(error)
  }
  return store.head(address, options).catch(whenThere)
}

function whenThere(error: unknown): null {
  if (error instanceof NotFoundError) return null
  throw error
}

function hasAll(
  metadata: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([name, value]) => metadata[name] === value)
}
