import { base64, u32be } from "../bytes.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { IntegrityError, KeyMissingError, NotFoundError, PreconditionError } from "../errors.ts"
import type { ListedPart, StoredObject } from "../store/store.ts"
import { giveUp } from "./complete.ts"
import { Journal, journalId, removeJournal } from "./journal.ts"
import {
  type AttemptLine,
  type JournalHead,
  type LoadedJournal,
  loadJournal,
  type PartLine,
} from "./journal-lines.ts"
import { unwrapEnvelope, writersOf } from "./keks.ts"
import { objectUri } from "./naming.ts"
import { contradicts, planWithGeometry, type UploadPlan } from "./plan.ts"
import { partBytes } from "./seal-part.ts"
import { sameSource } from "./source.ts"
import { findOwnObject } from "./stored-object.ts"
import { sameSettings, storeSettings } from "./stored-settings.ts"
import type { UploadSession } from "./upload-parts.ts"
import { callOptions, type UploadJob } from "./upload-request.ts"

/** What became of an earlier run's upload. */
export type Earlier =
  /** There is none, or it was given up: begin anew. */
  | { readonly kind: "none" }
  /** It had succeeded, and only its answer was lost. */
  | {
      readonly kind: "stored"
      readonly stored: StoredObject
      readonly head: JournalHead
      readonly plan: UploadPlan
    }
  | { readonly kind: "unfinished"; readonly session: UploadSession }

/**
 * Take up an earlier run's upload, trusting nothing: the source must be the one it began with, the DEK must unwrap,
 * and parts count only as far as the store has them.
 *
 * @throws {KeyMissingError} if no key unwraps its DEK: it is kept for one that does.
 * @throws {UsageError} if a newer s3ep began it.
 */
export async function takeUpEarlier(job: UploadJob, journalPath: string): Promise<Earlier> {
  const { context, request } = job
  const journal = await loadJournal(journalPath)
  if (!journal) return { kind: "none" }
  if (journal.state === "damaged") {
    return startOver(job, journalPath, journal.head, `its journal is damaged: ${journal.why}`)
  }
  const { head } = journal
  const objection = await objectionTo(job, head)
  if (objection !== null) return startOver(job, journalPath, head, objection)
  const plan = planWithGeometry(head.plaintextBytes, head.geometry, job.limits, request)
  const ownObject = () =>
    findOwnObject(context, request, { envelope: head.envelope, storedBytes: plan.layout.ciphertextBytes })
  if (journal.completing) {
    const stored = await ownObject()
    if (stored) return { kind: "stored", stored, head, plan }
  }
  const dek = await unwrap(job, head)
  if (!dek) return startOver(job, journalPath, head, "its journal's envelope is damaged")
  try {
    const listed = await listParts(job, head.uploadId)
    if (!listed) {
      dek[Symbol.dispose]()
      const stored = await ownObject()
      if (stored) return { kind: "stored", stored, head, plan }
      return startOver(job, journalPath, head, "the store does not know it any more")
    }
    const { done, adopted } = reconcile(journal, listed, (part) => partBytes(plan.layout, part - 1))
    const appended = await Journal.reopen(journalPath, journal.bytes)
    const session = {
      uploadId: head.uploadId,
      sentAt: Date.parse(head.created),
      envelope: head.envelope,
      dek,
      plan,
      journal: appended,
      done,
      attempted: new Set([...journal.attempts.keys(), ...listed.keys()]),
    }
    try {
      await appended.mark({ resumed: new Date(context.clock.now()).toISOString() })
      for (const line of adopted) await appended.part(line)
    } catch (error) {
      await appended.close().catch(() => undefined)
      throw error
    }
    return { kind: "unfinished", session }
  } catch (error) {
    dek[Symbol.dispose]()
    throw error
  }
}

/** Why this request cannot go on with that upload; null if it can. */
async function objectionTo(job: UploadJob, head: JournalHead): Promise<string | null> {
  const { request, source, context } = job
  const sameAddress = head.bucket === request.address.bucket && head.key === request.address.key
  if (!sameAddress || head.endpoint !== context.store.endpoint) return "its journal is that of another object"
  if (request.resume === false) return "it is not to be resumed"
  if (!sameSource(head.source, source.identity))
    return `${source.path} is not the file it began with any more`
  if (contradicts(request, head.geometry)) return "it was cut into parts of another size"
  if (!sameSettings(head.settings, storeSettings(request.settings))) return "it has other settings"
  if ((head.checksum ?? "auto") !== (request.checksum ?? "auto")) return "it has other checksums"
  return request.keepRecipients || (await sameRecipients(job, head)) ? null : "it is encrypted to other keys"
}

