import { SALT_BYTES } from "../agcm/layout.ts"
import { openStream, sealStream } from "../agcm/stream.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { createEnvelope, openEnvelope } from "../envelope/envelope.ts"
import { encodeFileHeader, readFileHeader } from "../envelope/file.ts"
import { openPrivateMetadata, type PrivateMetadata } from "../envelope/private-metadata.ts"
import type { TransferContext } from "./context.ts"

const DEFAULT_GEOMETRY = { chunkBytes: 65_536, chunksPerSegment: 256 }

/** What encryption without a store works with. */
export type LocalContext = Pick<TransferContext, "keys" | "reading" | "random" | "onProgress" | "signal">

export interface EncryptOptions {
  readonly privateMetadata?: PrivateMetadata | undefined
  /** Plaintext bytes of a chunk. */
  readonly chunkBytes?: number | undefined
}

/**
 * Encrypt a stream of any length into an S3EP container.
 *
 * @param source - sliced as it comes; it may not reuse the memory of its slices.
 * @throws {KeyMissingError} if there is no key to write with.
 * @see man/s3ep-format.5, "In a file"
 */
export async function* encryptStream(
  context: LocalContext,
  source: AsyncIterable<Uint8Array>,
  options: EncryptOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { random, keys, signal } = context
  using dek = new SecretBytes(random(KEY_BYTES))
  const { privateMetadata } = options
  const { writers } = keys
  const envelope = await createEnvelope({
    dek,
    bind: "none",
    objectKey: "",
    writers,
    privateMetadata,
    random,
  })
  yield encodeFileHeader(envelope)
  const geometry = { ...DEFAULT_GEOMETRY, chunkBytes: options.chunkBytes ?? DEFAULT_GEOMETRY.chunkBytes }
  for await (const piece of sealStream(dek, geometry, source, () => random(SALT_BYTES))) {
    signal.throwIfAborted()
    yield piece
  }
}

/**
 * Decrypt an S3EP container as it arrives. Each chunk is handed out once it verified: only a normal end says that
 * there is no more and the container is whole.
 *
 * @param onPrivate - called with what the container knows of the original, before the first byte.
 * @throws {IntegrityError} if it is not an S3EP container, or not what was written.
 * @throws {KeyMissingError} if no key at hand opens it.
 */
export async function* decryptStream(
  context: LocalContext,
  source: AsyncIterable<Uint8Array>,
  options: { onPrivate?: ((metadata: PrivateMetadata | null) => void) | undefined } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { readers } = context.keys
  const { envelope, body } = await readFileHeader(source)
  try {
    const { dek } = await openEnvelope(envelope, { objectKey: "", readers })
    using _ = dek
    options.onPrivate?.(openPrivateMetadata(envelope, dek))
    for await (const chunk of openStream(dek, body)) {
      context.signal.throwIfAborted()
      yield chunk
    }
  } finally {
    await body.return?.()
  }
}
