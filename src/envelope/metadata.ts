import { base64url, fromBase64url, utf8 } from "../bytes.ts"
import { IntegrityError, UsageError } from "../errors.ts"
import { encodeEnvelope, parseEnvelope } from "./codec.ts"
import type { Envelope } from "./envelope.ts"

/** Every name s3ep gives user metadata begins with it; nobody else's may. */
export const RESERVED_PREFIX = "s3ep-"
const FORMAT_NAME = "s3ep-format"
const FORMAT_VALUE = "agcm2"
const PIECE_PREFIX = "s3ep-envelope-"
const KEK_NAME = "s3ep-kek-fingerprint"
const PIECE_CHARACTERS = 240 // some services cap a value at 256 bytes
const MAX_PIECES = 1024

const HEADER_TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/ // RFC 9110, 5.6.2
const HEADER_VALUE = /^[\x20-\x7e]*$/

/**
 * An object's whole user metadata: the envelope in pieces, its KEKs for people and filters, and the user's own.
 *
 * @param limits - the service's, in bytes: of names and values together, and of one value.
 * @param others - the user's own; names in any case, as HTTP has them.
 * @returns lower-case names, ASCII values.
 * @throws {UsageError} if they do not fit, naming size and way out, or if one of the user's cannot be stored.
 */
export function toUserMetadata(
  envelope: Envelope,
  limits: { readonly maxMetadataBytes: number; readonly maxMetadataValueBytes: number },
  others: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const pieceCharacters = Math.min(PIECE_CHARACTERS, limits.maxMetadataValueBytes)
  const encoded = base64url(utf8(encodeEnvelope(envelope)))
  const metadata = new Map([[FORMAT_NAME, FORMAT_VALUE]])
  for (let piece = 0; piece * pieceCharacters < encoded.length; piece++) {
    const start = piece * pieceCharacters
    metadata.set(`${PIECE_PREFIX}${piece}`, encoded.slice(start, start + pieceCharacters))
  }
  const keks = envelope.recipients.map((recipient) => recipient.kek).join(",")
  metadata.set(KEK_NAME, keks.slice(0, pieceCharacters))
  const envelopeBytes = sizeOf(metadata)
  for (const [name, value] of Object.entries(others)) {
    checkOther(name, value, limits.maxMetadataValueBytes)
    if (metadata.has(name.toLowerCase())) throw new UsageError(`metadata ${name} is given twice`)
    metadata.set(name.toLowerCase(), value)
  }
  const totalBytes = sizeOf(metadata)
  if (totalBytes > limits.maxMetadataBytes) {
    const { length } = envelope.recipients
    throw new UsageError(
      `the object's metadata need ${totalBytes} bytes and the service takes ${limits.maxMetadataBytes}:` +
        ` ${envelopeBytes} for the envelope with ${length} recipient${length === 1 ? "" : "s"},` +
        ` ${totalBytes - envelopeBytes} of your own`,
      {
        hint:
          envelopeBytes > limits.maxMetadataBytes
            ? `wrap to ${length > 1 ? "fewer KEKs (`--kek`), or to " : ""}a keyring, which has room: \`s3ep keyring init\``
            : "give less metadata of your own, or wrap to a keyring instead of to many KEKs: `s3ep keyring init`",
      },
    )
  }
  return Object.fromEntries(metadata)
}

/**
 * Read an object's envelope.
 *
 * @param metadata - the object's whole user metadata; names in any case.
 * @returns null if the object is not s3ep's.
 * @throws {IntegrityError} if it claims to be and its envelope is damaged.
 */
export function fromUserMetadata(metadata: Readonly<Record<string, string>>): Envelope | null {
  const pieces = new Map<string, string>()
  let format: string | undefined
  for (const [anyCase, value] of Object.entries(metadata)) {
    const name = anyCase.toLowerCase()
    if (name === FORMAT_NAME) format = value
    else if (name.startsWith(PIECE_PREFIX)) {
      if (pieces.has(name)) throw damaged(`${name} is there twice`)
      pieces.set(name, value)
    }
  }
  if (format === undefined && pieces.size === 0) return null
  if (format === undefined) throw damaged(`${FORMAT_NAME} is missing`)
  if (format !== FORMAT_VALUE) {
    throw new IntegrityError(`it has a format this s3ep does not know`, { hint: "upgrade s3ep" })
  }
  if (pieces.size === 0) throw damaged("it is missing")
  if (pieces.size > MAX_PIECES) throw damaged(`it comes in ${pieces.size} pieces`)
  let encoded = ""
  for (let piece = 0; piece < pieces.size; piece++) {
    const value = pieces.get(`${PIECE_PREFIX}${piece}`)
    if (value === undefined) throw damaged(`piece ${piece} of ${pieces.size} is missing`)
    encoded += value
  }
  const json = fromBase64url(encoded)
  if (!json) throw damaged("it is not base64url")
  return parseEnvelope(json)
}

function checkOther(name: string, value: string, maxValueBytes: number): void {
  if (!HEADER_TOKEN.test(name)) {
    throw new UsageError(`metadata name ${JSON.stringify(name)} has characters a header's name cannot have`)
  }
  if (name.toLowerCase().startsWith(RESERVED_PREFIX)) {
    throw new UsageError(`metadata name ${name} is reserved: names may not begin with ${RESERVED_PREFIX}`)
  }
  if (!HEADER_VALUE.test(value)) {
    throw new UsageError(`metadata ${name} has characters outside printable ASCII, which S3 does not keep`)
  }
  if (value.length > maxValueBytes) {
    throw new UsageError(
      `metadata ${name} has ${value.length} bytes and the service takes ${maxValueBytes} at most`,
    )
  }
}

// S3 counts UTF-8 bytes of names and values; all of these are ASCII.
function sizeOf(metadata: ReadonlyMap<string, string>): number {
  let bytes = 0
  for (const [name, value] of metadata) bytes += name.length + value.length
  return bytes
}

function damaged(why: string): IntegrityError {
  return new IntegrityError(`its envelope is damaged: ${why}`)
}
