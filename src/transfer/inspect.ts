import type { Layout } from "../agcm/layout.ts"
import {
  type Finding,
  type OpenBody,
  RECOGNITION_BYTES,
  type Reader,
  type Verdict,
} from "../compat/format.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import type { Envelope } from "../envelope/envelope.ts"
import { openPrivateMetadata, type PrivateMetadata } from "../envelope/private-metadata.ts"
import { KeyMissingError } from "../errors.ts"
import type { Kek } from "../keys/kek.ts"
import type { ObjectAddress, ObjectInfo } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { refuseExpectation } from "./expect.ts"
import { type BodyReader, PinnedObject, type ReadRequest } from "./fetch.ts"
import { isNative, type NativeReader } from "./formats.ts"
import { unwrapEnvelope } from "./keks.ts"
import { type Look, look } from "./look.ts"
import { namingObject } from "./naming.ts"

export { NotEncryptedError } from "./look.ts"

/** What an object is, whatever wrote it. */
export interface ObjectFormat {
  /** Stable: `agcm2`, `s3-encryption-proxy`. */
  readonly id: string
  /** For people, with its variant. */
  readonly title: string
  readonly verdict: Verdict
  readonly findings: readonly Finding[]
}

/** What is known of any stored object without reading it. */
interface Outline {
  readonly address: ObjectAddress
  readonly info: ObjectInfo
  readonly format: ObjectFormat
  /** Plaintext; null if that cannot be told beforehand. Not authenticated yet. */
  readonly plaintextBytes: number | null
  /** What it was wrapped by. */
  readonly recipients: readonly { readonly kek: string; readonly alg: string }[]
  /** The user's own. */
  readonly metadata: Readonly<Record<string, string>>
}

/** An object of our own format; nothing in `layout` is authenticated yet. */
export interface NativeOutline extends Outline {
  readonly kind: "native"
  readonly envelope: Envelope
  readonly layout: Layout
}

/** An object in the format of another system. */
export interface ForeignOutline extends Outline {
  readonly kind: "foreign"
}

interface Described {
  /** Null if there is none, or no key at hand opens it. */
  readonly private: PrivateMetadata | null
  /** The KEK that opened it; null if none at hand does, or only its body tells. */
  readonly kek: { readonly id: string; readonly name: string } | null
}

export type Inspection = (NativeOutline | ForeignOutline) & Described

/** The rest of the first answer, up to `end`: good for one use, and closed with the object. */
interface FirstAnswer {
  readonly body: BodyReader
  readonly end: number
}

/** An object whose DEK is at hand, pinned to what it was when it was opened. Disposing of it wipes the DEK. */
export interface OpenObject extends NativeOutline, AsyncDisposable {
  readonly private: PrivateMetadata | null
  readonly kek: Kek
  /** 32 bytes. */
  readonly dek: SecretBytes
  /** The header of segment 0, which the first answer brought. */
  readonly header: Uint8Array
  readonly pinned: PinnedObject
  readonly first: FirstAnswer
}

/** The same in the format of another system. */
export interface ForeignObject extends ForeignOutline, AsyncDisposable {
  readonly reader: Reader
  readonly body: OpenBody
  /** Its first bytes, which the first answer brought. */
  readonly head: Uint8Array
  readonly pinned: PinnedObject
  readonly first: FirstAnswer
}

/**
 * Describe an object: one request for its first bytes. Works without a key, then without what is private.
 *
 * @throws {NotEncryptedError} if it is in no known format; {IntegrityError} if its metadata or header are damaged.
 */
