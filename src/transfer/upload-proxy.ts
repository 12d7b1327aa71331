import { concat } from "../bytes.ts"
import {
  checkProxyKey,
  PROXY_CTR_FROM_BYTES,
  type ProxyKey,
  ProxyObject,
} from "../compat/s3-encryption-proxy-writer.ts"
import { NotFoundError, PreconditionError, UnavailableError, UsageError } from "../errors.ts"
import type { ObjectSettings, StoredObject, StoreLimits } from "../store/store.ts"
import { abortable } from "./abortable.ts"
import type { TransferContext } from "./context.ts"
import { PartMemory } from "./part-memory.ts"
import { BUFFER_BUDGET_BYTES, DEFAULT_CONCURRENCY, DEFAULT_PART_BYTES } from "./plan.ts"
import { openSource, type Source } from "./source.ts"
import { Spool } from "./spool.ts"
import { checkConditions, conditionsToSend } from "./stored-object.ts"
import { callOptions, customerKeyOf, type UploadOptions, type UploadResult } from "./upload-request.ts"

const READ_BYTES = 1024 ** 2
const MIB = 1024 ** 2

interface Job {
  readonly context: TransferContext
  readonly request: UploadOptions
  readonly writer: ProxyKey
  readonly limits: StoreLimits
  readonly memory: PartMemory
  readonly item: string
}

/**
 * Store a file for S3 Encryption Proxy to read, in its strict mode too: small ones as aes-gcm, large ones as aes-ctr with
 * an HMAC, which takes a first pass over the file. An interrupted upload starts over: going on would encrypt whatever
 * the file holds by then under keystream that was used already, and the format has nothing to notice it with.
 *
 * @param memory - shared with other uploads that run at the same time.
 * @throws {PreconditionError} if a condition does not hold, or the file changed while it was read.
 * @throws {UsageError} if the proxy could not serve the key, or the service cannot keep what belongs beside the object.
 */
export async function uploadForProxy(
  context: TransferContext,
  request: UploadOptions & { readonly path: string },
  writer: ProxyKey,
  memory: PartMemory = new PartMemory(BUFFER_BUDGET_BYTES),
): Promise<UploadResult> {
  return await started(context, request, writer, memory, request.path, async (job) => {
    await using source = await openSource(request.path)
    const { bytes } = source
    const { signal, onProgress } = context
    onProgress({ type: "started", item: job.item, bytes, doneBytes: 0, parts: undefined })
    if (bytes < PROXY_CTR_FROM_BYTES) {
      const plaintext = new Uint8Array(bytes)
      await source.read(0, plaintext)
      await source.assertUnchanged()
      return await putWhole(job, plaintext)
    }
    using object = new ProxyObject(writer, context.random)
    const first = object.mac()
    for await (const piece of piecesOf(source)) {
      signal.throwIfAborted()
      first.update(piece)
    }
    const hmac = first.digest()
    const second = object.mac()
    const again = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const piece of piecesOf(source)) {
        second.update(piece)
        yield piece
      }
      // The last part is not sent before this: a file that changed leaves no object behind.
      await source.assertUnchanged()
      if (!second.matches(hmac)) throw new PreconditionError(`${source.path} changed while it was read`)
    }
    return await putParts(job, object, object.encrypt(again()), { bytes, hmac })
  })
}

/**
 * Store a stream for S3 Encryption Proxy to read. What is too large for one request is encrypted into a temporary file
 * first, since its HMAC has to be sent before it.
 */
export async function uploadStreamForProxy(
  context: TransferContext,
  request: UploadOptions & { readonly source: AsyncIterable<Uint8Array> },
  writer: ProxyKey,
): Promise<UploadResult> {
  const memory = new PartMemory(BUFFER_BUDGET_BYTES)
  return await started(context, request, writer, memory, "-", async (job) => {
    const source = abortable(request.source, context.signal)
    try {
      context.onProgress({
        type: "started",
        item: job.item,
        bytes: undefined,
        doneBytes: 0,
        parts: undefined,
      })
      const pieces: Uint8Array[] = []
      let bytes = 0
      let ended = false
      while (!ended && bytes < PROXY_CTR_FROM_BYTES) {
        const next = await source.next()
        if (next.done) {
          ended = true
        } else {
          pieces.push(next.value)
          bytes += next.value.length
        }
      }
      if (ended) return await putWhole(job, concat(...pieces))
      using object = new ProxyObject(writer, context.random)
      const mac = object.mac()
      const plaintext = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
          mac.update(piece)
          yield piece
        }
        for (let next = await source.next(); !next.done; next = await source.next()) {
          mac.update(next.value)
          bytes += next.value.length
          yield next.value
        }
      }
      await using spool = new Spool(context.random)
      for await (const _ of spool.keep(object.encrypt(plaintext()))) context.signal.throwIfAborted()
      return await putParts(job, object, spool.read(), { bytes, hmac: mac.digest() })
    } finally {
      await source.return?.()
    }
  })
}

async function started(
  context: TransferContext,
  request: UploadOptions,
  writer: ProxyKey,
  memory: PartMemory,
  name: string,
  work: (job: Job) => Promise<UploadResult>,
): Promise<UploadResult> {
  const { signal } = context
  const { address, requesterPays } = request
  try {
    signal.throwIfAborted()
    checkProxyKey(address.key)
    const limits = await context.store.limits(address.bucket, { signal, requesterPays })
    await checkConditions(context, request, limits.conditionalPut && limits.conditionalComplete)
    const item = request.item ?? name
    const result = await work({ context, request, writer, limits, memory, item })
    context.onProgress({ type: "finished", item })
    return result
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw error
  }
}

