import { NotFoundError, S3epError, UnavailableError } from "../errors.ts"
import type { CallOptions, ListedUpload, ObjectAddress, ObjectStore } from "./store.ts"

/** How far the service's clock and a request's way there may shift what was sent at one time. */
const SLACK_MS = 60_000

/** An upload that is being worked on, and when the request that made it was sent. */
export interface OwnUpload {
  readonly uploadId: string
  /** Milliseconds since 1970, by the clock that `unanswered` goes by. */
  readonly sentAt: number
}

/**
 * Whether a request to create an upload that failed like this may have made one all the same: who asks for patience
 * may be something on the way that did not wait for the service.
 */
export function mayHaveActed(error: unknown): boolean {
  if (error instanceof UnavailableError) return error.transient !== "credentials"
  return !(error instanceof S3epError)
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
 * @param own - the upload that was answered; the service still has it, to compare with.
 * @param unanswered - when the others were sent, in milliseconds since 1970.
 */
export async function abortStrays(
  store: ObjectStore,
  address: ObjectAddress,
  own: OwnUpload,
  unanswered: readonly number[],
  options: CallOptions,
): Promise<void> {
  const listed = await uploadsOf(store, address, options)
  const reference = listed.find(({ uploadId }) => uploadId === own.uploadId)
  const ownBegin = reference?.initiated?.getTime()
  if (!reference || ownBegin === undefined) return
  const suspects: string[] = []
  for (const { uploadId, initiated, initiator } of listed) {
    const begin = initiated?.getTime()
    if (uploadId === own.uploadId || begin === undefined || begin > ownBegin) continue
    if (initiator !== reference.initiator) continue
    const isTimely = unanswered.some(
      (sentAt) => Math.abs(ownBegin - begin - (own.sentAt - sentAt)) <= SLACK_MS,
    )
    if (isTimely && (await isWithoutParts(store, address, uploadId, options))) suspects.push(uploadId)
  }
  if (suspects.length > unanswered.length) return
  for (const uploadId of suspects) {
    await store.abortUpload(address, uploadId, options).catch(unlessGone)
  }
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
  address: ObjectAddress,
  uploadId: string,
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
