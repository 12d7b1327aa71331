import {
  DEFAULT_CHUNK_BYTES,
  fullSegmentBytes,
  type Geometry,
  HEADER_BYTES,
  type Layout,
  layoutOfPlaintext,
  MAX_CHUNK_BYTES,
  MAX_CHUNKS_PER_SEGMENT,
  MIN_CHUNK_BYTES,
  SEAL_BYTES,
  segmentPlaintextBytes,
} from "../agcm/layout.ts"
import { TAG_BYTES } from "../crypto/aead.ts"
import { UsageError } from "../errors.ts"
import type { StoreLimits } from "../store/store.ts"

const MIB = 1024 * 1024
/** Of a stream; and a file that is no longer goes up in one request. */
export const DEFAULT_PART_BYTES = 16 * MIB
export const DEFAULT_CONCURRENCY = 7
/** A part with more stored bytes than this is sealed as the socket pulls it instead of being held whole. */
export const MAX_BUFFERED_BYTES = 36 * MIB
/** What part buffers may take together: a process with that many stays under 256 MiB. */
export const BUFFER_BUDGET_BYTES = 56 * MIB

/** What the user asked for; what is missing is chosen from the size. */
export interface PlanWishes {
  /** Plaintext bytes of a full part. */
  readonly partBytes?: number | undefined
  readonly chunkBytes?: number | undefined
  /** Parts in flight. */
  readonly concurrency?: number | undefined
  /** Forces a multipart upload where one request would do. */
  readonly multipart?: boolean | undefined
}

/** How an object will be cut and sent. One segment is one part. */
export interface UploadPlan {
  readonly layout: Layout
  /** Otherwise one PutObject carries it. */
  readonly multipart: boolean
  /** Whether parts are streamed, being too large to hold. */
  readonly streamed: boolean
  /** Parts in flight, lowered to what fits the buffer budget. */
  readonly concurrency: number
}

/**
 * Plan the upload of a file from its size: the wished part size, or one that keeps as many requests under way as may be,
 * growing to whole MiB so that the parts stay within the service's number.
 *
 * @throws {UsageError} if it cannot be done: chunk or part size out of range, a wished part size that needs more
 * parts than the service takes, an object larger than it stores.
 */
export function planUpload(plaintextBytes: number, limits: StoreLimits, wishes: PlanWishes): UploadPlan {
  const geometry = chooseGeometry(plaintextBytes, limits, wishes)
  const cut =
    wishes.partBytes === undefined
      ? spread(plaintextBytes, geometry, limits, concurrencyOf(wishes))
      : geometry
  return planWithGeometry(plaintextBytes, cut, limits, wishes)
}

/** Plan the rest of an upload whose cut was decided by an earlier run. */
export function planWithGeometry(
  plaintextBytes: number,
  geometry: Geometry,
  limits: StoreLimits,
  wishes: PlanWishes,
): UploadPlan {
  const layout = layoutOfPlaintext(plaintextBytes, geometry)
  if (layout.ciphertextBytes > limits.maxObjectBytes) {
    throw new UsageError(
      `${plaintextBytes} bytes would be stored as ${layout.ciphertextBytes}, more than the service's ${limits.maxObjectBytes} for one object`,
    )
  }
  const concurrency = concurrencyOf(wishes)
  const largestPart = Math.min(fullSegmentBytes(geometry) + SEAL_BYTES, layout.ciphertextBytes)
  const streamed = largestPart > MAX_BUFFERED_BYTES
  const fitting = Math.max(1, Math.floor(BUFFER_BUDGET_BYTES / (streamed ? 4 * MIB : largestPart)))
  const single = layout.segments === 1 && layout.ciphertextBytes <= limits.maxPutBytes && !streamed
  return {
    layout,
    multipart: wishes.multipart === true || !single,
    streamed,
    concurrency: Math.min(concurrency, fitting),
  }
}

