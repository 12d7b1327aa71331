import { ByteQueue } from "../agcm/queue.ts"
import { readU32le, utf8 } from "../bytes.ts"
import { aeadOpen, NONCE_BYTES, TAG_BYTES } from "../crypto/aead.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import { HarpocratesRefusedError } from "./harpocrates-refused.ts"

export const STREAM_HEADER_BYTES = 24
const MAGIC = utf8("AGCM")
const VERSION = 1
const NONCE_OFFSET = 8
const CHUNK_SIZE_OFFSET = NONCE_OFFSET + NONCE_BYTES
const LENGTH_BYTES = 4
const MAX_CHUNK_BYTES = 10_485_760

/** The header of an AGCM v1 stream. Nothing authenticates it, but with another nonce no tag matches. */
export interface StreamHeader {
  /** 12 bytes: of every record. */
  readonly nonce: Uint8Array
  /** Plaintext bytes of a record; the last one may have fewer. */
  readonly chunkBytes: number
}

/** Whether bytes begin an AGCM stream of version 1; 8 of them are enough to tell. */
export function isStreamHeader(bytes: Uint8Array): boolean {
  return bytes.length >= NONCE_OFFSET && hasMagic(bytes) && readU32le(bytes, MAGIC.length) === VERSION
}

/**
 * Read the header of an AGCM v1 stream.
 *
 * @param bytes - 24, or fewer if there are no more.
 * @throws {HarpocratesRefusedError} if they are none.
 */
export function parseStreamHeader(bytes: Uint8Array): StreamHeader {
  if (bytes.length < STREAM_HEADER_BYTES) throw new HarpocratesRefusedError("header short")
  if (!hasMagic(bytes)) throw new HarpocratesRefusedError("magic")
  if (readU32le(bytes, MAGIC.length) !== VERSION) throw new HarpocratesRefusedError("version")
  const chunkBytes = readU32le(bytes, CHUNK_SIZE_OFFSET)
  if (chunkBytes < 1 || chunkBytes > MAX_CHUNK_BYTES) throw new HarpocratesRefusedError("chunk size")
  return { nonce: bytes.slice(NONCE_OFFSET, CHUNK_SIZE_OFFSET), chunkBytes }
}

/**
 * How much plaintext a stream holds, as its length says; nothing authenticates that.
 *
 * @param storedBytes - of the whole stream, header included.
 * @returns null if a stream of that length is none that a writer made.
 */
export function streamPlaintextBytes(storedBytes: number, { chunkBytes }: StreamHeader): number | null {
  const body = storedBytes - STREAM_HEADER_BYTES
  if (body < 0) return null
  const records = streamRecords(storedBytes, { chunkBytes })
  const plaintextBytes = body - records * (LENGTH_BYTES + TAG_BYTES)
  return plaintextBytes > (records - 1) * chunkBytes || body === 0 ? plaintextBytes : null
}

/** How many records a stream of that length has, if each is as long as it can be. */
export function streamRecords(storedBytes: number, { chunkBytes }: Pick<StreamHeader, "chunkBytes">): number {
  return Math.ceil((storedBytes - STREAM_HEADER_BYTES) / (LENGTH_BYTES + chunkBytes + TAG_BYTES))
}

/** Learns what a stream is, before its first byte is released. */
export interface StreamOpening {
  readonly header: StreamHeader
  /** Of `keys`, which one opened the first record; null if there is none, and so nothing that a key could prove. */
  readonly keyIndex: number | null
}

