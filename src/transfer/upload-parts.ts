import { getHashes, hash } from "node:crypto"
import { crc32 } from "node:zlib"
import { placeOfSegment, SALT_BYTES } from "../agcm/layout.ts"
import { computeSeal } from "../agcm/seal.ts"
import { fromHex, hex } from "../bytes.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import type { Envelope } from "../envelope/envelope.ts"
import { UnavailableError } from "../errors.ts"
import type { PartBody, UploadedPart } from "../store/store.ts"
import { forEachConcurrent } from "./concurrent.ts"
import type { Journal } from "./journal.ts"
import type { PartLine } from "./journal-lines.ts"
import { PartProgress } from "./part-progress.ts"
import { patience } from "./patience.ts"
import type { UploadPlan } from "./plan.ts"
import { type PartAttempt, partBytes, sealPartInto, sealPartStream } from "./seal-part.ts"
import { customerKeyOf, type UploadJob } from "./upload-request.ts"

/** What a part that is streamed holds at once: a piece of plaintext, its ciphertext, and what the socket has. */
const STREAMED_PART_BYTES = 4 * 1024 * 1024

/** An unfinished multipart upload that is being worked on. */
export interface UploadSession {
  readonly uploadId: string
  /** When the request that made it was sent, in milliseconds since 1970. */
  readonly sentAt: number
  readonly envelope: Envelope
  /** Owned by the session. */
  readonly dek: SecretBytes
  readonly plan: UploadPlan
  readonly journal: Journal
  /** Parts the store has, by number. */
  readonly done: Map<number, PartLine>
  /** Parts somebody has tried to send. */
  readonly attempted: Set<number>
}

/**
 * Forget the last part of an earlier run if a part was, or has to be, sent again since: that has another salt, and
 * the seal in the last part would not name it.
 */
export function forgetStaleSeal(session: UploadSession): void {
  const { plan, done } = session
  const last = plan.layout.segments
  const kept = done.get(last)
  if (!kept) return
  const whole = done.size === last
  if (!whole || kept.seal !== hex(sealOf(session, saltOf(kept)))) done.delete(last)
}

/**
 * Send the parts that are missing; the last one after all others, since the seal in it names their salts.
 *
 * @returns all parts, by number.
 */
export async function sendParts(job: UploadJob, session: UploadSession): Promise<UploadedPart[]> {
  const { context } = job
  const { plan, done } = session
  const last = plan.layout.segments
  const others = (function* () {
    for (let partNumber = 1; partNumber < last; partNumber++) if (!done.has(partNumber)) yield partNumber
  })()
  await forEachConcurrent(others, plan.concurrency, (part, signal) => sendPart(job, session, part, signal), {
    signal: context.signal,
  })
  if (!done.has(last)) await sendPart(job, session, last, context.signal)
  return Array.from({ length: last }, (_, index) => {
    const { part, etag, bytes, checksum } = lineOf(session, index + 1)
    return { partNumber: part, etag, bytes, checksum }
  })
}

async function sendPart(
  job: UploadJob,
  session: UploadSession,
  partNumber: number,
  signal: AbortSignal,
): Promise<void> {
  const line = session.plan.streamed
    ? await streamPart(job, session, partNumber, signal)
    : await sendBuffered(job, session, partNumber, signal)
  await session.journal.part(line)
  session.done.set(partNumber, line)
  job.context.onProgress({ type: "part", item: job.item, partNumber })
}

async function sendBuffered(
  job: UploadJob,
  session: UploadSession,
  partNumber: number,
  signal: AbortSignal,
): Promise<PartLine> {
  const buffer = await job.memory.take(partBytes(session.plan.layout, partNumber - 1), signal)
  let idle = true
  try {
    const attempt = newAttempt(job, session, partNumber)
    await sealPartInto(attempt, job.source, buffer.bytes, job.memory, signal)
    await noteAttempt(session, attempt, buffer.bytes)
    idle = false
    const line = await deliver(job, session, attempt, buffer.bytes, signal)
    idle = true
    return line
  } finally {
    if (idle) buffer.recycle()
    else buffer.abandon()
  }
}

