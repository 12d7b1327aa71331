import { Readable } from "node:stream"
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3"
import { Upload } from "@aws-sdk/lib-storage"
import { NotFoundError, S3epError, UnavailableError, UsageError } from "../errors.ts"
import type { ObjectAddress, ObjectStore, PutStreamOptions, StoredObject, UploadedPart } from "./store.ts"
import { abortStrays, mayHaveActed } from "./strays.ts"
import { StreamMemory } from "./stream-memory.ts"

/**
 * Write a stream of unknown length. lib-storage cuts it and keeps the parts in flight; the requests it makes are
 * carried out by `store`, which knows about checksums, conditions, dialects and retries.
 */
export async function putStream(
  store: ObjectStore,
  address: ObjectAddress,
  body: AsyncIterable<Uint8Array>,
  options: PutStreamOptions,
  now: () => number,
): Promise<StoredObject> {
  const { maxParts } = await store.limits(address.bucket, options)
  const requests = new Requests(store, address, options, now)
  const source = Readable.from(requests.accept(bounded(body, maxParts * options.partBytes, address)), {
    objectMode: false,
  })
  source.once("error", (error) => requests.fail(error))
  const client = requests.client()
  const upload = new Upload({
    client,
    params: { Bucket: address.bucket, Key: address.key, Body: source },
    partSize: options.partBytes,
    queueSize: options.concurrency,
    leavePartsOnError: true,
  })
  // The first failure stops the rest at once: left alone, the others would read the stream to its end.
  const stop = () => {
    source.destroy()
    void upload.abort()
  }
  requests.signal.addEventListener("abort", stop, { once: true })
  if (requests.signal.aborted) stop()
  try {
    await upload.done()
    return requests.stored()
  } catch (error) {
    const first = requests.signal.aborted ? requests.signal.reason : error
    requests.fail(first)
    await requests.undo()
    throw first
  } finally {
    requests.signal.removeEventListener("abort", stop)
    source.destroy()
    client.destroy()
  }
}

async function* bounded(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  address: ObjectAddress,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const slice of body) {
    bytes += slice.length
    if (bytes > maxBytes) {
      const message = `cannot write s3://${address.bucket}/${address.key}: the stream outgrew its ${maxBytes} bytes of parts`
      throw new UsageError(message, {
        hint: "give --expected-size, or a larger --part-size, to make the parts larger",
      })
    }
    if (slice.length > 0) yield slice
  }
}

/** Carries out what lib-storage asks for, and knows what is under way. */
class Requests {
  readonly signal: AbortSignal
  readonly #store: ObjectStore
  readonly #address: ObjectAddress
  readonly #options: PutStreamOptions
  readonly #now: () => number
  readonly #failure = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  readonly #parts = new Map<number, UploadedPart>()
  readonly #memory: StreamMemory | undefined
  #uploadId: string | undefined
  /** When the request that made it was sent, and those before it that were not answered. */
  #sentAt = 0
  readonly #unanswered: number[] = []
  #stored: StoredObject | undefined

