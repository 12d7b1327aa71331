import {
  fullSegmentBytes,
  type Geometry,
  SALT_BYTES,
  SEAL_BYTES,
  segmentPlaintextBytes,
} from "../agcm/layout.ts"
import { computeSeal } from "../agcm/seal.ts"
import { sealedSegmentBytes, sealSegment } from "../agcm/segment.ts"
import { sealStream } from "../agcm/stream.ts"
import { concat } from "../bytes.ts"
import type { RandomSource } from "../crypto/secret.ts"
import { PreconditionError, UnavailableError, UsageError } from "../errors.ts"
import type { StoredObject, StoreLimits } from "../store/store.ts"
import { abortable } from "./abortable.ts"
import type { TransferContext } from "./context.ts"
import { type NewObject, newObject } from "./new-object.ts"
import {
  BUFFER_BUDGET_BYTES,
  chooseGeometry,
  DEFAULT_CONCURRENCY,
  MAX_BUFFERED_BYTES,
  planWithGeometry,
} from "./plan.ts"
import { checkConditions, conditionsToSend, findOwnObject } from "./stored-object.ts"
import { callOptions, type UploadOptions, type UploadResult } from "./upload-request.ts"
import { putSealed } from "./upload-whole.ts"

export interface StreamRequest extends UploadOptions {
  /** Read once. Its arrays are kept until they are sealed, so it may not reuse them. */
  readonly source: AsyncIterable<Uint8Array>
  /** Whether the arrays of `source` are in memory nobody else looks at, which is given back when they are sealed. */
  readonly ownMemory?: boolean | undefined
  /** About how much will come: the part size is chosen for it. */
  readonly expectedBytes?: number | undefined
  /** Kept as the original's name. */
  readonly name?: string | undefined
}

/**
 * Encrypt a stream and store it: with one request if it fits one segment, in parts otherwise. It cannot be read
 * twice, so that any failure leaves nothing behind and nothing to resume.
 *
 * @throws {UsageError} if it grows beyond what the service takes in parts of this size, before the limit is met;
 * whatever the source throws, unchanged; as `uploadFile` otherwise.
 */
export async function uploadStream(context: TransferContext, request: StreamRequest): Promise<UploadResult> {
  const { signal } = context
  try {
    signal.throwIfAborted()
    const { address, requesterPays, expectedBytes, name } = request
    const limits = await context.store.limits(address.bucket, { signal, requesterPays })
    const item = request.item ?? name ?? "-"
    await checkConditions(context, request, limits.conditionalPut && limits.conditionalComplete)
    context.onProgress({ type: "started", item, bytes: expectedBytes, doneBytes: 0, parts: undefined })
    using object = await newObject(context, request, limits, name === undefined ? {} : { name })
    const result = await storeStream(context, { ...request, item }, limits, object)
    context.onProgress({ type: "finished", item })
    return result
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw error
  }
}

// Without a length, the default part size has to do. The seal may need a part of its own.
function geometryFor(request: StreamRequest, limits: StoreLimits): Geometry {
  const { expectedBytes = 0 } = request
  const parts = { ...limits, maxParts: Math.max(1, limits.maxParts - 1) }
  return planWithGeometry(expectedBytes, chooseGeometry(expectedBytes, parts, request), parts, request).layout
}

/**
 * Encrypt a stream under a DEK and an envelope that are there already, and store it, as `uploadStream` does. The
 * envelope may be bound to another key than the object is stored under: to the one it will be copied to.
 */
export async function storeStream(
  context: TransferContext,
  request: StreamRequest & { readonly item: string },
  limits: StoreLimits,
  object: NewObject,
): Promise<UploadResult> {
  const geometry = geometryFor(request, limits)
  const most = sealedSegmentBytes(segmentPlaintextBytes(geometry), geometry) + SEAL_BYTES
  const wholeBytes =
    most > Math.min(limits.maxPutBytes, MAX_BUFFERED_BYTES) ? 0 : segmentPlaintextBytes(geometry)
  const source = abortable(request.source, context.signal)
  try {
    const { pieces, ended } = request.multipart
      ? { pieces: [], ended: false }
      : await readUpTo(source, wholeBytes)
    if (!ended) return await storeInParts(context, request, limits, geometry, object, resumed(pieces, source))
    const plaintext = concat(...pieces)
    const bytes = sealWhole(object, geometry, plaintext, context.random)
    const body = { bytes, plaintextBytes: plaintext.length, item: request.item }
    return await putSealed(context, request, limits, object, body)
  } finally {
    await source.return?.()
  }
}

