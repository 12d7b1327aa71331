import { type Layout, SALT_BYTES } from "../agcm/layout.ts"
import { computeSeal } from "../agcm/seal.ts"
import { PreconditionError } from "../errors.ts"
import type { StoredObject, StoreLimits } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { fileMetadata, type NewObject, newObject } from "./new-object.ts"
import { PartProgress } from "./part-progress.ts"
import { sealPartInto } from "./seal-part.ts"
import { checkConditions, conditionsToSend, findOwnObject, hasConditions } from "./stored-object.ts"
import { callOptions, type UploadJob, type UploadOptions, type UploadResult } from "./upload-request.ts"

/** Store a file of one segment with one request. */
export async function putWhole(job: UploadJob, layout: Layout): Promise<UploadResult> {
  const { context, request, source, limits } = job
  await checkConditions(context, request, limits.conditionalPut)
  using object = await newObject(context, request, limits, fileMetadata(source))
  const buffer = await job.memory.take(layout.ciphertextBytes, context.signal)
  let idle = true
  try {
    const salt = context.random(SALT_BYTES)
    const seal = computeSeal(object.dek, layout.plaintextBytes, [salt])
    const attempt = { dek: object.dek, layout, segmentIndex: 0, salt, seal }
    await sealPartInto(attempt, source, buffer.bytes, job.memory, context.signal)
    await source.assertUnchanged()
    idle = false
    const result = await putSealed(context, request, limits, object, {
      bytes: buffer.bytes,
      plaintextBytes: layout.plaintextBytes,
      item: job.item,
    })
    idle = true
    return result
  } finally {
    if (idle) buffer.recycle()
    else buffer.abandon()
  }
}

/** Send a sealed object with one request. */
export async function putSealed(
  context: TransferContext,
  request: UploadOptions,
  limits: StoreLimits,
  { envelope, settings }: NewObject,
  body: { bytes: Uint8Array; plaintextBytes: number; item: string },
): Promise<UploadResult> {
  const storedBytes = body.bytes.length
  const { plaintextBytes } = body
  const progress = new PartProgress(context.onProgress, body.item, { plaintextBytes, storedBytes })
  const stored = await put()
  progress.done()
  return {
    address: request.address,
    bytes: plaintextBytes,
    storedBytes,
    ...stored,
    parts: 1,
    resumedParts: 0,
    kek: envelope.recipients.map(({ kek }) => kek),
  }

  async function put(): Promise<StoredObject> {
    try {
      return await context.store.put(request.address, body.bytes, {
        ...callOptions(context, request),
        settings,
        conditions: conditionsToSend(context, request, limits.conditionalPut),
        checksum: request.checksum,
      })
    } catch (error) {
      if (!(error instanceof PreconditionError) || !hasConditions(request.conditions)) throw error
      // Sent twice because the first answer was lost, the request may have met the object it had made itself.
      const own = await findOwnObject(context, request, { envelope, storedBytes })
      if (own) return own
      throw error
    }
  }
}
