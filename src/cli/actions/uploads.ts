import { parseAge } from "../../config/size.ts"
import { NotFoundError, UsageError } from "../../errors.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { objectUri } from "../../transfer/naming.ts"
import { PartMemory } from "../../transfer/part-memory.ts"
import { BUFFER_BUDGET_BYTES } from "../../transfer/plan.ts"
import {
  abortUpload,
  cleanUploads,
  listUploads,
  resumeUpload,
  type UnfinishedUpload,
} from "../../transfer/uploads.ts"
import { parseBucket } from "../address.ts"
import { Batch, forEachItem } from "../batch.ts"
import type { Session } from "../session.ts"
import { counted, formatBytes } from "../text.ts"
import { stored } from "./stored.ts"

const MIN_PREFIX_CHARACTERS = 4

export interface UnfinishedOptions {
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly olderThan?: string
}

/** `mp-upload list`. */
export async function listUnfinished(session: Session, buckets: readonly string[]): Promise<void> {
  const context = await session.transfer("none")
  const uploads = await listUploads(context, request(session, buckets))
  for (const upload of uploads) {
    session.output.answer(uploadLine("upload", upload), describeUpload)
    session.output.count("uploads", 1)
    session.output.count("storedBytes", bytesHeld(upload))
  }
  if (uploads.length === 0) session.output.notice("there is no unfinished upload")
}

/** `mp-upload resume`. */
export async function resumeUnfinished(
  session: Session,
  ids: readonly string[],
  { all, dryRun }: UnfinishedOptions,
): Promise<void> {
  if (!all && ids.length === 0) {
    throw new UsageError("say which upload to go on with", {
      hint: "give its id, or --all; `s3ep mp-upload list` shows them",
    })
  }
  if (all && ids.length > 0) throw new UsageError("--all is all of them: leave the ids out")
  const context = await session.transfer(dryRun ? "none" : "both")
  const known = (await listUploads(context, { buckets: [] })).filter(({ local }) => local !== null)
  const chosen = all
    ? known.filter((upload) => isOurs(session, context, upload))
    : ids.map((id) => find(id, known))
  const customerKey = await session.customerKey()
  const { concurrency } = session.settings
  const memory = new PartMemory(BUFFER_BUDGET_BYTES)
  if (chosen.length === 0) session.output.notice("there is no unfinished upload to go on with")
  await forEachItem(session, "upload", chosen, nameOf, async (upload) => {
    const source = upload.local?.path ?? upload.id
    if (dryRun) {
      session.output.report(
        { ...uploadLine("planned", upload), action: "resume" },
        (line) => `would resume ${describeUpload(line)}`,
      )
      session.output.count("planned", 1)
      return
    }
    stored(
      session,
      source,
      await resumeUpload(context, upload.id, { customerKey, concurrency, item: source, memory }),
    )
  })
}

/** `mp-upload abort`. */
export async function abortUnfinished(
  session: Session,
  given: readonly string[],
  { dryRun }: UnfinishedOptions,
): Promise<void> {
  const buckets = given.filter((word) => word.startsWith("s3://"))
  const ids = given.filter((word) => !word.startsWith("s3://"))
  if (ids.length === 0)
    throw new UsageError("say which upload to give up", { hint: "`s3ep mp-upload list` shows the ids" })
  const context = await session.transfer("none")
  const known = await listUploads(context, request(session, buckets))
  const chosen = ids.map((id) => find(id, known))
  await forEachItem(session, "upload", chosen, nameOf, async (upload) => {
    if (!dryRun) await abortUpload(context, upload)
    gone(session, upload, dryRun)
  })
}

