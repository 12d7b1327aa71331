import { DeniedError, NotFoundError, PreconditionError, UnavailableError } from "../errors.ts"
import type { Conditions, StoredObject, UploadedPart } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { removeJournal } from "./journal.ts"
import { findOwnObject, hasConditions } from "./stored-object.ts"
import type { UploadSession } from "./upload-parts.ts"
import { callOptions, customerKeyOf, type UploadJob, type UploadOptions } from "./upload-request.ts"

const MAX_ROUNDS = 3

/**
 * Make the object of its parts. An answer that leaves open whether it was made is settled by looking, and the
 * upload is aborted only if a condition failed: nothing can come of it then.
 *
 * @throws {PreconditionError} if a condition does not hold, the upload being aborted.
 * @throws {NotFoundError} with `what: "upload"` if the upload is gone and the object is not ours.
 * @throws {UnavailableError} if the service cannot be brought to say: nothing is lost.
 */
export async function completeUpload(
  job: UploadJob,
  session: UploadSession,
  parts: readonly UploadedPart[],
  conditions: Conditions | undefined,
): Promise<StoredObject> {
  const { context, request } = job
  for (let round = 1; ; round++) {
    try {
      return await context.store.completeUpload(request.address, session.uploadId, parts, {
        ...callOptions(context, request),
        conditions,
        checksum: request.checksum,
        customerKey: customerKeyOf(request.settings),
      })
    } catch (error) {
      if (!isAmbiguous(error)) throw error
      const own = await findOwn(job, session, error)
      if (own) return own
      if (error instanceof PreconditionError && hasConditions(conditions)) {
        await giveUp(job, session.uploadId, session.journal.path)
        throw error
      }
      if (!(error instanceof UnavailableError) || round === MAX_ROUNDS) throw error
    }
  }
}

/** Abort an upload on the store, where it may be gone already, and remove its journal. */
export async function giveUp(
  { context, request }: { readonly context: TransferContext; readonly request: UploadOptions },
  uploadId: string,
  journalPath: string,
): Promise<void> {
  try {
    await context.store.abortUpload(request.address, uploadId, callOptions(context, request))
  } catch (error) {
    if (!(error instanceof NotFoundError && error.what === "upload")) throw error
  }
  await removeJournal(journalPath)
}

// A request that was sent twice answers the second time as if the first had not been ours: the upload is gone, or
// the object exists already.
function isAmbiguous(error: unknown): boolean {
  return (
    error instanceof UnavailableError ||
    error instanceof PreconditionError ||
    (error instanceof NotFoundError && error.what === "upload")
  )
}

async function findOwn(job: UploadJob, session: UploadSession, cause: unknown): Promise<StoredObject | null> {
  const { envelope, plan } = session
  try {
    return await findOwnObject(job.context, job.request, {
      envelope,
      storedBytes: plan.layout.ciphertextBytes,
    })
  } catch (error) {
    // Whoever may write and not read cannot look.
    if (error instanceof DeniedError || error instanceof UnavailableError) throw cause
    throw error
  }
}
