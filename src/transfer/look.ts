import { RECOGNITION_BYTES, type Reader } from "../compat/format.ts"
import { recognise } from "../compat/registry.ts"
import { IntegrityError, UsageError } from "../errors.ts"
import type { ObjectAddress, ObjectBody, ObjectInfo } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { BodyReader, checkRange, type ReadRequest, type StoredRange } from "./fetch.ts"
import { formatsOf } from "./formats.ts"
import { objectUri } from "./naming.ts"

/** An object of somebody else's, in no format that can be read. */
export class NotEncryptedError extends IntegrityError {
  constructor(address: ObjectAddress) {
    super(`${objectUri(address)} is in no format that s3ep knows: it carries no envelope`, {
      hint: "its metadata may have been lost when it was copied; if it is not encrypted, --plaintext passes it on as it is",
    })
  }
}

/** The first answer about an object, and what it says the object is. */
export interface Look {
  readonly info: ObjectInfo
  readonly reader: Reader
  /** The beginning, already taken from `body`: `RECOGNITION_BYTES`, or all there is. */
  readonly head: Uint8Array
  /** The rest of the answer, up to `end`; the caller closes it. */
  readonly body: BodyReader
  readonly end: number
}

/**
 * Fetch the beginning of an object and find out what it is: the one place that decides as what it is read.
 *
 * @param firstBytes - how much of it to ask for, at least `RECOGNITION_BYTES`.
 * @param listedBytes - its length, if a listing has told it.
 * @throws {NotEncryptedError} if it is in no known format; {IntegrityError} if it claims one and is damaged.
 */
export async function look(
  context: TransferContext,
  request: ReadRequest,
  firstBytes: number,
  listedBytes?: number,
): Promise<Look> {
  const fits = listedBytes !== undefined && listedBytes <= firstBytes
  const whole = fits ? await wholeAnswer(context, request, listedBytes) : null
  const answer = whole ?? (await firstAnswer(context, request, { start: 0, end: firstBytes }))
  const { info } = answer
  const { metadata, bytes } = info
  const end = Math.min(firstBytes, bytes)
  const body = new BodyReader(answer.body, end, answer.ownMemory)
  try {
    checkRange(answer.range, { start: 0, end })
    const head = (await body.take(Math.min(RECOGNITION_BYTES, bytes))).slice()
    if (end === head.length) await body.end() // frees the connection at once
    const found = { objectKey: request.address.key, metadata, bytes, parts: partsOf(info), head }
    const reader = recognise(formatsOf(context, request.address), found)
    if (!reader) throw new NotEncryptedError(request.address)
    return { info, reader, head, body, end }
  } catch (error) {
    await body.close()
    throw error
  }
}

/** The ETag of an object that came in parts ends in their number, on AWS and wherever that is imitated. */
function partsOf({ parts, etag }: ObjectInfo): number | null {
  if (parts !== undefined) return parts
  const [, count] = /-(\d+)"?$/.exec(etag) ?? []
  return count === undefined ? null : Number(count)
}

/**
 * What is no longer than what would be asked for is asked for whole: a range is more work to some services, and of an
 * object without bytes there is none.
 *
 * @returns null if it is not as long as was listed. The answer to a range says the whole length as well, so that one
 * of which something was lost on the way does not pass for a shorter object.
 */
async function wholeAnswer(
  { store, signal }: TransferContext,
  { address, ...options }: ReadRequest,
  listedBytes: number,
): Promise<ObjectBody | null> {
  const answer = await store.get(address, { ...options, reuseMemory: true, signal })
  if (answer.info.bytes === listedBytes) return answer
  await answer.body[Symbol.asyncIterator]().return?.()
  return null
}

async function firstAnswer(
  { store, signal }: TransferContext,
  { address, ...options }: ReadRequest,
  range: StoredRange,
): Promise<ObjectBody> {
  try {
    return await store.get(address, { ...options, range, reuseMemory: true, signal })
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