// The store cannot start a stream again. We can, under another salt: the file may have changed since.
async function streamPart(
  job: UploadJob,
  session: UploadSession,
  partNumber: number,
  signal: AbortSignal,
): Promise<PartLine> {
  await job.memory.reserve(STREAMED_PART_BYTES, signal)
  try {
    const failures = patience(job.context, `upload part ${partNumber} of ${job.item}`, signal)
    for (;;) {
      const attempt = newAttempt(job, session, partNumber)
      const sealed = watched(sealPartStream(attempt, job.source, job.memory, signal))
      const body = { bytes: partBytes(session.plan.layout, partNumber - 1), stream: sealed.stream }
      await noteAttempt(session, attempt)
      try {
        return await deliver(job, session, attempt, body, signal)
      } catch (error) {
        if (sealed.failure) throw sealed.failure.error
        if (!(error instanceof UnavailableError)) throw error
        await failures.wait(error)
      }
    }
  } finally {
    job.memory.release(STREAMED_PART_BYTES)
  }
}

async function deliver(
  job: UploadJob,
  { plan, uploadId }: UploadSession,
  attempt: PartAttempt,
  body: PartBody,
  signal: AbortSignal,
): Promise<PartLine> {
  const { context, request } = job
  const partNumber = attempt.segmentIndex + 1
  const bytes = partBytes(plan.layout, attempt.segmentIndex)
  const { plaintextBytes } = placeOfSegment(plan.layout, attempt.segmentIndex)
  const progress = new PartProgress(context.onProgress, job.item, { plaintextBytes, storedBytes: bytes })
  try {
    const { etag, checksum } = await context.store.uploadPart(request.address, uploadId, partNumber, body, {
      checksum: request.checksum,
      customerKey: customerKeyOf(request.settings),
      requesterPays: request.requesterPays,
      onSent: progress.sent,
      signal,
    })
    progress.done()
    return { part: partNumber, salt: hex(attempt.salt), bytes, etag, checksum, seal: sealText(attempt) }
  } catch (error) {
    progress.undone()
    throw error
  }
}

function newAttempt(job: UploadJob, session: UploadSession, partNumber: number): PartAttempt {
  const { layout } = session.plan
  const salt = job.context.random(SALT_BYTES)
  const seal = partNumber === layout.segments ? sealOf(session, salt) : undefined
  return { dek: session.dek, layout, segmentIndex: partNumber - 1, salt, seal }
}

// Written ahead: a part the store has can be that of any attempt that was ever sent, and the seal has to name its salt.
// A part's only attempt needs no checksum to be told from others; it would cost half as much as sealing.
async function noteAttempt(
  { attempted, journal }: UploadSession,
  { segmentIndex, salt, seal }: PartAttempt,
  bytes?: Uint8Array,
): Promise<void> {
  const partNumber = segmentIndex + 1
  const again = attempted.has(partNumber) || undefined
  attempted.add(partNumber)
  const digests = again && bytes ? { crc32: crc32(bytes), md5: md5Of(bytes) } : {}
  await journal.attempt({ attempt: partNumber, again, salt: hex(salt), ...digests, seal: seal && hex(seal) })
}

// It tells attempts of ours apart, and protects nothing; where the platform has none, the part is sent again.
function md5Of(bytes: Uint8Array): string | undefined {
  return getHashes().includes("md5") ? hash("md5", bytes) : undefined
}

function sealOf(session: UploadSession, lastSalt: Uint8Array): Uint8Array<ArrayBuffer> {
  const { layout } = session.plan
  const salts = Array.from({ length: layout.segments }, (_, segmentIndex) =>
    segmentIndex === layout.segments - 1 ? lastSalt : saltOf(lineOf(session, segmentIndex + 1)),
  )
  return computeSeal(session.dek, layout.plaintextBytes, salts)
}

function saltOf({ salt }: PartLine): Uint8Array<ArrayBuffer> {
  const bytes = fromHex(salt)
  if (!bytes) throw new RangeError("a salt that is not hexadecimal")
  return bytes
}

function lineOf({ done }: UploadSession, partNumber: number): PartLine {
  const line = done.get(partNumber)
  if (!line) throw new RangeError(`part ${partNumber} was not sent`)
  return line
}

function sealText({ seal }: PartAttempt): string | undefined {
  return seal && hex(seal)
}

/** A stream that remembers what it threw: a store may wrap it in an error of its own. */
function watched(source: AsyncIterable<Uint8Array>): {
  stream: AsyncIterable<Uint8Array>
  readonly failure: { error: unknown } | undefined
} {
  let failure: { error: unknown } | undefined
  async function* stream(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* source
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  return {
    stream: stream(),
    get failure() {
      return failure
    },
  }
}
