import { placeOfSegment } from "../agcm/layout.ts"
import { NotFoundError, PreconditionError } from "../errors.ts"
import type { StoredObject } from "../store/store.ts"
import { completeUpload, giveUp } from "./complete.ts"
import type { TransferContext } from "./context.ts"
import { Creations, creationsPath } from "./creations.ts"
import { journalId, journalPath, lockPath, removeJournal } from "./journal.ts"
import { loadJournal } from "./journal-lines.ts"
import { acquireLock } from "./lock.ts"
import { objectUri } from "./naming.ts"
import { PartMemory } from "./part-memory.ts"
import { BUFFER_BUDGET_BYTES, planUpload, type UploadPlan } from "./plan.ts"
import { openSource, type Source } from "./source.ts"
import { checkConditions, conditionsToSend } from "./stored-object.ts"
import { beginUpload } from "./upload-begin.ts"
import { forgetStaleSeal, sendParts, type UploadSession } from "./upload-parts.ts"
import type { UploadJob, UploadRequest, UploadResult } from "./upload-request.ts"
import { listParts, takeUpEarlier } from "./upload-resume.ts"
import { putWhole } from "./upload-whole.ts"

/** An upload may change under the feet of a run (a lifecycle rule, an administrator); twice is no accident. */
const MAX_RESTARTS = 1

/**
 * Encrypt a file and store it: with one request, or in parts with a journal. An earlier run of the same upload is
 * gone on with, unless something speaks against it; then it starts over, and a notice says why.
 *
 * @param memory - shared with other uploads that run at the same time.
 * @throws {PreconditionError} if a condition does not hold, the file changed while it was read, or another process
 * is at it. {KeyMissingError} if the unfinished upload needs another key. {LocalIoError}, {UnavailableError} or the
 * signal's reason: what was done is kept.
 */
export async function uploadFile(
  context: TransferContext,
  request: UploadRequest,
  memory: PartMemory = new PartMemory(BUFFER_BUDGET_BYTES),
): Promise<UploadResult> {
  const { signal } = context
  signal.throwIfAborted()
  await using source = await openSource(request.path)
  return await uploadSource(context, request, source, memory)
}

/** `uploadFile`, for a source that is open already, and need not be a file. It stays the caller's. */
export async function uploadSource(
  context: TransferContext,
  request: UploadRequest,
  source: Source,
  memory: PartMemory,
): Promise<UploadResult> {
  const { signal } = context
  try {
    const { requesterPays } = request
    const limits = await context.store.limits(request.address.bucket, { signal, requesterPays })
    const plan = planUpload(source.bytes, limits, request)
    const job: UploadJob = { context, request, source, limits, memory, item: request.item ?? request.path }
    const result =
      plan.multipart || (await isBegun(context, request))
        ? await uploadLocked(job, plan)
        : await putWhole(started(job, plan, 0), plan.layout)
    context.onProgress({ type: "finished", item: job.item })
    return result
  } catch (error) {
    // Whatever requests say that were cut off: the reason is that somebody stopped us.
    if (signal.aborted) throw signal.reason
    throw error
  }
}

/** Whether an earlier run has left a journal. */
async function isBegun(context: TransferContext, { address, left }: UploadRequest): Promise<boolean> {
  if (left) return left.hasUpload(address)
  const path = journalPath(context.stateDirectory, journalId(context.store.endpoint, address))
  return (await loadJournal(path)) !== null
}

async function uploadLocked(job: UploadJob, plan: UploadPlan): Promise<UploadResult> {
  const { context, request } = job
  const id = journalId(context.store.endpoint, request.address)
  const path = journalPath(context.stateDirectory, id)
  const what = `the upload of ${objectUri(request.address)}`
  await using _lock = await acquireLock(lockPath(context.stateDirectory, id), what, context.random)
  const creations = await Creations.open(creationsPath(context.stateDirectory, id))
  for (let restarts = 0; ; restarts++) {
    const earlier = await takeUpEarlier(job, path)
    if (earlier.kind === "stored") {
      await removeJournal(path)
      const parts = earlier.plan.layout.segments
      const { envelope } = earlier.head
      return resultOf(job, earlier.plan, earlier.stored, { envelope, parts, resumedParts: parts })
    }
    if (earlier.kind === "none" && !plan.multipart) return await putWhole(started(job, plan, 0), plan.layout)
    const session =
      earlier.kind === "unfinished" ? earlier.session : await beginUpload(job, plan, path, creations)
    try {
      // A crash may have come between the journal's beginning and the note that it has the answer.
      if (earlier.kind === "unfinished") await creations.answered(session.sentAt)
      return await finish(job, session, creations)
    } catch (error) {
      const gone = error instanceof NotFoundError && error.what === "upload"
      const changed = gone || (error instanceof PreconditionError && (await isListedOtherwise(job, session)))
      if (!changed || restarts === MAX_RESTARTS || context.signal.aborted) throw error
    } finally {
      session.dek[Symbol.dispose]()
      // Whatever had to be on the disk was synced when it was noted.
      await session.journal.close().catch(() => undefined)
    }
  }
}

/** Whether a part was replaced: one that a run had sent which was killed since may arrive after ours. */
async function isListedOtherwise(job: UploadJob, { uploadId, done }: UploadSession): Promise<boolean> {
  const listed = await listParts(job, uploadId).catch(() => null)
  return listed !== null && [...done].some(([part, { etag }]) => listed.get(part)?.etag !== etag)
}

async function finish(job: UploadJob, session: UploadSession, creations: Creations): Promise<UploadResult> {
  const { context, request, limits } = job
  const { plan, done, journal } = session
  forgetStaleSeal(session)
  const resumedParts = done.size
  let doneBytes = 0
  for (const part of done.keys()) doneBytes += placeOfSegment(plan.layout, part - 1).plaintextBytes
  started(job, plan, doneBytes)
  const parts = await sendParts(job, session)
  await creations.abortStrays(job, session)
  try {
    await job.source.assertUnchanged()
    if (!limits.conditionalComplete) await checkConditions(context, request, false)
  } catch (error) {
    if (error instanceof PreconditionError) await giveUp(job, session.uploadId, journal.path)
    throw error
  }
  await journal.mark({ completing: true })
  const conditions = conditionsToSend(context, request, limits.conditionalComplete)
  const stored = await completeUpload(job, session, parts, conditions)
  await removeJournal(journal.path)
  return resultOf(job, plan, stored, { envelope: session.envelope, parts: parts.length, resumedParts })
}

function started(job: UploadJob, { layout, multipart }: UploadPlan, doneBytes: number): UploadJob {
  job.context.onProgress({
    type: "started",
    item: job.item,
    bytes: layout.plaintextBytes,
    doneBytes,
    parts: multipart ? layout.segments : undefined,
  })
  return job
}

function resultOf(
  { request }: UploadJob,
  { layout }: UploadPlan,
  { etag, versionId }: StoredObject,
  more: { envelope: UploadSession["envelope"]; parts: number; resumedParts: number },
): UploadResult {
  return {
    address: request.address,
    bytes: layout.plaintextBytes,
    storedBytes: layout.ciphertextBytes,
    etag,
    versionId,
    parts: more.parts,
    resumedParts: more.resumedParts,
    kek: more.envelope.recipients.map(({ kek }) => kek),
  }
}
