import type { Creations } from "./creations.ts"
import { Journal } from "./journal.ts"
import { fileMetadata, newObject } from "./new-object.ts"
import type { UploadPlan } from "./plan.ts"
import { checkConditions } from "./stored-object.ts"
import { storeSettings } from "./stored-settings.ts"
import type { UploadSession } from "./upload-parts.ts"
import { callOptions, type UploadJob } from "./upload-request.ts"

/**
 * Begin a multipart upload under a new DEK, its journal on the disk before the first part.
 *
 * @returns a session whose DEK and journal the caller disposes of and closes.
 */
export async function beginUpload(
  job: UploadJob,
  plan: UploadPlan,
  journalPath: string,
  creations: Creations,
): Promise<UploadSession> {
  const { context, request, source } = job
  const { store } = context
  await checkConditions(context, request, job.limits.conditionalComplete)
  const object = await newObject(context, request, job.limits, fileMetadata(source))
  try {
    const options = callOptions(context, request)
    const { uploadId, sentAt } = await creations.create(job, (onRepeat) =>
      store.createUpload(request.address, {
        ...options,
        settings: object.settings,
        checksum: request.checksum,
        onRepeat,
      }),
    )
    const { chunkBytes, chunksPerSegment } = plan.layout
    try {
      const journal = await Journal.create(journalPath, {
        v: 1,
        kind: "upload",
        endpoint: store.endpoint,
        ...request.address,
        uploadId,
        geometry: { chunkBytes, chunksPerSegment },
        plaintextBytes: source.bytes,
        source: { path: source.path, ...source.identity },
        envelope: object.envelope,
        settings: storeSettings(request.settings),
        conditions: request.conditions,
        checksum: request.checksum,
        requesterPays: request.requesterPays,
        created: new Date(sentAt).toISOString(),
      })
      await creations.answered(sentAt)
      const { dek, envelope } = object
      return {
        uploadId,
        sentAt,
        envelope,
        dek,
        plan,
        journal,
        done: new Map(),
        attempted: new Set(),
      }
    } catch (error) {
      // Nobody would find it again. What comes of this is of no interest beside the journal's failure.
      const aborted = store.abortUpload(request.address, uploadId, options)
      await aborted.then(() => creations.answered(sentAt)).catch(() => undefined)
      throw error
    }
  } catch (error) {
    object[Symbol.dispose]()
    throw error
  }
}
