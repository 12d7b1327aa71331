import { HEADER_BYTES, type Layout } from "../agcm/layout.ts"
import { RECOGNITION_BYTES } from "../compat/format.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import type { Envelope } from "../envelope/envelope.ts"
import { openPrivateMetadata, type PrivateMetadata } from "../envelope/private-metadata.ts"
import { IntegrityError, KeyMissingError, UsageError } from "../errors.ts"
import type { Kek } from "../keys/kek.ts"
import type { ObjectAddress, ObjectBody, ObjectInfo } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { BodyReader, checkRange, PinnedObject, type ReadRequest, type StoredRange } from "./fetch.ts"
import { nativeFormat } from "./formats.ts"
import { unwrapEnvelope } from "./keks.ts"
import { namingObject, objectUri } from "./naming.ts"

/** Formats of a body that can be read. */
export type BodyFormat = "agcm2"

/** An object of somebody else's. */
export class NotEncryptedError extends IntegrityError {
  constructor(address: ObjectAddress) {
    super(`${objectUri(address)} is not an object that s3ep wrote: it carries no envelope`, {
      hint: "its metadata may have been lost when it was copied; another S3 client can fetch it as it is",
    })
  }
}

/** What is known of a stored object without reading it; nothing in `layout` is authenticated yet. */
export interface Inspection {
  readonly address: ObjectAddress
  readonly info: ObjectInfo
  readonly format: BodyFormat
  readonly envelope: Envelope
  readonly layout: Layout
  /** Null if there is none, or no key at hand opens it. */
  readonly private: PrivateMetadata | null
  /** The KEK that opened the envelope; null if none at hand does. */
  readonly kek: { readonly id: string; readonly name: string } | null
}

/** An object whose DEK is at hand, pinned to what it was when it was opened. Disposing of it wipes the DEK. */
export interface OpenObject extends AsyncDisposable {
  readonly address: ObjectAddress
  readonly info: ObjectInfo
  readonly format: BodyFormat
  readonly envelope: Envelope
  readonly layout: Layout
  readonly private: PrivateMetadata | null
  readonly kek: Kek
  /** 32 bytes. */
  readonly dek: SecretBytes
  /** The header of segment 0, which the first answer brought. */
  readonly header: Uint8Array
  readonly pinned: PinnedObject
  /** The rest of the first answer, up to `end`: good for one use, and closed with the object. */
  readonly first: { readonly body: BodyReader; readonly end: number }
}

/**
 * Describe an object: one request for its first bytes. Works without a key, then without what is private.
 *
 * @throws {IntegrityError} if it is not an object that s3ep wrote, or its envelope or header is damaged.
 */
export async function inspectObject(
  context: TransferContext,
  address: ObjectAddress,
  options: Omit<ReadRequest, "address"> = {},
): Promise<Inspection> {
  return namingObject(address, async () => {
    const found = await outlineObject(context, { ...options, address })
    const { envelope } = found
    try {
      const { dek, kek } = await unwrapEnvelope(context, address, envelope)
      using _ = dek
      const { id, name } = kek
      return { ...found, private: openPrivateMetadata(envelope, dek), kek: { id, name } }
    } catch (error) {
      if (error instanceof KeyMissingError) return { ...found, private: null, kek: null }
      throw error
    }
  })
}

/** What anybody can say about an object who may read it, key or not. @throws {IntegrityError} as `inspectObject`. */
export async function outlineObject(
  context: TransferContext,
  request: ReadRequest,
): Promise<Omit<Inspection, "private" | "kek">> {
  const { address } = request
  return namingObject(address, async () => {
    const { info, envelope, layout, body } = await look(context, request, HEADER_BYTES)
    await body.close()
    return { address, info, format: "agcm2", envelope, layout }
  })
}

/**
 * Open an object for reading: one ranged request for its first bytes, whose answer also brings its metadata.
 *
 * @param firstBytes - how much of the object to ask for, at least a header.
 * @throws {IntegrityError} if it is not an object that s3ep wrote, its envelope or header is damaged, or it was
 * moved here from another key.
 * @throws {KeyMissingError} if no key at hand opens it.
 */
export async function openObject(
  context: TransferContext,
  request: ReadRequest,
  firstBytes: number,
): Promise<OpenObject> {
  const { address } = request
  return namingObject(address, async () => {
    const { info, envelope, layout, header, body, end } = await look(context, request, firstBytes)
    try {
      const { dek, kek } = await unwrapEnvelope(context, address, envelope)
      const pinned = new PinnedObject(context.store, request, info)
      const first = { body, end }
      const dispose = async () => {
        dek[Symbol.dispose]()
        await body.close()
      }
      try {
        const privateMetadata = openPrivateMetadata(envelope, dek)
        const known = { address, info, format: "agcm2" as const, envelope, layout, private: privateMetadata }
        return { ...known, kek, dek, header, pinned, first, [Symbol.asyncDispose]: dispose }
      } catch (error) {
        dek[Symbol.dispose]()
        throw error
      }
    } catch (error) {
      await body.close()
      throw error
    }
  })
}

async function look(context: TransferContext, request: ReadRequest, firstBytes: number) {
  const answer = await firstAnswer(context, request, { start: 0, end: firstBytes })
  const { info } = answer
  const end = Math.min(firstBytes, info.bytes)
  const body = new BodyReader(answer.body, end)
  try {
    checkRange(answer.range, { start: 0, end })
    const head = (await body.take(Math.min(RECOGNITION_BYTES, info.bytes))).slice()
    if (end === head.length) await body.end() // frees the connection at once
    const { key: objectKey } = request.address
    const found = { objectKey, metadata: info.metadata, bytes: info.bytes, head }
    const reader = nativeFormat(context, request.address).recognise(found)
    if (!reader) throw new NotEncryptedError(request.address)
    const { envelope, layout, header } = reader
    return { info, envelope, layout, header, body, end }
  } catch (error) {
    await body.close()
    throw error
  }
}

async function firstAnswer(
  { store, signal }: TransferContext,
  { address, ...options }: ReadRequest,
  range: StoredRange,
): Promise<ObjectBody> {
  try {
    return await store.get(address, { ...options, range, signal })
  } catch (error) {
    // No range of an object without bytes can be asked for; what it is, its metadata still says.
    if (!(error instanceof UsageError)) throw error
    const info = await store.head(address, { ...options, signal })
    if (info.bytes > 0) throw error
    return { info, range: { start: 0, end: 0 }, body: nothing() }
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {
  yield* []
}
