import { SALT_BYTES } from "../agcm/layout.ts"
import { openStream, sealStream } from "../agcm/stream.ts"
import { beginStream } from "../begun-stream.ts"
import { AGCM2 } from "../compat/agcm2.ts"
import { RECOGNITION_BYTES } from "../compat/format.ts"
import { recognise } from "../compat/registry.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { createEnvelope, openEnvelope } from "../envelope/envelope.ts"
import { encodeFileHeader, isContainer, readFileHeader } from "../envelope/file.ts"
import { openPrivateMetadata, type PrivateMetadata } from "../envelope/private-metadata.ts"
import type { TransferContext } from "./context.ts"
import { refuseExpectation } from "./expect.ts"
import { admit, released } from "./foreign.ts"
import { formatsOf } from "./formats.ts"
import { formatOf, type ObjectFormat } from "./inspect.ts"

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

/** What a file was when it was an object in a bucket, for formats that keep beside it what reading it takes. */
export interface FormerObject {
  readonly key: string
  /** User metadata: lower-case names without `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>
}

export interface DecryptOptions {
  /** Called with what the container knows of the original, before the first byte. */
  readonly onPrivate?: ((metadata: PrivateMetadata | null) => void) | undefined
  /** Called with what it turned out to be, before the first byte. */
  readonly onFormat?: ((format: ObjectFormat) => void) | undefined
  /** Its name in messages. */
  readonly subject?: string | undefined
  readonly object?: FormerObject | undefined
  /** Bytes of the source, where they are known. */
  readonly bytes?: number | undefined
}

/**
 * Decrypt an S3EP container, or whatever else is recognised, as it arrives. What is handed out is verified: of a
 * container each chunk as it comes, of most formats of others all of it before the first byte. Only a normal end says
 * that there is no more and it is whole.
 *
 * @throws {IntegrityError} if it is in no known format, or not what was written.
 * @throws {KeyMissingError} if no key at hand opens it.
 */
export async function* decryptStream(
  context: LocalContext,
  source: AsyncIterable<Uint8Array>,
  options: DecryptOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { head, stream: pieces } = await beginStream(source, RECOGNITION_BYTES)
  try {
    const { metadata = {}, key: objectKey = null } = options.object ?? {}
    const found = { objectKey, metadata, bytes: options.bytes ?? null, parts: null, head }
    // A container says what it is; what is beside it cannot make it anything else.
    const container = isContainer(head) && !context.reading?.sealedValue
    const reader = container ? null : recognise(formatsOf(context), found)
    if (!reader) {
      yield* openContainer(context, pieces, options)
      return
    }
    using body = await reader.open()
    options.onFormat?.(formatOf(reader))
    options.onPrivate?.(null)
    const opened = { subject: options.subject ?? "it", reader, body, stored: () => pieces, repeatable: false }
    admit(context, opened)
    for await (const piece of released(context, opened)) {
      context.signal.throwIfAborted()
      yield piece
    }
  } finally {
    await pieces.return()
  }
}

async function* openContainer(
  context: LocalContext,
  source: AsyncIterable<Uint8Array>,
  { onPrivate, onFormat }: DecryptOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { readers } = context.keys
  const { envelope, body } = await readFileHeader(source)
  try {
    refuseExpectation(context)
    const { dek } = await openEnvelope(envelope, { objectKey: "", readers })
    using _ = dek
    onFormat?.({ id: AGCM2, title: AGCM2, verdict: "sound", findings: [] })
    onPrivate?.(openPrivateMetadata(envelope, dek))
    for await (const chunk of openStream(dek, body)) {
      context.signal.throwIfAborted()
      yield chunk
    }
  } finally {
    await body.return()
  }
}