/**
 * Open an AGCM v1 stream as it arrives, record by record, each released once it verified. A normal end does NOT mean
 * that the stream is whole, or in order: records that were swapped, repeated or taken away from the end cannot be
 * told from genuine ones, and since all share one nonce, who has two of them can forge others. What no genuine
 * writer produces is refused, more than the original refuses.
 *
 * @param keys - tried on the first record, in turn; 32 bytes each, borrowed until the iteration ends.
 * @param ciphertext - sliced as it comes. Its arrays are kept until opened, so the source may not reuse them.
 * @param ownMemory - whether they are nobody else's: each is given back once it is opened.
 * @returns plaintext, record by record, in memory of its own.
 * @throws {HarpocratesRefusedError} at the first record that no writer produced.
 * @throws {KeyMissingError} if no key opens the first record: a wrong key and an altered record look the same.
 * @see man/s3ep-format.5, "Formats of others"
 */
export async function* openHarpocratesStream(
  keys: AsyncIterable<SecretBytes> | Iterable<SecretBytes>,
  ciphertext: AsyncIterable<Uint8Array>,
  {
    onOpen,
    ownMemory,
  }: {
    readonly onOpen?: ((opening: StreamOpening) => void) | undefined
    readonly ownMemory?: boolean | undefined
  } = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const queue = new ByteQueue(ownMemory)
  const input = ciphertext[Symbol.asyncIterator]()
  let ended = false
  const fill = async (bytes: number): Promise<void> => {
    while (!ended && queue.bytes < bytes) {
      const next = await input.next()
      if (next.done) ended = true
      else queue.push(next.value)
    }
  }
  let key: SecretBytes | undefined
  try {
    await fill(STREAM_HEADER_BYTES)
    const header = parseStreamHeader(queue.take(Math.min(queue.bytes, STREAM_HEADER_BYTES)))
    for (let recordIndex = 0; ; recordIndex++) {
      await fill(LENGTH_BYTES)
      if (queue.bytes === 0) {
        if (recordIndex === 0) onOpen?.({ header, keyIndex: null })
        return
      }
      if (queue.bytes < LENGTH_BYTES) throw new HarpocratesRefusedError("cut", recordIndex)
      const sealedBytes = readU32le(queue.take(LENGTH_BYTES), 0)
      checkLength(sealedBytes, header, recordIndex)
      await fill(sealedBytes + 1) // one more: whether another record follows
      if (queue.bytes < sealedBytes) throw new HarpocratesRefusedError("cut", recordIndex)
      const last = queue.bytes === sealedBytes
      if (!last && sealedBytes < header.chunkBytes + TAG_BYTES) {
        throw new HarpocratesRefusedError("short record", recordIndex)
      }
      const sealed = queue.take(sealedBytes)
      if (!key) {
        let keyIndex = 0
        for await (const candidate of keys) {
          if (opens(candidate, header, sealed)) {
            key = candidate
            break
          }
          keyIndex++
        }
        if (!key) throw noKey(keyIndex)
        onOpen?.({ header, keyIndex })
      }
      const plaintext = aeadOpen(key.bytes, header.nonce, sealed)
      if (!plaintext) throw new HarpocratesRefusedError("tag", recordIndex)
      yield plaintext
    }
  } finally {
    await input.return?.()
  }
}

function checkLength(sealedBytes: number, { chunkBytes }: StreamHeader, recordIndex: number): void {
  if (sealedBytes === 0 || sealedBytes === TAG_BYTES) {
    throw new HarpocratesRefusedError("empty record", recordIndex)
  }
  if (sealedBytes < TAG_BYTES || sealedBytes > chunkBytes + TAG_BYTES) {
    throw new HarpocratesRefusedError("record length", recordIndex)
  }
}

function opens(key: SecretBytes, { nonce }: StreamHeader, sealed: Uint8Array): boolean {
  const plaintext = aeadOpen(key.bytes, nonce, sealed)
  plaintext?.fill(0)
  return plaintext !== null
}

function noKey(tried: number): KeyMissingError {
  const why =
    tried === 0
      ? "there is no AES key at hand to open it with"
      : "no key at hand opens its first record: it is sealed with another key, or was altered"
  return new KeyMissingError(why, { hint: "bring its key here with `s3ep keys import`" })
}

function hasMagic(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte)
}
