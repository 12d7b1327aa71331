import { NotFoundError, PreconditionError, UnavailableError } from "../errors.ts"
import type {
  CallOptions,
  Conditions,
  ObjectAddress,
  ObjectSettings,
  StoredObject,
  StoreLimits,
  UploadedPart,
} from "../store/store.ts"
import { abortStrays, mayHaveActed } from "../store/strays.ts"
import { forEachConcurrent } from "../transfer/concurrent.ts"
import type { TransferContext } from "../transfer/context.ts"
import { customerKeyOf } from "../transfer/upload-request.ts"

const PART_BYTES = 256 * 1024 ** 2
const PARTS_AT_ONCE = 4

/** An object that lies beside, and the place it is for; both in one bucket. */
export interface InPlaceRequest {
  readonly beside: ObjectAddress
  readonly besideEtag: string
  readonly storedBytes: number
  readonly target: ObjectAddress
  /** All that it will have, the envelope among it: by that it is told from every other object. */
  readonly settings: ObjectSettings
  /** About what is there now. */
  readonly conditions: Conditions
  readonly requesterPays?: boolean | undefined
  /** When requests of earlier runs to begin an upload were sent that nobody saw the answer of. */
  readonly unanswered: readonly number[]
  /** Called before an upload is asked for, with all the times at which one was, and before its first part. */
  readonly onUpload: (known: {
    readonly creating: readonly number[]
    readonly uploadId?: string
  }) => Promise<void>
}

/**
 * Put an object in its place, inside the store. Services check what a copy replaces late or never, and what Complete
 * replaces mostly, so it is made of parts that are copied, of a single one too, wherever Complete checks.
 *
 * @throws {PreconditionError} if a condition does not hold: what is there was not touched.
 */
export async function putInPlace(
  context: TransferContext,
  request: InPlaceRequest,
  limits: StoreLimits,
): Promise<StoredObject> {
  // What a request without an answer has made is told by an upload of our own.
  const asOne = request.unanswered.length === 0 && request.storedBytes <= limits.maxPutBytes
  const whole = !limits.conditionalComplete && asOne
  try {
    if (!whole) return await copyInParts(context, request, limits)
    await request.onUpload({ creating: [] })
    return await copyWhole(context, request)
  } catch (error) {
    // Sent twice because the first answer was lost, it may have met what it had made itself.
    const gone = error instanceof NotFoundError && error.what === "upload"
    if (!(error instanceof PreconditionError || error instanceof UnavailableError || gone)) throw error
    const own = await findInPlace(context, request).catch(() => null)
    if (own) return own
    throw error
  }
}

/** @returns null unless the object in its place is the one that lies, or lay, beside. */
async function findInPlace(
  context: TransferContext,
  { target, settings, storedBytes, requesterPays }: InPlaceRequest,
): Promise<StoredObject | null> {
  try {
    const customerKey = customerKeyOf(settings)
    const options = { requesterPays, customerKey, signal: context.signal }
    const { etag, versionId, metadata, bytes } = await context.store.head(target, options)
    const same = Object.entries(settings.metadata).every(([name, value]) => metadata[name] === value)
    return same && bytes === storedBytes ? { etag, versionId } : null
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "object") return null
    throw error
  }
}

async function copyWhole(
  { store, signal }: TransferContext,
  { beside: address, besideEtag: ifMatch, target, settings, conditions, requesterPays }: InPlaceRequest,
): Promise<StoredObject> {
  const source = { address, ifMatch, customerKey: customerKeyOf(settings) }
  return store.copy(source, target, { settings: tagged(settings), conditions, requesterPays, signal })
}

async function copyInParts(
  context: TransferContext,
  request: InPlaceRequest,
  limits: StoreLimits,
): Promise<StoredObject> {
  const { store } = context
  const { beside: address, besideEtag: ifMatch, target, settings, conditions, requesterPays } = request
  const call: CallOptions = { requesterPays, signal: context.signal }
  const customerKey = customerKeyOf(settings)
  const source = { address, ifMatch, customerKey }
  const uploadId = await createUpload(context, request, call)
  try {
    const parts: UploadedPart[] = []
    const copyPart = async ({ partNumber, range }: PartRange, signal: AbortSignal): Promise<void> => {
      const options = { ...call, signal, customerKey, range }
      parts.push(await store.uploadPartCopy(source, target, uploadId, partNumber, options))
    }
    await forEachConcurrent(rangesOf(request.storedBytes, limits), PARTS_AT_ONCE, copyPart, {
      signal: context.signal,
    })
    parts.sort((a, b) => a.partNumber - b.partNumber)
    const { retention, legalHold } = settings
    const lock = { retention, legalHold }
    return await store.completeUpload(target, uploadId, parts, { ...call, conditions, customerKey, lock })
  } catch (error) {
    // An answer that got lost leaves open what became of it; any other failure leaves parts that nobody wants.
    if (!(error instanceof UnavailableError) && !context.signal.aborted) {
      await store.abortUpload(target, uploadId, call).catch(() => undefined)
    }
    throw error
  }
}

// A request that was not answered may have made an upload whose id nobody learned: it is looked for.
async function createUpload(
  { store, clock }: TransferContext,
  { target, settings, unanswered, onUpload }: InPlaceRequest,
  call: CallOptions,
): Promise<string> {
  let sentAt = Math.max(clock.now(), 1 + Math.max(0, ...unanswered))
  let earlier = [...unanswered]
  await onUpload({ creating: [...earlier, sentAt] })
  const onRepeat = async (failure: UnavailableError): Promise<void> => {
    if (mayHaveActed(failure)) earlier = [...earlier, sentAt]
    sentAt = Math.max(clock.now(), sentAt + 1)
    await onUpload({ creating: [...earlier, sentAt] })
  }
  const uploadId = await store.createUpload(target, { ...call, settings, onRepeat })
  await onUpload({ creating: earlier, uploadId })
  if (earlier.length > 0) {
    await abortStrays(store, target, { uploadId, sentAt }, earlier, call).catch(() => undefined)
  }
  return uploadId
}

interface PartRange {
  readonly partNumber: number
  readonly range: { readonly start: number; readonly end: number }
}

function* rangesOf(storedBytes: number, { maxParts, maxPartBytes }: StoreLimits): Generator<PartRange> {
  const partBytes = Math.min(maxPartBytes, Math.max(PART_BYTES, Math.ceil(storedBytes / maxParts)))
  for (let start = 0, partNumber = 1; start < storedBytes; start += partBytes, partNumber++) {
    yield { partNumber, range: { start, end: Math.min(start + partBytes, storedBytes) } }
  }
}

// Tags that are left out would be taken from what lies beside, which has none; saying so saves asking.
function tagged(settings: ObjectSettings): ObjectSettings {
  return { ...settings, tags: settings.tags ?? {} }
}
