import { NotFoundError, S3epError } from "../errors.ts"
import { objectUri } from "../transfer/naming.ts"
import type { MigrationJob } from "./migrate-job.ts"

/**
 * Remove what requests whose answers were lost, or a run that was killed, have left where objects lie before they are
 * put in their place: nothing but this migration writes there. What the journal still speaks of is left.
 *
 * @returns whether all of it is gone; what keeps it from being removed is no failure of the migration.
 */
export async function sweepBeside(job: MigrationJob, bucket: string): Promise<boolean> {
  const { context, besidePrefix: key } = job
  let swept = true
  for (const sweep of [sweepUploads, sweepObjects]) {
    await sweep(job, bucket).catch((error: unknown) => {
      if (context.signal.aborted || !(error instanceof S3epError)) throw error
      const message = `what is of no use any more in ${objectUri({ bucket, key })} cannot be removed: ${error.message}`
      context.onProgress({ type: "notice", message, hint: "the next run tries again" })
      swept = false
    })
  }
  return swept
}

async function sweepUploads(
  { context, options, besidePrefix: prefix }: MigrationJob,
  bucket: string,
): Promise<void> {
  const { store, signal } = context
  const call = { requesterPays: options.requesterPays, signal }
  for await (const { address, uploadId } of store.listUploads(bucket, { ...call, prefix })) {
    await store.abortUpload(address, uploadId, call).catch(unlessGone)
  }
}

async function sweepObjects(
  { context, options, journal, besidePrefix: prefix }: MigrationJob,
  bucket: string,
): Promise<void> {
  const { store, signal } = context
  const { requesterPays, customerKey } = options
  const call = { requesterPays, signal }
  const waiting = new Set(
    journal.unfinished().map(([, entry]) => (entry.state === "done" ? "" : entry.beside)),
  )
  for await (const entry of store.list(bucket, { ...call, prefix })) {
    if (entry.kind !== "object" || waiting.has(entry.key)) continue
    const address = { bucket, key: entry.key }
    const info = await store.head(address, { ...call, customerKey }).catch(unlessGone)
    if (info) await store.delete(address, { ...call, versionId: info.versionId })
  }
}

function unlessGone(error: unknown): void {
  if (!(error instanceof NotFoundError)) throw error
}