async function storeInParts(
  context: TransferContext,
  request: StreamRequest & { readonly item: string },
  limits: StoreLimits,
  geometry: Geometry,
  object: NewObject,
  plaintext: AsyncIterable<Uint8Array>,
): Promise<UploadResult> {
  const partBytes = fullSegmentBytes(geometry)
  const fitting = Math.max(1, Math.floor(BUFFER_BUDGET_BYTES / partBytes))
  const meter = new StreamMeter(context, request.item, geometry)
  const drawSalt = () => context.random(SALT_BYTES)
  const sealed = sealStream(object.dek, geometry, meter.readFrom(plaintext), drawSalt, request.ownMemory)
  const stored = await put()
  meter.done()
  return {
    address: request.address,
    bytes: meter.plaintextBytes,
    storedBytes: meter.storedBytes,
    ...stored,
    parts: Math.ceil(meter.storedBytes / partBytes),
    resumedParts: 0,
    kek: object.envelope.recipients.map(({ kek }) => kek),
  }

  async function put(): Promise<StoredObject> {
    try {
      return await context.store.putStream(request.address, meter.limit(sealed, limits, partBytes), {
        ...callOptions(context, request),
        settings: object.settings,
        conditions: conditionsToSend(context, request, limits.conditionalComplete),
        checksum: request.checksum,
        partBytes,
        concurrency: Math.min(request.concurrency ?? DEFAULT_CONCURRENCY, fitting),
        ownMemory: true,
        onSent: meter.sent,
      })
    } catch (error) {
      const ambiguous = error instanceof UnavailableError || error instanceof PreconditionError
      if (!ambiguous || !meter.ended) throw error
      const { storedBytes } = meter
      // All of it was sent: perhaps only the answer was lost.
      const own = await findOwnObject(context, request, { envelope: object.envelope, storedBytes }).catch(
        () => null,
      )
      if (own) return own
      throw error
    }
  }
}

/** Counts what passes, and stops a stream before it is more than the service takes. */
class StreamMeter {
  plaintextBytes = 0
  storedBytes = 0
  ended = false
  readonly #context: TransferContext
  readonly #item: string
  readonly #plaintextShare: number
  #sentBytes = 0
  #toldBytes = 0

  constructor(context: TransferContext, item: string, geometry: Geometry) {
    this.#context = context
    this.#item = item
    this.#plaintextShare = segmentPlaintextBytes(geometry) / fullSegmentBytes(geometry)
  }

  async *readFrom(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of source) {
      this.plaintextBytes += piece.length
      yield piece
    }
  }

  async *limit(
    sealed: AsyncIterable<Uint8Array>,
    { maxParts, maxObjectBytes }: StoreLimits,
    partBytes: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const capacity = Math.min(maxParts * partBytes, maxObjectBytes)
    for await (const piece of sealed) {
      this.storedBytes += piece.length
      if (this.storedBytes > capacity) {
        throw new UsageError(
          `the stream is longer than the service takes in ${maxParts} parts of ${partBytes} bytes: nothing of it was kept`,
          { hint: "say with --expected-size about how many bytes will come, or choose a larger --part-size" },
        )
      }
      yield piece
    }
    this.ended = true
  }

  /** @param bytes - stored bytes since the last call. */
  readonly sent = (bytes: number): void => {
    this.#sentBytes += bytes
    this.#tell(Math.min(this.plaintextBytes, Math.floor(this.#sentBytes * this.#plaintextShare)))
  }

  done(): void {
    this.#tell(this.plaintextBytes)
  }

  #tell(bytes: number): void {
    if (bytes === this.#toldBytes) return
    this.#context.onProgress({ type: "advanced", item: this.#item, bytes: bytes - this.#toldBytes })
    this.#toldBytes = bytes
  }
}

/** Read until more than `bytes` have come, or the end. */
async function readUpTo(
  source: AsyncIterator<Uint8Array>,
  bytes: number,
): Promise<{ pieces: Uint8Array[]; ended: boolean }> {
  const pieces: Uint8Array[] = []
  for (let read = 0; read <= bytes; ) {
    const next = await source.next()
    if (next.done) return { pieces, ended: true }
    pieces.push(next.value)
    read += next.value.length
  }
  return { pieces, ended: false }
}

async function* resumed(
  pieces: Uint8Array[],
  source: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) yield piece
  for (let next = await source.next(); !next.done; next = await source.next()) yield next.value
}

function sealWhole(
  { dek }: NewObject,
  geometry: Geometry,
  plaintext: Uint8Array,
  random: RandomSource,
): Uint8Array {
  const salt = random(SALT_BYTES)
  const segmentBytes = sealedSegmentBytes(plaintext.length, geometry)
  const bytes = new Uint8Array(segmentBytes + SEAL_BYTES)
  sealSegment(dek, geometry, { index: 0, salt, plaintext, final: true }, bytes.subarray(0, segmentBytes))
  bytes.set(computeSeal(dek, plaintext.length, [salt]), segmentBytes)
  return bytes
}