async function sameRecipients({ context, request }: UploadJob, { envelope }: JournalHead): Promise<boolean> {
  const writers = await writersOf(context, request.address)
  const { recipients } = envelope
  // By what they match, not by id: a passphrase has another id for each salt.
  return (
    recipients.every((recipient) => writers.some((kek) => kek.matches(recipient))) &&
    writers.every((kek) => recipients.some((recipient) => kek.matches(recipient)))
  )
}

async function startOver(
  job: UploadJob,
  journalPath: string,
  head: JournalHead | null,
  why: string,
): Promise<Earlier> {
  const uri = objectUri(job.request.address)
  if (job.request.keepRecipients && head && !(await sameRecipients(job, head))) {
    throw new PreconditionError(`cannot go on with the upload of ${uri}: ${why}`, {
      hint: "it would start over, for other keys than it began with: put the file again, with the keys it is meant for",
    })
  }
  job.context.onProgress({ type: "notice", message: `the upload of ${uri} starts over: ${why}` })
  if (head?.endpoint === job.context.store.endpoint) {
    const { bucket, key, requesterPays } = head
    const request = { ...job.request, address: { bucket, key }, requesterPays }
    await giveUp({ context: job.context, request }, head.uploadId, journalPath)
  } else {
    await removeJournal(journalPath)
  }
  return { kind: "none" }
}

async function unwrap({ context, request }: UploadJob, head: JournalHead): Promise<SecretBytes | null> {
  try {
    return (await unwrapEnvelope(context, request.address, head.envelope)).dek
  } catch (error) {
    if (error instanceof IntegrityError) return null
    if (!(error instanceof KeyMissingError)) throw error
    const id = journalId(head.endpoint, request.address)
    throw new KeyMissingError(`cannot resume the upload of ${objectUri(request.address)}: ${error.message}`, {
      cause: error,
      hint: `give the key it began with, or give it up with \`s3ep mp-upload abort ${id}\``,
    })
  }
}

/** @returns null if the upload is gone. */
export async function listParts(
  { context, request }: UploadJob,
  uploadId: string,
): Promise<ReadonlyMap<number, ListedPart> | null> {
  try {
    const listed = new Map<number, ListedPart>()
    const options = callOptions(context, request)
    for await (const part of context.store.listParts(request.address, uploadId, options)) {
      listed.set(part.partNumber, part)
    }
    return listed
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "upload") return null
    throw error
  }
}

/** Which parts need not be sent again: `done`, and of those the ones the journal had missed. */
export function reconcile(
  journal: LoadedJournal,
  listed: ReadonlyMap<number, ListedPart>,
  bytesOf: (partNumber: number) => number,
): { done: Map<number, PartLine>; adopted: PartLine[] } {
  const done = new Map<number, PartLine>()
  const adopted: PartLine[] = []
  for (const [partNumber, part] of listed) {
    const line = journal.parts.get(partNumber)
    if (line) {
      if (line.etag === part.etag && line.bytes === part.bytes) done.set(partNumber, line)
      continue
    }
    // UploadPart had succeeded, and we died before that was noted.
    const attempt = attemptOf(part, journal.attempts.get(partNumber) ?? [])
    if (!attempt || part.bytes !== bytesOf(partNumber)) continue
    const { salt, seal } = attempt
    const { bytes, etag, checksum } = part
    const found = { part: partNumber, salt, bytes, etag, checksum, seal }
    done.set(partNumber, found)
    adopted.push(found)
  }
  return { done, adopted }
}

/** Which attempt the store's part is, if that is certain. */
function attemptOf(
  { checksum, etag }: ListedPart,
  attempts: readonly AttemptLine[],
): AttemptLine | undefined {
  const [first, ...others] = attempts
  if (checksum?.kind === "crc32") {
    const same = attempts.filter(
      ({ crc32 }) => crc32 !== undefined && checksum.value === base64(u32be(crc32)),
    )
    if (same[0]) return same.length === 1 ? same[0] : undefined
    if (first?.crc32 !== undefined) return undefined
  }
  const named = attempts.filter(({ md5 }) => md5 !== undefined && md5 === etag.replaceAll('"', ""))
  if (named.length === 1) return named[0]
  // Without a checksum, the only one that is certain is the only one there was.
  return others.length === 0 && !first?.again && first?.crc32 === undefined ? first : undefined
}
