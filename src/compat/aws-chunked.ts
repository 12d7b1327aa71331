import { createHash, type Hash } from "node:crypto"
import { crc32 } from "node:zlib"
import { ByteQueue } from "../agcm/queue.ts"
import { base64, fromBase64 } from "../bytes.ts"

/** Enough of a beginning to tell whether it looks like framing. */
export const FRAMING_HEAD_BYTES = 128

const CR = 0x0d
const LF = 0x0a
const MAX_LINE_BYTES = 512
const SIZE_LINE = /^([0-9a-f]{1,12})(;chunk-signature=[0-9a-f]{64})?$/i
const TRAILER = /^(x-amz-[a-z0-9-]+):\s*(\S+)$/i
const CHECKSUM_BYTES: ReadonlyMap<string, number> = new Map([
  ["x-amz-checksum-crc32", 4],
  ["x-amz-checksum-crc32c", 4],
  ["x-amz-checksum-crc64nvme", 8],
  ["x-amz-checksum-sha1", 20],
  ["x-amz-checksum-sha256", 32],
])

/** What looked like the framing of an upload is not: the bytes are the data themselves. */
export class NotFramedError extends Error {}

/** Whether bytes may begin with the framing of an upload (`aws-chunked`). @param head - 128 bytes, or all there are. */
export function looksFramed(head: Uint8Array): boolean {
  const end = lineEnd(head)
  return end !== null && SIZE_LINE.test(latin1(head.subarray(0, end)))
}

/**
 * Take away the framing of `aws-chunked` uploads that was stored with the data: a signed one, or one with a checksum
 * behind it; several after each other, as the parts of a multipart upload leave them. Everything is checked to the
 * end, checksums included where the engine can compute them, so that data which merely begin like framing are not cut up.
 *
 * @see Amazon S3 API Reference, "Signature Calculations: Transferring Payload in Multiple Chunks"
 * @throws {NotFramedError} as soon as anything is not as it would have to be; what was yielded is worth nothing then.
 */
export async function* unframe(
  framed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const input = new Lines(framed)
  try {
    do {
      yield* message(input)
    } while (await input.more())
  } finally {
    await input.close()
  }
}

async function* message(input: Lines): AsyncGenerator<Uint8Array, void, undefined> {
  const sums = new Checksums()
  let signed = true
  for (;;) {
    const [, digits = "", signature] = SIZE_LINE.exec(await input.line()) ?? notFramed()
    signed &&= signature !== undefined
    let left = Number.parseInt(digits, 16)
    if (left === 0) break
    while (left > 0) {
      const piece = await input.some(left)
      left -= piece.length
      sums.update(piece)
      yield piece
    }
    if ((await input.line()) !== "") notFramed()
  }
  let proven = signed
  for (let line = await input.line(); line !== ""; line = await input.line()) {
    const [, name = "", value = ""] = TRAILER.exec(line) ?? notFramed()
    if (!name.toLowerCase().startsWith("x-amz-checksum-")) continue
    if (!sums.agree(name.toLowerCase(), value)) notFramed()
    proven = true
  }
  if (!proven) notFramed()
}

/** Checksums of what a message carries; which of them is asked for is known only at its end. */
class Checksums {
  #crc32 = 0
  readonly #sha1: Hash = createHash("sha1")
  readonly #sha256: Hash = createHash("sha256")

  update(piece: Uint8Array): void {
    this.#crc32 = crc32(piece, this.#crc32)
    this.#sha1.update(piece)
    this.#sha256.update(piece)
  }

  agree(name: string, value: string): boolean {
    if (name === "x-amz-checksum-sha1") return base64(this.#sha1.digest()) === value
    if (name === "x-amz-checksum-sha256") return base64(this.#sha256.digest()) === value
    if (name === "x-amz-checksum-crc32") {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(this.#crc32)
      return base64(bytes) === value
    }
    const expected = CHECKSUM_BYTES.get(name)
    return expected !== undefined && fromBase64(value)?.length === expected
  }
}

/** A stream taken apart into lines that end in CR LF, and pieces between them. */
class Lines {
  readonly #input: AsyncIterator<Uint8Array>
  readonly #queue = new ByteQueue()

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#input = source[Symbol.asyncIterator]()
  }

  /** Whether anything is left. */
  async more(): Promise<boolean> {
    while (this.#queue.bytes === 0) {
      const next = await this.#input.next()
      if (next.done) return false
      this.#queue.push(next.value)
    }
    return true
  }

  async line(): Promise<string> {
    const bytes: number[] = []
    for (;;) {
      const byte = await this.#byte()
      if (byte === LF && bytes.at(-1) === CR) return latin1(Uint8Array.from(bytes.slice(0, -1)))
      bytes.push(byte)
      if (bytes.length > MAX_LINE_BYTES) notFramed()
    }
  }

  /** At least one byte and at most `most`, as they lie. */
  async some(most: number): Promise<Uint8Array> {
    if (!(await this.more())) notFramed()
    return this.#queue.take(Math.min(most, this.#queue.bytes))
  }

  async close(): Promise<void> {
    await this.#input.return?.()
  }

  async #byte(): Promise<number> {
    const [byte] = await this.some(1)
    return byte ?? notFramed()
  }
}

function lineEnd(bytes: Uint8Array): number | null {
  const at = bytes.indexOf(CR)
  return at > 0 && bytes[at + 1] === LF ? at : null
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1")
}

function notFramed(): never {
  throw new NotFramedError("not aws-chunked framing")
}
