import { encodeEnvelope } from "../envelope/codec.ts"
import type { Envelope } from "../envelope/envelope.ts"
import { fromUserMetadata } from "../envelope/metadata.ts"
import { DeniedError, IntegrityError, NotFoundError, PreconditionError } from "../errors.ts"
import type { Conditions, ObjectInfo, StoredObject } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { objectUri } from "./naming.ts"
import { callOptions, customerKeyOf, type UploadOptions } from "./upload-request.ts"

/**
 * Look whether the object is there and is the one this envelope was made for: how an answer that got lost is
 * settled.
 *
 * @returns null if it is not there, or another.
 */
export async function findOwnObject(
  context: TransferContext,
  request: UploadOptions,
  own: { readonly envelope: Envelope; readonly storedBytes: number },
): Promise<StoredObject | null> {
  const info = await lookAt(context, request)
  if (info?.bytes !== own.storedBytes) return null
  try {
    const envelope = fromUserMetadata(info.metadata)
    const same = envelope !== null && encodeEnvelope(envelope) === encodeEnvelope(own.envelope)
    return same ? { etag: info.etag, versionId: info.versionId } : null
  } catch (error) {
    if (error instanceof IntegrityError) return null // somebody else's, whatever it is
    throw error
  }
}

/**
 * Check conditions by looking: before the work, so that it is not done in vain, and again before the object is
 * made where the service does not check them itself.
 *
 * @param enforced - whether the service will check: then not being allowed to look is no reason to stop.
 * @throws {PreconditionError} if they do not hold.
 */
export async function checkConditions(
  context: TransferContext,
  request: UploadOptions,
  enforced: boolean,
): Promise<void> {
  const { conditions, address } = request
  if (!hasConditions(conditions)) return
  try {
    const info = await lookAt(context, request)
    if (conditions.ifNoneMatch && info) {
      throw new PreconditionError(`cannot write ${objectUri(address)}: it exists already`)
    }
    if (conditions.ifMatch !== undefined && info?.etag !== conditions.ifMatch) {
      throw new PreconditionError(`cannot write ${objectUri(address)}: it is not the one with that ETag`)
    }
  } catch (error) {
    if (enforced && error instanceof DeniedError) return
    throw error
  }
}

/** The conditions to send: none where the service would ignore or refuse them; the user is told then. */
export function conditionsToSend(
  context: TransferContext,
  { conditions, address }: UploadOptions,
  enforced: boolean,
): Conditions | undefined {
  if (!hasConditions(conditions) || enforced) return conditions
  context.onProgress({
    type: "notice",
    message: `the service checks no conditions: ${objectUri(address)} was looked at just before it was written`,
    hint: "another writer at the same moment is not kept out",
  })
  return undefined
}

export function hasConditions(conditions: Conditions | undefined): conditions is Conditions {
  return conditions?.ifNoneMatch !== undefined || conditions?.ifMatch !== undefined
}

async function lookAt(context: TransferContext, request: UploadOptions): Promise<ObjectInfo | null> {
  try {
    return await context.store.head(request.address, {
      ...callOptions(context, request),
      customerKey: customerKeyOf(request.settings),
    })
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "object") return null
    throw error
  }
}
