import { BegunStream } from "../begun-stream.ts"
import { concat, readU32le, u32le, utf8 } from "../bytes.ts"
import { IntegrityError } from "../errors.ts"
import { encodeEnvelope, MAX_ENVELOPE_BYTES, parseEnvelope } from "./codec.ts"
import type { Envelope } from "./envelope.ts"

/** Magic, version, length of the area, length of the envelope. */
export const FILE_PREFIX_BYTES = 16
const MAGIC = utf8("S3EP")
const VERSION = 1
const MIN_AREA_BYTES = 1024
const MAX_AREA_BYTES = 1_048_576

/** What a container begins with; nothing of it is authenticated. */
export interface FilePrefix {
  readonly areaBytes: number
  /** Of the area; zeros follow. */
  readonly envelopeBytes: number
}

/**
 * What stands before the AGCM stream in a file or a pipe.
 *
 * @param options.areaBytes - room for the envelope; by default twice what it takes and at least 1 KiB, so that a
 * rotation can rewrite it in place.
 * @throws {RangeError} if the envelope does not fit, or the area is larger than 1 MiB.
 * @see man/s3ep-format.5, "The envelope"
 */
export function encodeFileHeader(
  envelope: Envelope,
  options: { areaBytes?: number | undefined } = {},
): Uint8Array<ArrayBuffer> {
  const json = utf8(encodeEnvelope(envelope))
  const areaBytes = options.areaBytes ?? Math.max(MIN_AREA_BYTES, 2 * json.length)
  if (json.length > Math.min(areaBytes, MAX_ENVELOPE_BYTES) || areaBytes > MAX_AREA_BYTES) {
    throw new RangeError(`an envelope of ${json.length} bytes in an area of ${areaBytes}`)
  }
  const zeros = new Uint8Array(areaBytes - json.length)
  return concat(MAGIC, u32le(VERSION), u32le(areaBytes), u32le(json.length), json, zeros)
}

/** Whether bytes begin as a container does. */
export function isContainer(begin: Uint8Array): boolean {
  return MAGIC.every((byte, at) => begin[at] === byte)
}

/**
 * Read a container's first 16 bytes: how long its header is.
 *
 * @param prefix - 16 bytes, or fewer if the file has no more.
 * @throws {IntegrityError} if they do not begin a container of version 1, or its lengths are impossible.
 */
export function parseFilePrefix(prefix: Uint8Array): FilePrefix {
  if (prefix.length < FILE_PREFIX_BYTES || !isContainer(prefix)) {
    throw new IntegrityError("it does not begin with the header of an s3ep file")
  }
  const version = readU32le(prefix, 4)
  if (version !== VERSION) {
    throw new IntegrityError(`it is an s3ep file of version ${version}, which this s3ep does not know`, {
      hint: "upgrade s3ep",
    })
  }
  const areaBytes = readU32le(prefix, 8)
  const envelopeBytes = readU32le(prefix, 12)
  if (areaBytes > MAX_AREA_BYTES || envelopeBytes > Math.min(areaBytes, MAX_ENVELOPE_BYTES)) {
    throw damaged(`it claims to have ${envelopeBytes} bytes in an area of ${areaBytes}`)
  }
  return { areaBytes, envelopeBytes }
}

/**
 * Read the envelope from a container's area.
 *
 * @param area - what follows the prefix, `areaBytes` long.
 * @throws {IntegrityError} if it is damaged, or shorter.
 */
export function parseFileArea(area: Uint8Array, { areaBytes, envelopeBytes }: FilePrefix): Envelope {
  if (area.length !== areaBytes) throw damaged(`the file ends within it`)
  if (area.subarray(envelopeBytes).some((byte) => byte !== 0)) throw damaged("zeros should follow it")
  return parseEnvelope(area.subarray(0, envelopeBytes))
}

/**
 * Read the header of a container as it arrives.
 *
 * @param source - sliced as it comes; what is not header is in `body`. Ended if the header is refused.
 * @returns the envelope; how many bytes stand before the stream; the stream, to be drained or returned.
 * @throws {IntegrityError} as `parseFilePrefix` and `parseFileArea`.
 */
export async function readFileHeader(source: AsyncIterable<Uint8Array>): Promise<{
  envelope: Envelope
  headerBytes: number
  areaBytes: number
  body: BegunStream
}> {
  const input = source[Symbol.asyncIterator]()
  const pieces: Uint8Array[] = []
  let gathered = 0
  const gather = async (bytes: number): Promise<Uint8Array> => {
    while (gathered < bytes) {
      const next = await input.next()
      if (next.done) break
      // The source may reuse its memory for the next piece.
      pieces.push(next.value.slice())
      gathered += next.value.length
    }
    return concat(...pieces)
  }
  try {
    const prefix = parseFilePrefix(await gather(FILE_PREFIX_BYTES))
    const headerBytes = FILE_PREFIX_BYTES + prefix.areaBytes
    const begin = await gather(headerBytes)
    const envelope = parseFileArea(begin.subarray(FILE_PREFIX_BYTES, headerBytes), prefix)
    const body = new BegunStream(begin.length > headerBytes ? [begin.subarray(headerBytes)] : [], input)
    return { envelope, headerBytes, areaBytes: prefix.areaBytes, body }
  } catch (error) {
    await input.return?.()
    throw error
  }
}

function damaged(why: string): IntegrityError {
  return new IntegrityError(`its envelope is damaged: ${why}`)
}
