import { NotFoundError, PreconditionError, UnavailableError } from "../errors.ts"
import type {
  CustomerKey,
  ObjectAddress,
  ObjectInfo,
  ObjectSettings,
  StoreLimits,
  UploadedPart,
} from "../store/store.ts"
import { forEachConcurrent } from "../transfer/concurrent.ts"
import type { TransferContext } from "../transfer/context.ts"
import { Creations, creationsPath } from "../transfer/creations.ts"
import { journalId } from "../transfer/journal.ts"
import type { RotationRequest } from "./request.ts"

/** Requests; each keeps the service busy and this machine idle. */
const PARTS_AT_ONCE = 16

/** A copy in parts that is under way, or that an earlier run left. */
export interface PartsCopy {
  readonly uploadId: string
  /** When the request that made it was sent, in milliseconds since 1970. */
  readonly sentAt: number
  readonly settings: ObjectSettings
}

/**
 * Begin to copy an object that is too large for one request.
 *
 * @param note - puts it into a journal; nothing else happens before.
 */
export async function beginParts(
  context: TransferContext,
  { requesterPays }: RotationRequest,
  address: ObjectAddress,
  settings: ObjectSettings,
  customerKey: CustomerKey | undefined,
  note: (copy: PartsCopy) => Promise<void>,
): Promise<PartsCopy> {
  const { store, signal } = context
  const options = { signal, requesterPays }
  const { checksum } = await store.head(address, { ...options, customerKey, wholeChecksum: true })
  const wholeChecksum = checksum && { kind: checksum.kind, type: checksum.type }
  const creations = await creationsOf(context, address)
  const job = { context, request: { address, requesterPays } }
  const { uploadId, sentAt } = await creations.create(job, (onRepeat) =>
    store.createUpload(address, {
      ...options,
      settings,
      onRepeat,
      ...(wholeChecksum ? { wholeChecksum } : { checksum: "none" }),
    }),
  )
  const copy = { uploadId, sentAt, settings }
  await note(copy)
  await creations.answered(sentAt)
  return copy
}

function creationsOf({ store, stateDirectory }: TransferContext, address: ObjectAddress): Promise<Creations> {
  return Creations.open(creationsPath(stateDirectory, journalId(store.endpoint, address)))
}

/**
 * Copy all parts that the upload lacks, and make the object of them if it is still the one that was looked at.
 *
 * @throws {PreconditionError} if it is not; the upload is aborted then. {NotFoundError} with `what: "upload"` if
 * somebody aborted it. Whatever else, the upload is left for another run.
 */
export async function finishParts(
  context: TransferContext,
  request: RotationRequest,
  address: ObjectAddress,
  info: ObjectInfo,
  copy: PartsCopy,
  limits: StoreLimits,
  customerKey: CustomerKey | undefined,
): Promise<void> {
  const { store, signal } = context
  const { requesterPays, maxCopyBytes } = request
  const options = { signal, requesterPays }
  const kept = await store.partSizes(address, info, { ...options, customerKey })
  const sizes =
    kept ?? evenParts(info, Math.min(maxCopyBytes ?? limits.maxPartBytes, limits.maxPartBytes), limits)
  const parts = new Map<number, UploadedPart>()
  for await (const part of store.listParts(address, copy.uploadId, { ...options, customerKey })) {
    if (part.bytes === sizes[part.partNumber - 1]) parts.set(part.partNumber, part)
  }
  try {
    await forEachConcurrent(
      missing(sizes, parts),
      PARTS_AT_ONCE,
      async ({ partNumber, start, end }, stop) => {
        const source = { address, ifMatch: info.etag, customerKey }
        const range = { start, end }
        parts.set(
          partNumber,
          await store.uploadPartCopy(source, address, copy.uploadId, partNumber, {
            ...options,
            signal: stop,
            range,
            customerKey,
          }),
        )
      },
      { signal },
    )
    const creations = await creationsOf(context, address)
    // A crash may have come between the journal's line and the note that it has the answer.
    await creations.answered(copy.sentAt)
    await creations.abortStrays({ context, request: { address, requesterPays } }, copy)
    await complete(context, request, address, info, copy, inOrder(parts), customerKey)
  } catch (error) {
    if (error instanceof PreconditionError) await abortParts(context, request, address, copy.uploadId)
    throw error
  }
}

/** An upload that is gone already is as good as aborted. */
export async function abortParts(
  { store, signal }: TransferContext,
  { requesterPays }: RotationRequest,
  address: ObjectAddress,
  uploadId: string,
): Promise<void> {
  await store.abortUpload(address, uploadId, { signal, requesterPays }).catch((error: unknown) => {
    if (!(error instanceof NotFoundError)) throw error
  })
}

async function complete(
  { store, signal }: TransferContext,
  { requesterPays }: RotationRequest,
  address: ObjectAddress,
  info: ObjectInfo,
  { uploadId, settings }: PartsCopy,
  parts: readonly UploadedPart[],
  customerKey: CustomerKey | undefined,
): Promise<void> {
  const { retention, legalHold } = settings
  const options = { signal, requesterPays, customerKey }
  try {
    await store.completeUpload(address, uploadId, parts, {
      ...options,
      lock: { retention, legalHold },
      tags: settings.tags,
      conditions: { ifMatch: info.etag },
    })
  } catch (error) {
    const lost =
      error instanceof UnavailableError ||
      error instanceof PreconditionError ||
      (error instanceof NotFoundError && error.what === "upload")
    // It may have been made, the answer lost: nobody else's object has this envelope.
    if (!lost || !isMade(await store.head(address, options), settings)) throw error
  }
}

function isMade({ metadata }: ObjectInfo, settings: ObjectSettings): boolean {
  return Object.entries(settings.metadata).every(([name, value]) => metadata[name] === value)
}

function* missing(
  sizes: readonly number[],
  there: ReadonlyMap<number, UploadedPart>,
): Generator<{ partNumber: number; start: number; end: number }> {
  let start = 0
  for (const [index, bytes] of sizes.entries()) {
    if (!there.has(index + 1)) yield { partNumber: index + 1, start, end: start + bytes }
    start += bytes
  }
}

function inOrder(parts: ReadonlyMap<number, UploadedPart>): UploadedPart[] {
  return [...parts.values()].sort((a, b) => a.partNumber - b.partNumber)
}

/** As many parts as there were, where the service tells their number and not their sizes. */
function evenParts({ bytes, parts = 1 }: ObjectInfo, maxPartBytes: number, limits: StoreLimits): number[] {
  const least = Math.ceil(bytes / maxPartBytes)
  const most = Math.max(1, Math.floor(bytes / limits.minPartBytes))
  const count = Math.min(Math.max(least, Math.min(parts, most)), limits.maxParts)
  const each = Math.ceil(bytes / count)
  const sizes: number[] = []
  for (let left = bytes; left > 0; left -= each) sizes.push(Math.min(left, each))
  return sizes
}