async function putWhole(job: Job, plaintext: Uint8Array): Promise<UploadResult> {
  const { context, request, limits, memory } = job
  const needed = 2 * plaintext.length
  await memory.reserve(needed, context.signal)
  try {
    using object = new ProxyObject(job.writer, context.random)
    const { body, metadata } = object.sealWhole(plaintext, request.address.key)
    const options = {
      ...callOptions(context, request),
      settings: settingsWith(job, metadata),
      conditions: conditionsToSend(context, request, limits.conditionalPut),
      checksum: request.checksum,
    }
    const stored = await settled(job, metadata, body.length, () =>
      context.store.put(request.address, body, options),
    )
    context.onProgress({ type: "advanced", item: job.item, bytes: plaintext.length })
    return resultOf(job, object, stored, { bytes: plaintext.length, storedBytes: body.length, parts: 1 })
  } finally {
    memory.release(needed)
  }
}

async function putParts(
  job: Job,
  object: ProxyObject,
  body: AsyncIterable<Uint8Array>,
  { bytes, hmac }: { readonly bytes: number; readonly hmac: Uint8Array },
): Promise<UploadResult> {
  const { context, request, limits, item, memory } = job
  const partBytes = partBytesFor(bytes, limits, request.partBytes)
  const fitting = Math.max(1, Math.floor(BUFFER_BUDGET_BYTES / partBytes))
  const concurrency = Math.min(request.concurrency ?? DEFAULT_CONCURRENCY, fitting)
  const needed = partBytes * concurrency
  await memory.reserve(needed, context.signal)
  try {
    const metadata = object.metadata(hmac)
    const options = {
      ...callOptions(context, request),
      settings: settingsWith(job, metadata),
      conditions: conditionsToSend(context, request, limits.conditionalComplete),
      checksum: request.checksum,
      partBytes,
      concurrency,
      onSent: (sent: number) => context.onProgress({ type: "advanced", item, bytes: sent }),
    }
    const stored = await settled(job, metadata, bytes, () =>
      context.store.putStream(request.address, body, options),
    )
    return resultOf(job, object, stored, { bytes, storedBytes: bytes, parts: Math.ceil(bytes / partBytes) })
  } finally {
    memory.release(needed)
  }
}

/** Send it, and where the answer was lost look whether it is there all the same. */
async function settled(
  { context, request }: Job,
  metadata: Readonly<Record<string, string>>,
  storedBytes: number,
  send: () => Promise<StoredObject>,
): Promise<StoredObject> {
  try {
    return await send()
  } catch (error) {
    if (!(error instanceof UnavailableError || error instanceof PreconditionError)) throw error
    const customerKey = customerKeyOf(request.settings)
    const info = await context.store
      .head(request.address, { ...callOptions(context, request), customerKey })
      .catch((failure: unknown) => {
        if (failure instanceof NotFoundError) return null
        throw error
      })
    // The wrapped DEK is nobody else's.
    const own = info && Object.entries(metadata).every(([name, value]) => info.metadata[name] === value)
    if (own && info.bytes === storedBytes) return { etag: info.etag, versionId: info.versionId }
    throw error
  }
}

function settingsWith({ request, limits, writer }: Job, metadata: Record<string, string>): ObjectSettings {
  const own = request.settings.metadata
  const taken = Object.keys(own).find((name) => name.startsWith(writer.prefix))
  if (taken !== undefined) {
    throw new UsageError(
      `metadata name ${taken} is reserved: the proxy keeps names that begin with ${writer.prefix}`,
    )
  }
  const all = { ...own, ...metadata }
  const largest = Math.max(...Object.values(all).map((value) => value.length))
  const bytes = Object.entries(all).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (bytes > limits.maxMetadataBytes || largest > limits.maxMetadataValueBytes) {
    throw new UsageError(
      `the object's metadata need ${bytes} bytes, ${largest} of them for one value, and the service takes ` +
        `${limits.maxMetadataBytes} and ${limits.maxMetadataValueBytes}`,
      { hint: "give less metadata of your own, or let the proxy write with an aes key" },
    )
  }
  return { ...request.settings, metadata: all }
}

function partBytesFor(
  bytes: number,
  { maxParts, maxPartBytes, maxObjectBytes }: StoreLimits,
  wished?: number,
): number {
  if (bytes > maxObjectBytes) {
    throw new UsageError(`${bytes} bytes are more than the service's ${maxObjectBytes} for one object`)
  }
  const needed = Math.ceil(bytes / maxParts)
  if (wished !== undefined && wished < needed) {
    throw new UsageError(`parts of ${wished} bytes are too small: the service takes ${maxParts} of them`)
  }
  return Math.min(maxPartBytes, wished ?? Math.max(DEFAULT_PART_BYTES, Math.ceil(needed / MIB) * MIB))
}

function resultOf(
  { request }: Job,
  { fingerprint }: ProxyObject,
  { etag, versionId }: StoredObject,
  sizes: Pick<UploadResult, "bytes" | "storedBytes" | "parts">,
): UploadResult {
  return { address: request.address, ...sizes, etag, versionId, resumedParts: 0, kek: [fingerprint] }
}

async function* piecesOf(source: Source): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < source.bytes; at += READ_BYTES) {
    const piece = new Uint8Array(Math.min(READ_BYTES, source.bytes - at))
    await source.read(at, piece)
    yield piece
  }
}