export async function inspectObject(
  context: TransferContext,
  address: ObjectAddress,
  options: Omit<ReadRequest, "address"> = {},
): Promise<Inspection> {
  return namingObject(address, async () => {
    const { reader, ...found } = await outlineWithReader(context, { ...options, address })
    try {
      if (found.kind === "native") {
        const { dek, kek } = await unwrapEnvelope(context, address, found.envelope)
        using _ = dek
        const { id, name } = kek
        return { ...found, private: openPrivateMetadata(found.envelope, dek), kek: { id, name } }
      }
      using body = await reader.open()
      return { ...found, private: null, kek: body.kek }
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
): Promise<NativeOutline | ForeignOutline> {
  return namingObject(request.address, async () => {
    const { reader: _, ...outline } = await outlineWithReader(context, request)
    return outline
  })
}

/**
 * Open an object for reading: one request for its first bytes, or for all if those are, whose answer also brings its
 * metadata.
 *
 * @param firstBytes - how much of the object to ask for, at least `RECOGNITION_BYTES`.
 * @param listedBytes - its length, if a listing has told it.
 * @throws {IntegrityError} if it is in no known format, its envelope or header is damaged, or it was moved here from
 * another key.
 * @throws {KeyMissingError} if no key at hand opens it.
 */
export async function openObject(
  context: TransferContext,
  request: ReadRequest,
  firstBytes: number,
  listedBytes?: number,
): Promise<OpenObject | ForeignObject> {
  const { address } = request
  return namingObject(address, async () => {
    const found = await look(context, request, firstBytes, listedBytes)
    try {
      const { reader } = found
      return isNative(reader)
        ? await openNative(context, request, found, reader)
        : await openForeign(context, request, found)
    } catch (error) {
      await found.body.close()
      throw error
    }
  })
}

async function openNative(
  context: TransferContext,
  request: ReadRequest,
  found: Look,
  reader: NativeReader,
): Promise<OpenObject> {
  refuseExpectation(context)
  const { info, body, end } = found
  const { envelope, header } = reader
  const { dek, kek } = await unwrapEnvelope(context, request.address, envelope)
  try {
    return {
      ...nativeOutline(request.address, found, reader),
      private: openPrivateMetadata(envelope, dek),
      kek,
      dek,
      header,
      pinned: new PinnedObject(context.store, request, info),
      first: { body, end },
      async [Symbol.asyncDispose]() {
        dek[Symbol.dispose]()
        await body.close()
      },
    }
  } catch (error) {
    dek[Symbol.dispose]()
    throw error
  }
}

async function openForeign(
  context: TransferContext,
  request: ReadRequest,
  found: Look,
): Promise<ForeignObject> {
  const { info, reader, head, body, end } = found
  const opened = await reader.open()
  return {
    ...foreignOutline(request.address, found),
    reader,
    body: opened,
    head,
    pinned: new PinnedObject(context.store, request, info),
    first: { body, end },
    async [Symbol.asyncDispose]() {
      opened[Symbol.dispose]()
      await body.close()
    },
  }
}

async function outlineWithReader(context: TransferContext, request: ReadRequest) {
  const found = await look(context, request, RECOGNITION_BYTES)
  await found.body.close()
  const { reader } = found
  const outline = isNative(reader)
    ? nativeOutline(request.address, found, reader)
    : foreignOutline(request.address, found)
  return { ...outline, reader }
}

function nativeOutline(address: ObjectAddress, found: Look, reader: NativeReader): NativeOutline {
  const { envelope, layout } = reader
  return { ...outlineOf(address, found), kind: "native", envelope, layout }
}

function foreignOutline(address: ObjectAddress, found: Look): ForeignOutline {
  return { ...outlineOf(address, found), kind: "foreign" }
}

function outlineOf(address: ObjectAddress, { info, reader }: Look): Outline {
  const { plaintextBytes, keks: recipients } = reader
  const metadata = Object.entries(info.metadata).filter(([name]) => !reader.isOwnMetadata(name))
  return {
    address,
    info,
    format: formatOf(reader),
    plaintextBytes,
    recipients,
    metadata: Object.fromEntries(metadata),
  }
}

/** What an object is, from the reader that recognised it. */
export function formatOf({ format: id, title, verdict, findings }: Reader): ObjectFormat {
  return { id, title, verdict, findings }
}
