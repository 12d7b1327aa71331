import { NotFoundError, S3epError, UnavailableError } from "../errors.ts"
import type { CallOptions, ListedUpload, ObjectAddress, ObjectStore } from "./store.ts"

/** How far the service's clock and a request's way there may shift what was sent at one time. */
const SLACK_MS = 60_000
/** After which a request has made its upload or never will, and that has stood for as long without a part. */
const SETTLED_MS = 2 * SLACK_MS

/** An upload that is being worked on, and when the request that made it was sent. */
export interface OwnUpload {
  readonly uploadId: string
  /** Milliseconds since 1970, by the clock that `unanswered` goes by. */
  readonly sentAt: number
}

/** What uploads are compared with: one of our own, as the service listed it while it was there. */
export interface Reference {
  /** When the request that made it was sent, by our clock. */
  readonly sentAt: number
  /** When it was begun, by the service's. Both in milliseconds since 1970. */
  readonly begun: number
  readonly initiator: string | undefined
}

/** What is known after a look. */
export interface Look {
  /** Null if nothing can be told, now or later. */
  readonly reference: Reference | null
  /** The requests whose uploads did not turn up. */
  readonly missing: readonly number[]
}

/**
 * Whether a request to create an upload that failed like this may have made one all the same: who asks for patience
 * may be something on the way that did not wait for the service.
 */
export function mayHaveActed(error: unknown): boolean {
  if (error instanceof UnavailableError) return error.transient !== "credentials"
  return !(error instanceof S3epError)
}

/** Whether a look at this time sees all that a request sent at that one can have left. */
export function isSettled(sentAt: number, now: number): boolean {
  return Math.abs(now - sentAt) >= SETTLED_MS
}

/**
 * Abort the uploads that requests without an answer have made, whose ids nobody ever learned.
 *
 * S3 keeps nothing with an upload that would say who made it, so only what fits in every respect is taken for ours:
 * it is of this very key and by the initiator of our own upload; it was begun within a minute of when one of our
 * requests was sent, by the service's clock, and no later than our own upload, which followed; nobody has sent a
 * part of it in all the time since; and there are no more such uploads than requests without an answer. Where one
 * of somebody else may be among them, all are left alone.
 *
 * A request may be carried out after those that followed it. What it makes is begun later than our own upload, as is
 * what somebody else has begun right now, and has no part of either: it is taken for ours once it has stood so for a
 * minute, which takes another look.
 *
 * @param own - the upload that was answered; the service still has it, to compare with.
 * @param unanswered - when the others were sent, in milliseconds since 1970.
 * @param now - by the same clock; what was begun later than `own` is left alone if not given.
 */
export async function abortStrays(
  store: ObjectStore,
  address: ObjectAddress,
  own: OwnUpload,
  unanswered: readonly number[],
  options: CallOptions,
  now: number = own.sentAt,
): Promise<Look> {
  const listed = await uploadsOf(store, address, options)
  const found = listed.find(({ uploadId }) => uploadId === own.uploadId)
  const begun = found?.initiated?.getTime()
  if (!found || begun === undefined) return { reference: null, missing: unanswered }
  const reference = { sentAt: own.sentAt, begun, initiator: found.initiator }
  const others = listed.filter((upload) => upload !== found)
  return { reference, missing: await abortOurs(store, others, reference, unanswered, now, options) }
}

/**
 * The same when our own upload is gone, by what was known of it. No upload of this key may be under way here.
 *
 * @returns the requests whose uploads did not turn up.
 */
export async function abortLateStrays(
  store: ObjectStore,
  address: ObjectAddress,
  reference: Reference,
  unanswered: readonly number[],
  options: CallOptions,
  now: number,
): Promise<readonly number[]> {
  const listed = await uploadsOf(store, address, options)
  return abortOurs(store, listed, reference, unanswered, now, options)
}

async function abortOurs(
  store: ObjectStore,
  listed: readonly ListedUpload[],
  reference: Reference,
  unanswered: readonly number[],
  now: number,
  options: CallOptions,
): Promise<readonly number[]> {
  const ahead = reference.begun - reference.sentAt
  const suspects: { readonly upload: ListedUpload; readonly sentAbout: number }[] = []
  for (const upload of listed) {
    if (upload.initiated === undefined || upload.initiator !== reference.initiator) continue
    const begun = upload.initiated.getTime()
    if (begun > reference.begun && now + ahead - begun < SLACK_MS) continue
    const sentAbout = begun - ahead
    const isTimely = unanswered.some((sentAt) => Math.abs(sentAt - sentAbout) <= SLACK_MS)
    if (isTimely && (await isWithoutParts(store, upload, options))) suspects.push({ upload, sentAbout })
  }
  if (suspects.length > unanswered.length) return unanswered
  let missing = unanswered
  for (const { upload, sentAbout } of suspects) {
    await store.abortUpload(upload.address, upload.uploadId, options).catch(unlessGone)
    const byNearness = missing.toSorted((a, b) => Math.abs(a - sentAbout) - Math.abs(b - sentAbout))
    missing = missing.filter((sentAt) => sentAt !== byNearness[0])
  }
  return missing
}

async function uploadsOf(
  store: ObjectStore,
  { bucket, key }: ObjectAddress,
  options: CallOptions,
): Promise<ListedUpload[]> {
  const found: ListedUpload[] = []
  for await (const upload of store.listUploads(bucket, { ...options, prefix: key })) {
    if (upload.address.key === key) found.push(upload)
  }
  return found
}

async function isWithoutParts(
  store: ObjectStore,
  { address, uploadId }: ListedUpload,
  options: CallOptions,
): Promise<boolean> {
  try {
    for await (const _ of store.listParts(address, uploadId, options)) return false
    return true
  } catch (error) {
    unlessGone(error)
    return false
  }
}

function unlessGone(error: unknown): void {
  if (!(error instanceof NotFoundError && error.what === "upload")) throw error
}
