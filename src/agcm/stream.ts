import { TAG_BYTES } from "../crypto/aead.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { checkGeometry, type Geometry, HEADER_BYTES, SEAL_BYTES } from "./layout.ts"
import { ByteQueue } from "./queue.ts"
import { RefusedError } from "./refused.ts"
import { computeSeal, verifySeal } from "./seal.ts"
import { SegmentOpener, SegmentSealer } from "./segment.ts"

/**
 * Seal a stream whose length is not known.
 *
 * @param dek - 32 bytes, used for this object only; borrowed until the iteration ends.
 * @param plaintext - sliced as it comes: slicing never changes the result. Its arrays are kept until sealed, so
 * the source may not reuse them.
 * @param drawSalt - a fresh 24-byte random salt each time.
 * @param ownMemory - whether the arrays of `plaintext` are nobody else's: each is given back once it is sealed.
 * @returns headers, sealed chunks and the seal, each in memory of its own.
 */
export async function* sealStream(
  dek: SecretBytes,
  geometry: Geometry,
  plaintext: AsyncIterable<Uint8Array>,
  drawSalt: () => Uint8Array,
  ownMemory = false,
): AsyncGenerator<Uint8Array, void, undefined> {
  checkGeometry(geometry)
  const salts: Uint8Array[] = []
  let plaintextBytes = 0
  let chunkIndex = 0
  let sealer: SegmentSealer | undefined
  try {
    for await (const { bytes, final } of inChunks(plaintext, geometry.chunkBytes, ownMemory)) {
      if (!sealer || chunkIndex === geometry.chunksPerSegment) {
        sealer?.[Symbol.dispose]()
        const salt = drawSalt()
        sealer = new SegmentSealer(dek, geometry, salts.length, salt)
        salts.push(salt)
        chunkIndex = 0
        yield sealer.header
      }
      const sealed = new Uint8Array(bytes.length + TAG_BYTES)
      sealer.sealChunkInto(chunkIndex, final, bytes, sealed)
      chunkIndex++
      plaintextBytes += bytes.length
      yield sealed
    }
  } finally {
    sealer?.[Symbol.dispose]()
  }
  yield computeSeal(dek, plaintextBytes, salts)
}

/**
 * Open a whole object as it arrives, each chunk released as soon as it verified, the seal checked at the end:
 * only a normal end of the iteration means that the object is whole.
 *
 * @param dek - 32 bytes; borrowed until the iteration ends.
 * @param ciphertext - sliced as it comes. Its arrays are kept until opened, so the source may not reuse them.
 * @param ownMemory - whether they are nobody else's: each is given back once it is opened.
 * @returns plaintext, chunk by chunk, in memory of its own. An empty object yields nothing.
 * @throws {RefusedError} at the first byte that is not what a writer produced.
 */
export async function* openStream(
  dek: SecretBytes,
  ciphertext: AsyncIterable<Uint8Array>,
  ownMemory = false,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const salts: Uint8Array[] = []
  let plaintextBytes = 0
  let chunkIndex = 0
  let opener: SegmentOpener | undefined
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
  try {
    for (;;) {
      if (!opener || chunkIndex === opener.header.chunksPerSegment) {
        await fill(HEADER_BYTES + TAG_BYTES + SEAL_BYTES)
        if (queue.bytes < HEADER_BYTES + TAG_BYTES + SEAL_BYTES) {
          throw new RefusedError(opener ? "length" : "too short", { segmentIndex: salts.length })
        }
        const geometry = opener?.header
        opener?.[Symbol.dispose]()
        opener = new SegmentOpener(dek, queue.take(HEADER_BYTES), { segmentIndex: salts.length, geometry })
        salts.push(opener.header.salt)
        chunkIndex = 0
      }
      const fullChunkBytes = opener.header.chunkBytes + TAG_BYTES
      // A chunk is the last one when nothing but the seal follows it.
      await fill(fullChunkBytes + SEAL_BYTES + 1)
      const final = queue.bytes <= fullChunkBytes + SEAL_BYTES
      const sealedBytes = final ? queue.bytes - SEAL_BYTES : fullChunkBytes
      if (sealedBytes < TAG_BYTES)
        throw new RefusedError("length", { segmentIndex: salts.length - 1, chunkIndex })
      const chunk = opener.openChunk(chunkIndex, final, queue.take(sealedBytes))
      chunkIndex++
      plaintextBytes += chunk.length
      if (chunk.length > 0) yield chunk
      if (final) break
    }
    verifySeal(dek, plaintextBytes, salts, queue.take(SEAL_BYTES))
  } finally {
    opener?.[Symbol.dispose]()
    await input.return?.()
  }
}

/**
 * Cut a stream into chunks of one size, each there until the next one is asked for; the last one, and only it, is
 * marked, and may be shorter or empty.
 */
async function* inChunks(
  source: AsyncIterable<Uint8Array>,
  chunkBytes: number,
  ownMemory: boolean,
): AsyncGenerator<{ bytes: Uint8Array; final: boolean }, void, undefined> {
  const queue = new ByteQueue(ownMemory)
  for await (const piece of source) {
    queue.push(piece)
    while (queue.bytes > chunkBytes) yield { bytes: queue.take(chunkBytes), final: false }
  }
  yield { bytes: queue.take(queue.bytes), final: true }
}
