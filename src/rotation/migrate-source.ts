import { type Finding, RECOGNITION_BYTES } from "../compat/format.ts"
import { formatMtime, type PrivateMetadata } from "../envelope/private-metadata.ts"
import { KeyMissingError, PreconditionError } from "../errors.ts"
import type { ObjectInfo } from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import { downloadStream } from "../transfer/download-stream.ts"
import type { ReadRequest } from "../transfer/fetch.ts"
import { consumeForeign, refuseForeign } from "../transfer/foreign-download.ts"
import {
  type ForeignObject,
  type NativeOutline,
  type ObjectFormat,
  openObject,
  outlineObject,
} from "../transfer/inspect.ts"
import { objectUri } from "../transfer/naming.ts"

/** A small object comes whole with the first answer; more of a large one would be wasted if it is left as it is. */
const FIRST_BYTES = 65_536
/** Several objects are on their way at the same time, and each waits for what it writes. */
const WINDOWS_AHEAD = 2

/** What an object that is to be migrated is. */
export interface SourceFacts {
  /** Stable, for scripts; `plaintext` of an object that is not encrypted. */
  readonly format: string
  /** The same for people. */
  readonly title: string
  /** As its stored length says; null if that cannot be told. */
  readonly plaintextBytes: number | null
  readonly findings: readonly Finding[]
}

/** An object that is to be migrated, pinned to what it was when it was looked at. */
export interface MigrationSource extends SourceFacts, AsyncDisposable {
  readonly info: ObjectInfo
  /** The user's own: what belongs to the format it leaves stays behind. */
  readonly metadata: Readonly<Record<string, string>>
  readonly private: PrivateMetadata
  /**
   * Decrypt all of it, into something that can be given up: only if `work` ends well is it whole and, as far as its
   * format can tell, genuine. `work` may be called a second time, to begin anew.
   */
  consume<T>(work: (plaintext: AsyncIterable<Uint8Array>) => Promise<T>): Promise<T>
}

/**
 * Open an object of any format that can be read.
 *
 * @param skipOwn - whether it is enough to know that it is of our own format.
 * @returns null if it is, and that is enough.
 * @throws {NotEncryptedError} if it is in no known format, and nobody said that it is plaintext.
 * @throws {IntegrityError} if it is damaged, or nothing authenticates it and nobody allowed that.
 * @throws {KeyMissingError} if no key at hand opens it.
 */
export async function openSource(
  context: TransferContext,
  request: ReadRequest,
  { skipOwn }: { readonly skipOwn: boolean },
): Promise<MigrationSource | null> {
  const object = await openUnlessOwn(context, request, skipOwn)
  if (!object) return null
  if (object.kind === "foreign") return foreignSource(context, object)
  await object[Symbol.asyncDispose]()
  return skipOwn ? null : nativeSource(context, request, object, object.private)
}

/**
 * What migrating an object would begin with, and what it would fail with, without reading it.
 *
 * @returns null as `openSource`.
 * @throws as `openSource`.
 */
export async function examineSource(
  context: TransferContext,
  request: ReadRequest,
  { skipOwn }: { readonly skipOwn: boolean },
): Promise<(SourceFacts & { readonly info: ObjectInfo }) | null> {
  await using object = await openUnlessOwn(context, request, skipOwn, RECOGNITION_BYTES)
  if (!object || (skipOwn && object.kind === "native")) return null
  if (object.kind === "foreign") refuseForeign(context, object)
  return { ...factsOf(object.format, object.plaintextBytes), info: object.info }
}

// One of our own is told by facts that take no key, and may be none that we have.
async function openUnlessOwn(
  context: TransferContext,
  request: ReadRequest,
  skipOwn: boolean,
  firstBytes = FIRST_BYTES,
) {
  try {
    return await openObject(context, request, firstBytes)
  } catch (error) {
    if (!skipOwn || !(error instanceof KeyMissingError)) throw error
    const { kind } = await outlineObject(context, request)
    if (kind === "native") return null
    throw error
  }
}

function foreignSource(context: TransferContext, object: ForeignObject): MigrationSource {
  const { info, metadata, format, plaintextBytes } = object
  refuseForeign(context, object)
  const item = objectUri(object.address)
  const mtime = info.lastModified && formatMtime(BigInt(info.lastModified.getTime()) * 1_000_000n)
  return {
    ...factsOf(format, plaintextBytes),
    info,
    metadata,
    private: mtime === undefined ? {} : { mtime },
    consume: (work) => consumeForeign(context, object, { item, concurrency: WINDOWS_AHEAD }, work),
    [Symbol.asyncDispose]: () => object[Symbol.asyncDispose](),
  }
}

/** One of our own, which is read in parallel. */
function nativeSource(
  context: TransferContext,
  request: ReadRequest,
  { info, metadata, format, plaintextBytes }: NativeOutline,
  known: PrivateMetadata | null,
): MigrationSource {
  return {
    ...factsOf(format, plaintextBytes),
    info,
    metadata,
    private: known ?? {},
    consume: (work) => {
      const onOpen = (object: { readonly info: ObjectInfo }): void => {
        if (object.info.etag === info.etag) return
        throw new PreconditionError(`${objectUri(request.address)} changed while it was read`)
      }
      return work(downloadStream({ ...context, onProgress: () => undefined }, { ...request, onOpen }))
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

function factsOf({ id, title, findings }: ObjectFormat, plaintextBytes: number | null): SourceFacts {
  return { format: id, title, plaintextBytes, findings }
}
