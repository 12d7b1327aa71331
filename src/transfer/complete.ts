import { DeniedError, NotFoundError, PreconditionError, UnavailableError } from "../errors.ts"
import type { Conditions, StoredObject, UploadedPart } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { removeJournal } from "./journal.ts"
import { objectUri } from "./naming.ts"
import { patience } from "./patience.ts"
import { checkConditions, findOwnObject, hasConditions } from "./stored-object.ts"
import type { UploadSession } from "./upload-parts.ts"
import { callOptions, customerKeyOf, type UploadJob, type UploadOptions } from "./upload-request.ts"

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
  const failures = patience(context, `complete the upload of ${objectUri(request.address)}`, context.signal)
  let doubt: UnavailableError | undefined
  for (;;) {
    try {
      return await context.store.completeUpload(request.address, session.uploadId, parts, {
        ...callOptions(context, request),
        conditions,
        lock: request.settings,
        tags: request.settings.tags,
        checksum: request.checksum,
        customerKey: customerKeyOf(request.settings),
      })
    } catch (error) {
      if (!isAmbiguous(error)) throw error
      const own = await findOwn(job, session, error)
      if (own) return own
      if (error instanceof PreconditionError) {
        if (hasConditions(conditions) && (await conditionsFail(job))) {
          await giveUp(job, session.uploadId, session.journal.path)
        }
        throw error
      }
      if (error instanceof UnavailableError) doubt = error
      // The upload may be gone because an earlier request is still making the object of it.
      if (!doubt) throw error
      await failures.wait(doubt).catch((reason: unknown) => {
        throw error instanceof NotFoundError && reason instanceof UnavailableError ? error : reason
      })
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

// A part that is not as listed makes a PreconditionError too, and is no reason to give up what was sent.
async function conditionsFail({ context, request }: UploadJob): Promise<boolean> {
  try {
    await checkConditions(context, request, true)
    return false
  } catch (error) {
    if (error instanceof PreconditionError) return true
    throw error
  }
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