  constructor(store: ObjectStore, address: ObjectAddress, options: PutStreamOptions, now: () => number) {
    this.#now = now
    this.#store = store
    this.#address = address
    this.#options = options
    this.#memory = options.ownMemory ? new StreamMemory(options.partBytes) : undefined
    this.signal = AbortSignal.any([this.#failure.signal, ...(options.signal ? [options.signal] : [])])
  }

  fail(reason: unknown): void {
    this.#failure.abort(reason)
  }

  stored(): StoredObject {
    if (!this.#stored) throw new Error("lib-storage ended without writing the object")
    return this.#stored
  }

  /** What lib-storage is given to cut, on record. */
  async *accept(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const slice of body) {
      this.#memory?.give(slice)
      yield slice
    }
  }

  /** A client that reaches no network: its requests end here. */
  client(): S3Client {
    const credentials = { accessKeyId: "unused", secretAccessKey: "unused" }
    const client = new S3Client({
      region: "unused",
      endpoint: "https://unused.invalid",
      forcePathStyle: true,
      requestChecksumCalculation: "WHEN_REQUIRED",
      credentials,
    })
    client.middlewareStack.add(
      (_next, context) => async (args) => {
        const running = this.#carryOut(context["commandName"], args.input)
        this.#running.add(running)
        try {
          return { response: undefined, output: { $metadata: {}, ...(await running) } }
        } catch (error) {
          this.fail(error)
          throw error
        } finally {
          this.#running.delete(running)
        }
      },
      { step: "initialize", priority: "high", name: "carryOut" },
    )
    return client
  }

  /** Leaves nothing behind of an upload that failed. */
  async undo(): Promise<void> {
    await Promise.allSettled(this.#running)
    if (this.#uploadId === undefined || this.#stored) return
    // The caller's signal may be what ended the upload; cleaning up must not end with it.
    await this.#store.abortUpload(this.#address, this.#uploadId, this.#unsignalled()).catch(() => undefined)
  }

  async #carryOut(command: unknown, input: object): Promise<object> {
    const { signal } = this
    const { settings, checksum, conditions } = this.#options
    const customerKey = settings.encryption?.kind === "sse-c" ? settings.encryption.key : undefined
    const call = { ...this.#unsignalled(), signal, checksum }
    switch (command) {
      case PutObjectCommand.name: {
        const body = bodyOf(input)
        this.#stored = await this.#store.put(this.#address, body, { ...call, settings, conditions })
        this.#options.onSent?.(body.length)
        return {}
      }
      case CreateMultipartUploadCommand.name:
        // Not to be cut short: an upload whose id was not learned could not be aborted.
        signal.throwIfAborted()
        this.#sentAt = this.#now()
        this.#uploadId = await this.#store.createUpload(this.#address, {
          ...call,
          settings,
          signal: undefined,
          onRepeat: async (failure) => {
            if (mayHaveActed(failure)) this.#unanswered.push(this.#sentAt)
            this.#sentAt = this.#now()
          },
        })
        return { UploadId: this.#uploadId }
      case UploadPartCommand.name: {
        const { onSent } = this.#options
        const partNumber = Number(Reflect.get(input, "PartNumber"))
        const options = { ...call, customerKey, onSent }
        const uploadId = this.#uploadId ?? ""
        const body = bodyOf(input)
        this.#memory?.begin(partNumber, body)
        const part = await this.#store.uploadPart(this.#address, uploadId, partNumber, body, options)
        this.#memory?.end(partNumber)
        this.#parts.set(partNumber, part)
        return { ETag: part.etag }
      }
      case CompleteMultipartUploadCommand.name:
        await this.#abortStrays()
        this.#stored = await this.#complete({
          ...call,
          conditions,
          customerKey,
          lock: settings,
          tags: settings.tags,
        })
        return {}
      default:
        throw new TypeError(`lib-storage asked for an unexpected ${String(command)}`)
    }
  }

  /** No answer to Complete says nothing: asked again, the upload is either completed now or found to be gone. */
  async #complete(options: Parameters<ObjectStore["completeUpload"]>[3]): Promise<StoredObject> {
    const parts = [...this.#parts.values()].sort((a, b) => a.partNumber - b.partNumber)
    const complete = () => this.#store.completeUpload(this.#address, this.#uploadId ?? "", parts, options)
    try {
      return await complete()
    } catch (ambiguous) {
      if (!(ambiguous instanceof UnavailableError)) throw ambiguous
      return complete().catch(async (error: unknown) => {
        if (!(error instanceof NotFoundError && error.what === "upload")) throw error
        const info = await this.#store.head(this.#address, options)
        if (info.bytes !== parts.reduce((sum, part) => sum + part.bytes, 0)) throw ambiguous
        return { etag: info.etag, versionId: info.versionId }
      })
    }
  }

  async #abortStrays(): Promise<void> {
    if (this.#uploadId === undefined || this.#unanswered.length === 0) return
    const own = { uploadId: this.#uploadId, sentAt: this.#sentAt }
    const options = { ...this.#unsignalled(), signal: this.signal }
    await abortStrays(this.#store, this.#address, own, this.#unanswered, options).catch((error: unknown) => {
      // Empty uploads are no reason to lose a whole one.
      if (!(error instanceof S3epError) || this.signal.aborted) throw error
    })
  }

  #unsignalled(): { requesterPays: boolean } {
    return { requesterPays: this.#options.requesterPays ?? false }
  }
}

function bodyOf(input: object): Uint8Array {
  const body: unknown = Reflect.get(input, "Body")
  if (body instanceof Uint8Array) return body
  throw new TypeError("lib-storage gave a part that is not a buffer")
}