/** `mp-upload clean`. */
export async function cleanUnfinished(
  session: Session,
  buckets: readonly string[],
  { olderThan = "", dryRun }: UnfinishedOptions,
): Promise<void> {
  const { output } = session
  const olderThanMs = parseAge(olderThan)
  const context = await session.transfer("none")
  const result = await cleanUploads(context, { ...request(session, buckets), olderThanMs, dryRun })
  const batch = new Batch(session, "upload")
  for (const upload of result.removed) {
    gone(session, upload, dryRun)
    batch.succeeded()
  }
  for (const { upload, why } of result.kept) {
    output.report(
      { ...uploadLine("kept", upload), why },
      (line) => `keep ${describeUpload(line)}: ${line.why}`,
    )
    output.count("kept", 1)
    batch.succeeded()
  }
  for (const { upload, error } of result.failed) batch.failed(nameOf(upload), error)
  const freed = `${counted(result.removed.length, "upload")}, ${formatBytes(result.bytes)}`
  output.notice(dryRun ? `would give up ${freed}` : `gave up ${freed}`)
  batch.finish()
}

function request({ settings }: Session, buckets: readonly string[]) {
  const { requesterPays } = settings
  return buckets.length === 0 ? { requesterPays } : { requesterPays, buckets: buckets.map(parseBucket) }
}

function gone({ output }: Session, upload: UnfinishedUpload, dryRun: boolean | undefined): void {
  const line = dryRun ? { ...uploadLine("planned", upload), action: "abort" } : uploadLine("aborted", upload)
  output.report(line, (line) => `${dryRun ? "would give up" : "gave up"} ${describeUpload(line)}`)
  output.count(dryRun ? "planned" : "aborted", 1)
  output.count("storedBytes", bytesHeld(upload))
}

// An upload to another endpoint goes on when that one's settings are in force.
function isOurs({ output }: Session, { store }: TransferContext, upload: UnfinishedUpload): boolean {
  const endpoint = upload.local?.endpoint
  if (upload.local?.state === "resumable" && endpoint === store.endpoint) return true
  const why =
    endpoint === store.endpoint || !endpoint ? `it is ${upload.local?.state}` : `it is to ${endpoint}`
  output.notice(`left alone: ${nameOf(upload)}: ${why}`)
  return false
}

function find(id: string, uploads: readonly UnfinishedUpload[]): UnfinishedUpload {
  const exact = uploads.filter((upload) => upload.id === id || upload.uploadId === id)
  const [found, another] =
    exact.length > 0 || id.length < MIN_PREFIX_CHARACTERS
      ? exact
      : uploads.filter((upload) => upload.id.startsWith(id) || upload.uploadId?.startsWith(id))
  if (another) throw new UsageError(`several uploads begin with ${id}`, { hint: "give more of the id" })
  if (found) return found
  throw new NotFoundError(`there is no unfinished upload ${id}`, {
    what: "upload",
    hint: "`s3ep mp-upload list` shows them; name the bucket too for one that another machine began",
  })
}

function nameOf({ id, address }: UnfinishedUpload): string {
  return address ? `${id} (${objectUri(address)})` : id
}

/** What the bucket holds of it, as far as anybody knows. */
function bytesHeld({ local, remote }: UnfinishedUpload): number {
  return remote?.bytes ?? local?.storedBytes ?? 0
}

function uploadLine<T extends string>(type: T, upload: UnfinishedUpload) {
  const { id, address, uploadId, lastActive, local } = upload
  return {
    type,
    id,
    uri: address && objectUri(address),
    uploadId,
    source: local?.path ?? null,
    endpoint: local?.endpoint ?? null,
    state: local?.state ?? "remote",
    bytes: local?.plaintextBytes ?? null,
    doneBytes: local?.doneBytes ?? null,
    storedBytes: bytesHeld(upload),
    lastActive: lastActive?.toISOString() ?? null,
  }
}

function describeUpload(line: ReturnType<typeof uploadLine>): string {
  const { id, uri, source, state, bytes, doneBytes, storedBytes, lastActive } = line
  const what = `${source === null ? "" : `${source} to `}${uri ?? "an unknown place"}`
  const done =
    bytes === null || doneBytes === null || bytes === 0
      ? ""
      : `${formatBytes(doneBytes)} of ${formatBytes(bytes)} done, `
  const since = lastActive === null ? "" : `, last active ${lastActive.slice(0, 16).replace("T", " ")} UTC`
  return `${id}  ${what} (${state}, ${done}${formatBytes(storedBytes)} held${since})`
}
