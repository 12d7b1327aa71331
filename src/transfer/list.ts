import { isReserved } from "../envelope/reserved.ts"
import { DeniedError, IntegrityError, NotFoundError, PreconditionError, type S3epError } from "../errors.ts"
import type { CustomerKey, ListedObject } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { NotEncryptedError, outlineObject } from "./inspect.ts"
import { inOrder } from "./ordered.ts"

const CONCURRENCY = 16
const UNKNOWN = { bytes: null, encrypted: null, format: null, problem: null }

export interface ListRequest {
  /** All that lies below; otherwise one level, with what lies deeper as prefixes. */
  readonly recursive?: boolean | undefined
  /** Find out each object's plaintext size, which takes a request for 80 bytes of it. */
  readonly plaintextSizes?: boolean | undefined
  /** Of those requests. */
  readonly concurrency?: number | undefined
  readonly requesterPays?: boolean | undefined
  readonly customerKey?: CustomerKey | undefined
  /** Give what s3ep keeps for itself too; it is left out otherwise, unless `prefix` lies among it. */
  readonly reserved?: boolean | undefined
}

export type Listed =
  | { readonly kind: "prefix"; readonly key: string }
  | {
      readonly kind: "object"
      readonly key: string
      readonly storedBytes: number
      /** Plaintext, as its length and header say (nothing was authenticated); null if nobody asked or can say. */
      readonly bytes: number | null
      /** Whether it is in a format that can be read; null if nobody asked or can say. */
      readonly encrypted: boolean | null
      /** Which: `agcm2` is ours; null if nobody asked or can say. */
      readonly format: string | null
      /** Why its size cannot be told, if it should have been. */
      readonly problem: S3epError | null
      readonly etag: string
      readonly lastModified: Date | undefined
      readonly storageClass: string | undefined
    }

/**
 * What a bucket holds under a prefix, in the order of the keys. An object that cannot be looked at is listed with
 * its problem.
 *
 * @throws {NotFoundError} if there is no such bucket.
 */
export async function* listObjects(
  context: TransferContext,
  bucket: string,
  prefix: string,
  request: ListRequest = {},
): AsyncGenerator<Listed, void, undefined> {
  const { requesterPays } = request
  const { signal } = context
  const delimiter = request.recursive ? {} : { delimiter: "/" as const }
  const all = context.store.list(bucket, { prefix, ...delimiter, requesterPays, signal })
  const entries = request.reserved || isReserved(prefix) ? all : withoutReserved(all)
  if (!request.plaintextSizes) {
    for await (const entry of entries) yield listed(entry, UNKNOWN)
    return
  }
  const look = async function* (entry: ListedObject, signal: AbortSignal): AsyncGenerator<Listed> {
    yield entry.kind === "prefix" ? entry : await sized({ ...context, signal }, bucket, entry, request)
  }
  yield* inOrder(entries, request.concurrency ?? CONCURRENCY, look, { signal })
}

/** A listing without what s3ep keeps for itself. */
export async function* withoutReserved(
  entries: AsyncIterable<ListedObject>,
): AsyncGenerator<ListedObject, void, undefined> {
  for await (const entry of entries) if (!isReserved(entry.key)) yield entry
}

async function sized(
  context: TransferContext,
  bucket: string,
  entry: ListedObject & { kind: "object" },
  { requesterPays, customerKey }: ListRequest,
): Promise<Listed> {
  try {
    const address = { bucket, key: entry.key }
    const { plaintextBytes: bytes, format } = await outlineObject(context, {
      address,
      requesterPays,
      customerKey,
    })
    return listed(entry, { bytes, encrypted: true, format: format.id, problem: null })
  } catch (error) {
    if (error instanceof NotEncryptedError) {
      return listed(entry, { ...UNKNOWN, encrypted: false })
    }
    const itsOwn =
      error instanceof IntegrityError ||
      error instanceof DeniedError ||
      error instanceof PreconditionError ||
      (error instanceof NotFoundError && error.what === "object")
    if (!itsOwn) throw error
    return listed(entry, { ...UNKNOWN, problem: error })
  }
}

function listed(
  entry: ListedObject,
  found: Pick<Listed & { kind: "object" }, "bytes" | "encrypted" | "format" | "problem">,
): Listed {
  if (entry.kind === "prefix") return entry
  const { bytes: storedBytes, ...rest } = entry
  return { ...rest, storedBytes, ...found }
}
