import { DeniedError, UnavailableError, UnsupportedError, UsageError } from "../errors.ts"
import type { AnswerBody } from "./http/answer-body.ts"
import type { Pace } from "./pace.ts"
import { failureOf, translate } from "./s3-errors.ts"
import { quoted, readInput } from "./s3-inputs.ts"
import { infoOf } from "./s3-outputs.ts"
import type { S3Session, Sending } from "./s3-session.ts"
import type { GetOptions, HeadOptions, ObjectAddress, ObjectBody, ObjectInfo } from "./store.ts"

export async function headObject(
  session: S3Session,
  address: ObjectAddress,
  options: HeadOptions = {},
): Promise<ObjectInfo> {
  const sending = reading(address, options.signal)
  try {
    const output = await session.ask(sending, "HeadObject", {
      ...readInput(address, options),
      ...(options.wholeChecksum && { ChecksumMode: "ENABLED" }),
    })
    return infoOf(output, output.ContentLength ?? 0)
  } catch (error) {
    // The answer to HEAD has no body to say why; a GET's has, or works, if only the clock was off.
    if (!(error instanceof DeniedError || error instanceof UsageError)) throw error
    const { info, body } = await getObject(session, address, options)
    await body[Symbol.asyncIterator]().return?.()
    return info
  }
}

export async function getObject(
  session: S3Session,
  address: ObjectAddress,
  options: GetOptions = {},
): Promise<ObjectBody> {
  const { range } = options
  const sending = reading(address, options.signal)
  const output = await session.ask(sending, "GetObject", {
    ...readInput(address, options),
    ...(range && { Range: `bytes=${range.start}-${range.end === undefined ? "" : range.end - 1}` }),
    ...(options.ifMatch !== undefined && { IfMatch: quoted(options.ifMatch) }),
  })
  if (options.reuseMemory && isDirect(output.Body)) output.Body.reuseMemory()
  const held = heldRange(output)
  if (!held) {
    release(output.Body)
    const said = output.ContentRange === undefined ? "" : `, ${JSON.stringify(output.ContentRange)},`
    const message = `cannot ${sending.action}: the range${said} and the length of the answer make no sense`
    throw new UnavailableError(message, { transient: "garbled" })
  }
  // A 206 may still be to another question; that is for whoever asked to see.
  if (
    output.ContentRange === undefined &&
    range &&
    (held.start !== range.start || (range.end !== undefined && held.end > range.end))
  ) {
    release(output.Body)
    throw new UnsupportedError(`cannot ${sending.action}: the service does not serve ranges`, {
      feature: "range",
    })
  }
  return {
    info: infoOf(output, held.total),
    range: { start: held.start, end: held.end },
    body: bodyOf(output.Body, held.end - held.start, sending, session.pace()),
    ownMemory: output.ownMemory === true && !(options.reuseMemory && isDirect(output.Body)),
  }
}

export function reading(address: ObjectAddress, signal: AbortSignal | undefined): Sending {
  return {
    action: `read s3://${address.bucket}/${address.key}`,
    bucket: address.bucket,
    about: "object",
    signal,
  }
}

/** What of the object an answer says it holds; null if it contradicts itself. */
function heldRange(output: {
  readonly ContentRange?: string | undefined
  readonly ContentLength?: number | undefined
  readonly $metadata: { readonly httpStatusCode?: number | undefined }
}): { start: number; end: number; total: number } | null {
  const { ContentRange: said, ContentLength: length } = output
  if (said === undefined) {
    const whole = length !== undefined && output.$metadata.httpStatusCode !== 206
    return whole ? { start: 0, end: length, total: length } : null
  }
  const [start, last, total] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(said) ?? []).slice(1).map(Number)
  if (start === undefined || last === undefined || total === undefined) return null
  const end = last + 1
  const possible = start < end && end <= total && Number.isSafeInteger(total)
  return possible && (length === undefined || length === end - start) ? { start, end, total } : null
}

/** `return()` gives the connection up even if nothing was read, which a bare generator would not. */
function bodyOf(body: unknown, bytes: number, sending: Sending, pace: Pace): AsyncIterable<Uint8Array> {
  const slices = slicesOf(body, bytes, sending, pace)
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => slices.next(),
    return: () => {
      release(body)
      return slices.return(undefined)
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

async function* slicesOf(
  body: unknown,
  bytes: number,
  sending: Sending,
  pace: Pace,
): AsyncGenerator<Uint8Array> {
  let received = 0
  try {
    if (isIterable(body)) {
      for await (const slice of pace.keptBy(body, sending.action)) {
        sending.signal?.throwIfAborted()
        received += slice.length
        if (received > bytes) break // or it might never end
        yield slice
      }
    }
  } catch (error) {
    sending.signal?.throwIfAborted()
    const failure = failureOf(error)
    throw failure ? translate(failure, sending, error) : error
  } finally {
    release(body)
  }
  if (received === bytes) return
  if (received > bytes) {
    const message = `cannot ${sending.action}: the answer is longer than the ${bytes} bytes it was said to have`
    throw new UnavailableError(message, { transient: "garbled" })
  }
  const message = `cannot ${sending.action}: the connection ended after ${received} of ${bytes} bytes`
  throw new UnavailableError(message, { transient: "network" })
}

function isIterable(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body
}

function isDirect(body: unknown): body is AnswerBody {
  return typeof body === "object" && body !== null && "reuseMemory" in body
}

function release(body: unknown): void {
  if (isDirect(body)) void body.return()
  const destroy = typeof body === "object" && body !== null ? Reflect.get(body, "destroy") : undefined
  if (typeof destroy === "function") destroy.call(body)
}
