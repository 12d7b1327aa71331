import { NotFramedError } from "../compat/aws-chunked.ts"
import type { Finding, OpenBody, Reader } from "../compat/format.ts"
import { PLAINTEXT } from "../compat/plaintext.ts"
import { IntegrityError, UsageError } from "../errors.ts"
import type { ByteRange } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { expected } from "./expect.ts"
import type { StoredRange } from "./fetch.ts"
import { peek, withoutFraming } from "./framing.ts"
import { Spool } from "./spool.ts"

type Context = Pick<TransferContext, "reading" | "random" | "signal" | "onProgress">

/** Something in the format of another system, opened, wherever it lies. */
export interface ForeignSource {
  /** What it is called in messages. */
  readonly subject: string
  readonly reader: Reader
  readonly body: OpenBody
  /** The stored bytes, or a range of them. */
  stored(range?: StoredRange): AsyncIterable<Uint8Array>
  /** Whether what `stored` yields is in memory nobody else looks at. */
  readonly ownMemory?: boolean | undefined
  /** Whether `stored` can be called again: not of a pipe. */
  readonly repeatable: boolean
}

const RANGE_UNPROVEN: Finding = {
  code: "range-unproven",
  message: "what authenticates it covers all of it: a range that is read by itself is not authenticated",
}

/**
 * Refuse what nothing authenticates, unless that was asked for, and tell what there is to know about the format.
 *
 * @throws {IntegrityError} if nothing authenticates it and nobody allowed that.
 */
export function admit(
  context: Context,
  { subject, reader }: Pick<ForeignSource, "subject" | "reader">,
): void {
  const { format, proof, findings, title } = reader
  if (proof === "never" && format !== PLAINTEXT && !context.reading?.allowUnauthenticated) {
    throw new IntegrityError(
      `nothing authenticates ${subject} (${title}): any bit of it may have been changed`,
      {
        hint: "--allow-unauthenticated reads it all the same",
      },
    )
  }
  for (const finding of findings) tell(context, { subject, reader }, finding)
}

/**
 * Decrypt all of it as it comes, into something that can be given up: nothing of it is to be released before `consume`
 * has ended well, since only the end proves most of these formats.
 *
 * @param consume - called a second time, to begin anew, if what looked like framing is not.
 */
export async function provisionally<T>(
  context: Context,
  source: ForeignSource,
  consume: (plaintext: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const expectation = context.reading?.expect
  if (expectation) return await provisionally(withoutExpectation(context), source, comparing)
  const { body, reader, repeatable } = source
  if (!reader.mayBeFramed) return await consume(body.decrypt(source.stored(), source.ownMemory))
  if (!repeatable) return await consume(proven(context, source))
  try {
    const unframed = () => tellUnframed(context, source)
    return await consume(withoutFraming(body.decrypt(source.stored(), source.ownMemory), unframed))
  } catch (error) {
    if (!(error instanceof NotFramedError)) throw error
    return await consume(body.decrypt(source.stored(), source.ownMemory))
  }

  function comparing(plaintext: AsyncIterable<Uint8Array>): Promise<T> {
    return consume(expected(plaintext, expectation ?? {}))
  }
}

function withoutExpectation(context: Context): Context {
  return { ...context, reading: { ...context.reading, expect: undefined } }
}

/**
 * Decrypt it, or a range of it, and hand out only what is proven: where only the end proves it, it is read to the end
 * first and its ciphertext is kept, in memory or in a temporary file; so is what is to be compared with what is known
 * of it. With `allowUnauthenticated` it is handed out as it comes, and a range is read by itself where the format can.
 *
 * @throws {UsageError} if the range begins beyond the end.
 */
export async function* released(
  context: Context,
  source: ForeignSource,
  range?: ByteRange,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { body, reader, repeatable } = source
  const { proof, plaintextBytes, mayBeFramed } = reader
  const { expect, allowUnauthenticated } = context.reading ?? {}
  const atOnce = !expect && (proof !== "end" || allowUnauthenticated === true)
  if (range && atOnce && body.at && plaintextBytes !== null && repeatable) {
    if (proof === "end") tell(context, source, RANGE_UNPROVEN)
    const { start, end } = within(range, plaintextBytes)
    if (end > start) yield* body.at.decrypt(start, source.stored(body.at.place({ start, end })))
  } else if (atOnce && !mayBeFramed) {
    yield* slice(body.decrypt(source.stored(), source.ownMemory), range)
  } else if (!(atOnce && repeatable)) {
    yield* slice(proven(context, source), range)
  } else {
    const { looksFramed, pieces } = await peek(body.decrypt(source.stored(), source.ownMemory))
    if (!looksFramed) {
      yield* slice(pieces, range)
      return
    }
    await pieces.return()
    yield* slice(proven(context, source), range)
  }
}

/** Read it to the end, keeping its ciphertext, and only then hand it out, without framing it should not have. */
async function* proven(context: Context, source: ForeignSource): AsyncGenerator<Uint8Array, void, undefined> {
  const { body, reader } = source
  const { signal } = context
  await using spool = new Spool(context.random)
  const first = await peek(body.decrypt(spool.keep(source.stored())))
  for await (const _ of first.pieces) signal.throwIfAborted()
  const framed = reader.mayBeFramed && first.looksFramed && (await isFramed())
  const plaintext = () => body.decrypt(spool.read())
  const { expect } = context.reading ?? {}
  if (expect) {
    const whole = framed ? withoutFraming(plaintext(), () => undefined) : plaintext()
    for await (const _ of expected(whole, expect)) signal.throwIfAborted()
  }
  yield* framed ? withoutFraming(plaintext(), () => tellUnframed(context, source)) : plaintext()

  async function isFramed(): Promise<boolean> {
    try {
      for await (const _ of withoutFraming(body.decrypt(spool.read()), () => undefined))
        signal.throwIfAborted()
      return true
    } catch (error) {
      if (error instanceof NotFramedError) return false
      throw error
    }
  }
}

async function* slice(
  pieces: AsyncIterable<Uint8Array>,
  range: ByteRange | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (!range) {
    yield* pieces
    return
  }
  const { start, end = Number.POSITIVE_INFINITY } = range
  let position = 0
  for await (const piece of pieces) {
    const from = Math.max(0, start - position)
    const to = Math.min(piece.length, end - position)
    position += piece.length
    if (to > from) yield piece.subarray(from, to)
    if (position >= end) return
  }
  within(range, position)
}

/** A range as it lies in an object of that length. @throws {UsageError} if it begins beyond the end. */
function within({ start, end }: ByteRange, bytes: number): { start: number; end: number } {
  if (start > bytes || (start === bytes && start > 0)) {
    throw new UsageError(`it has ${bytes} bytes: there is none from ${start} on`)
  }
  return { start, end: Math.min(end ?? bytes, bytes) }
}

function tellUnframed({ onProgress }: Context, { subject }: ForeignSource): void {
  onProgress({
    type: "notice",
    message: `${subject}: the framing of its upload (aws-chunked) had been encrypted with it, and was taken away`,
  })
}

/** Say something about a format, once in a run. */
export function tell(
  { reading, onProgress }: Context,
  { subject, reader }: Pick<ForeignSource, "subject" | "reader">,
  { code, message, hint }: Finding,
): void {
  if (reading?.told?.has(code)) return
  reading?.told?.add(code)
  onProgress({ type: "notice", message: `${subject} (${reader.title}): ${message}`, hint })
}
