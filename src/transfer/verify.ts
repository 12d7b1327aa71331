import { release } from "../bytes.ts"
import type { ObjectAddress } from "../store/store.ts"
import { forEachConcurrent } from "./concurrent.ts"
import type { TransferContext } from "./context.ts"
import { windowsAtOnce } from "./download-windows.ts"
import type { ReadRequest } from "./fetch.ts"
import { verifyForeign } from "./foreign-download.ts"
import { type ObjectFormat, openObject } from "./inspect.ts"
import { namingObject, objectUri } from "./naming.ts"
import { ObjectOpener } from "./opener.ts"
import { inRows, Windows } from "./windows.ts"

const WINDOW_BYTES = 16 * 1024 ** 2

export interface VerifyRequest extends ReadRequest {
  /** Its name in progress events; the object's URI if not given. */
  readonly item?: string | undefined
  /** Requests at once, fewer if large chunks would take too much memory; found out if not given. */
  readonly concurrency?: number | undefined
  /** Stored bytes to ask for at once. */
  readonly windowBytes?: number | undefined
  /** Stored bytes of the object, if a listing has told them. */
  readonly listedBytes?: number | undefined
}

export interface VerifyResult {
  readonly address: ObjectAddress
  /** Plaintext. */
  readonly bytes: number
  readonly storedBytes: number
  /** Null for formats that have none. */
  readonly chunks: number | null
  readonly segments: number | null
  readonly etag: string
  readonly versionId: string | undefined
  readonly format: ObjectFormat
  /** The KEK that opened it; null where there is none, or only the body told. */
  readonly kek: { readonly id: string; readonly name: string } | null
}

/**
 * Read all of an object and check it as a download does, and keep nothing.
 *
 * @throws {IntegrityError} if the object is not what was written; {KeyMissingError} if no key opens it.
 */
export async function verifyObject(context: TransferContext, request: VerifyRequest): Promise<VerifyResult> {
  const { address, windowBytes = WINDOW_BYTES } = request
  const item = request.item ?? objectUri(address)
  await using object = await openObject(context, request, windowBytes / 2, request.listedBytes)
  return await namingObject(address, async () => {
    const { format } = object
    if (object.kind === "foreign") {
      const { bytes } = await verifyForeign(context, object, { item, concurrency: request.concurrency })
      context.onProgress({ type: "finished", item })
      const { etag, versionId, bytes: storedBytes } = object.info
      return {
        address,
        bytes,
        storedBytes,
        chunks: null,
        segments: null,
        etag,
        versionId,
        format,
        kek: object.body.kek,
      }
    }
    const { layout, info, kek } = object
    const { chunks, segments, plaintextBytes: bytes } = layout
    context.onProgress({ type: "started", item, bytes, doneBytes: 0, parts: undefined })
    const opener = new ObjectOpener(object)
    const limit = windowsAtOnce(layout, request.concurrency)
    const windows = new Windows(layout, windowBytes)
    await forEachConcurrent(
      inRows(windows, windows.count, limit),
      limit,
      async (row, signal) => {
        await using answer = opener.fetch(row, signal)
        for (const window of row) {
          for await (const chunks of answer.open(window)) {
            const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
            limit.progressed(bytes)
            context.onProgress({ type: "advanced", item, bytes })
            chunks.forEach(release)
          }
        }
      },
      { signal: context.signal },
    )
    await opener.checkSeal(context.signal)
    context.onProgress({ type: "finished", item })
    const { etag, versionId, bytes: storedBytes } = info
    const { id, name } = kek
    return { address, bytes, storedBytes, chunks, segments, etag, versionId, format, kek: { id, name } }
  })
}
