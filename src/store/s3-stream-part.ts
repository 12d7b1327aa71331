import { createHash } from "node:crypto"
import { Readable } from "node:stream"
import { crc32 } from "node:zlib"
import { UploadPartCommand } from "@aws-sdk/client-s3"
import { base64, u32be } from "../bytes.ts"
import { UnavailableError } from "../errors.ts"
import { partInput, partSending } from "./s3-inputs.ts"
import { etagOf } from "./s3-outputs.ts"
import { setPayloadHeaders } from "./s3-payload.ts"
import type { S3Context } from "./s3-write.ts"
import type { ObjectAddress, PartBody, PartOptions, UploadedPart } from "./store.ts"

type Streamed = Exclude<PartBody, Uint8Array>

const CHUNK_BYTES = 64 * 1024
const TRAILER = "x-amz-checksum-crc32"

/**
 * Upload a part too large to hold. The CRC travels behind the bytes where the service takes that; elsewhere the
 * ETag of the answer is compared, if it is an MD5 of the bytes.
 *
 * @throws whatever the stream throws, unchanged; {RangeError} if it is not as long as promised.
 */
export async function streamPart(
  context: S3Context,
  address: ObjectAddress,
  uploadId: string,
  partNumber: number,
  { bytes, stream }: Streamed,
  options: PartOptions,
): Promise<UploadedPart> {
  const choice = options.checksum ?? "auto"
  const trailing = choice !== "none" && (await context.dialect.offers("trailers")) === true
  const compare = choice !== "none" && !trailing && options.customerKey === undefined
  const tally = new Tally(bytes, { crc: trailing, md5: compare }, options.onSent)
  const failed = new AbortController()
  const source = tally.watch(stream)
  const Body = Readable.from(trailing ? chunked(source, tally) : source, { objectMode: false })
  // The HTTP client does not notice when a body fails: the request is ended from here, with the body's error.
  Body.once("error", (error) => failed.abort(error))
  setPayloadHeaders(Body, trailing ? trailerHeaders(bytes) : { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" })
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])])
  const sending = { ...partSending(address, partNumber, signal), restartable: false }
  try {
    return await context.session.run(sending, async (client, http) => {
      const input = { ...partInput(address, uploadId, partNumber, options), Body }
      const ContentLength = trailing ? chunkedBytes(bytes) : bytes
      const output = await client.send(new UploadPartCommand({ ...input, ContentLength }), http)
      const etag = etagOf(output.ETag)
      // Under KMS the ETag is no MD5 of the bytes.
      if (output.ServerSideEncryption !== "aws:kms") tally.compareMd5(etag, sending.action)
      const checksum = trailing ? ({ kind: "crc32", value: tally.crc32 } as const) : undefined
      return { partNumber, etag, bytes, checksum }
    })
  } finally {
    Body.destroy()
  }
}

/** Counts and digests what passes through. */
class Tally {
  readonly #promised: number
  readonly #withCrc: boolean
  readonly #md5: ReturnType<typeof createHash> | undefined
  readonly #onSent: ((bytes: number) => void) | undefined
  #crc = 0
  #passed = 0

  constructor(
    promised: number,
    digests: { crc: boolean; md5: boolean },
    onSent: ((bytes: number) => void) | undefined,
  ) {
    this.#promised = promised
    this.#withCrc = digests.crc
    this.#md5 = digests.md5 ? createHash("md5") : undefined
    this.#onSent = onSent
  }

  get crc32(): string {
    return base64(u32be(this.#crc))
  }

  async *watch(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const slice of stream) {
      this.#passed += slice.length
      if (this.#passed > this.#promised) break
      if (this.#withCrc) this.#crc = crc32(slice, this.#crc)
      this.#md5?.update(slice)
      yield slice
      this.#onSent?.(slice.length)
    }
    if (this.#passed !== this.#promised) {
      throw new RangeError(`${this.#promised} bytes were promised, the stream gave ${this.#passed}`)
    }
  }

  compareMd5(etag: string, action: string): void {
    if (!this.#md5 || !/^[0-9a-f]{32}$/.test(etag) || this.#md5.digest("hex") === etag) return
    throw new UnavailableError(`cannot ${action}: it was damaged on the way`, { transient: "network" })
  }
}

// S3 API Reference, "Transferring payloads in multiple chunks": unsigned, with a checksum in the trailer.
function trailerHeaders(bytes: number): Record<string, string> {
  return {
    "content-encoding": "aws-chunked",
    "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "x-amz-decoded-content-length": String(bytes),
    "x-amz-trailer": TRAILER,
  }
}

/** Chunks of one size, so that the whole length is known beforehand. */
async function* chunked(stream: AsyncIterable<Uint8Array>, tally: Tally): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  const flush = () => {
    const chunk = [Buffer.from(`${pendingBytes.toString(16)}\r\n`), ...pending, Buffer.from("\r\n")]
    pending = []
    pendingBytes = 0
    return Buffer.concat(chunk)
  }
  for await (const slice of stream) {
    for (let offset = 0; offset < slice.length; ) {
      const piece = slice.subarray(offset, offset + CHUNK_BYTES - pendingBytes)
      pending.push(piece)
      pendingBytes += piece.length
      offset += piece.length
      if (pendingBytes === CHUNK_BYTES) yield flush()
    }
  }
  if (pendingBytes > 0) yield flush()
  yield Buffer.from(`0\r\n${TRAILER}:${tally.crc32}\r\n\r\n`)
}

function chunkedBytes(bytes: number): number {
  const framed = (size: number) => (size === 0 ? 0 : size.toString(16).length + size + 4)
  const trailer = `0\r\n${TRAILER}:AAAAAA==\r\n\r\n`.length
  return Math.floor(bytes / CHUNK_BYTES) * framed(CHUNK_BYTES) + framed(bytes % CHUNK_BYTES) + trailer
}