/** The cut for a stream of that size, of the wished (or default) part size; see `planUpload`. */
export function chooseGeometry(plaintextBytes: number, limits: StoreLimits, wishes: PlanWishes): Geometry {
  const chunkBytes = checkChunkBytes(wishes.chunkBytes ?? DEFAULT_CHUNK_BYTES)
  const mostChunks = Math.min(
    MAX_CHUNKS_PER_SEGMENT,
    Math.floor((limits.maxPartBytes - HEADER_BYTES - SEAL_BYTES) / (chunkBytes + TAG_BYTES)),
  )
  if (mostChunks < 1) throw new UsageError(`a chunk of ${chunkBytes} bytes is more than one part may hold`)
  const neededChunks = Math.ceil(Math.ceil(plaintextBytes / chunkBytes) / limits.maxParts)
  if (neededChunks > mostChunks) {
    throw new UsageError(
      `${plaintextBytes} bytes are more than ${limits.maxParts} parts of ${mostChunks * chunkBytes} bytes can hold`,
    )
  }
  const enough = Math.min(mostChunks, chunksIn(wholeMib(neededChunks * chunkBytes), chunkBytes))
  if (wishes.partBytes === undefined) {
    const usual = Math.min(mostChunks, chunksIn(DEFAULT_PART_BYTES, chunkBytes))
    return { chunkBytes, chunksPerSegment: neededChunks > usual ? enough : usual }
  }
  const chunksPerSegment = chunksIn(checkPartBytes(wishes.partBytes, limits), chunkBytes)
  if (chunksPerSegment > mostChunks) {
    throw new UsageError(
      `parts of ${wishes.partBytes} bytes are more than the service takes once they are sealed`,
      { hint: `the largest part size here is --part-size ${mostChunks * chunkBytes}` },
    )
  }
  if (neededChunks > chunksPerSegment) {
    const parts = Math.ceil(plaintextBytes / (chunksPerSegment * chunkBytes))
    throw new UsageError(
      `${plaintextBytes} bytes in parts of ${wishes.partBytes} make ${parts} parts, and the service takes ${limits.maxParts}`,
      { hint: `--part-size ${suggestion(enough * chunkBytes)} would do, or leave it out` },
    )
  }
  return { chunkBytes, chunksPerSegment }
}

/**
 * The cut of a file for which one request is not enough: as many equal parts as can be held at once, or a multiple of
 * that, so that no connection is idle; and little for the last part, which waits for all the others.
 *
 * @param usual - the default cut, which remains where there is nothing to share, or too much.
 */
function spread(
  plaintextBytes: number,
  usual: Geometry,
  { minPartBytes, maxParts }: StoreLimits,
  concurrency: number,
): Geometry {
  const { chunkBytes, chunksPerSegment } = usual
  const chunks = Math.ceil(plaintextBytes / chunkBytes)
  if (chunks <= chunksPerSegment) return usual
  const fewest = Math.ceil(minPartBytes / chunkBytes)
  const held = Math.floor(
    (BUFFER_BUDGET_BYTES / concurrency - HEADER_BYTES - SEAL_BYTES) / (chunkBytes + TAG_BYTES),
  )
  const most = Math.max(fewest, Math.min(held, chunksPerSegment))
  const shared = chunks - 1 // one at least is left for the last part
  const rounds = Math.ceil(shared / (most * concurrency))
  const parts = Math.min(rounds * concurrency, Math.floor(shared / fewest))
  const needed = Math.ceil(chunks / maxParts)
  if (parts < 2 || needed > most) return usual
  return { chunkBytes, chunksPerSegment: Math.max(Math.floor(shared / parts), needed) }
}

/** Whether a request's explicit wishes ask for another cut than an earlier run's. */
export function contradicts(wishes: PlanWishes, geometry: Geometry): boolean {
  const { chunkBytes, partBytes } = wishes
  if (chunkBytes !== undefined && chunkBytes !== geometry.chunkBytes) return true
  return partBytes !== undefined && chunksIn(partBytes, geometry.chunkBytes) !== geometry.chunksPerSegment
}

/** Plaintext bytes of a full part of this plan. */
export function partPlaintextBytes(plan: UploadPlan): number {
  return segmentPlaintextBytes(plan.layout)
}

function concurrencyOf({ concurrency = DEFAULT_CONCURRENCY }: PlanWishes): number {
  if (Number.isInteger(concurrency) && concurrency >= 1) return concurrency
  throw new UsageError(`concurrency of ${concurrency}: at least one part must be in flight`)
}

function checkChunkBytes(chunkBytes: number): number {
  const possible =
    Number.isInteger(Math.log2(chunkBytes)) && chunkBytes >= MIN_CHUNK_BYTES && chunkBytes <= MAX_CHUNK_BYTES
  if (possible) return chunkBytes
  throw new UsageError(`chunks of ${chunkBytes} bytes: must be a power of two from 4 KiB to 16 MiB`)
}

function checkPartBytes(partBytes: number, limits: StoreLimits): number {
  if (Number.isSafeInteger(partBytes) && partBytes >= limits.minPartBytes) return partBytes
  throw new UsageError(`parts of ${partBytes} bytes: the service takes no fewer than ${limits.minPartBytes}`)
}

function chunksIn(bytes: number, chunkBytes: number): number {
  return Math.max(1, Math.ceil(bytes / chunkBytes))
}

function wholeMib(bytes: number): number {
  return Math.ceil(bytes / MIB) * MIB
}

function suggestion(bytes: number): string {
  return bytes % MIB === 0 ? `${bytes / MIB}MiB` : String(bytes)
}
