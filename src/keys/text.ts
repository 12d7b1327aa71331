import { fromBase64, fromHex } from "../bytes.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"

const HEX_CHARACTERS = 64
const BASE64_CHARACTERS = 44
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * A 256-bit key in any of its spellings: 32 raw bytes, or one line of hex or base64 among blank lines and
 * comments (`#`). Exactly 32 bytes are always taken as raw.
 *
 * @param bytes - borrowed; wipe them.
 * @returns null if they are none of these.
 */
export function findKeyBytes(bytes: Uint8Array): SecretBytes | null {
  if (bytes.length === KEY_BYTES) return new SecretBytes(new Uint8Array(bytes))
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString("latin1")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
  const [line = ""] = lines
  const key = lines.length === 1 ? parseLine(line) : null
  return key && new SecretBytes(key)
}

/**
 * A 256-bit key that has to be one.
 *
 * @param origin - where the bytes come from, to stand in the error; never what they are.
 * @throws {KeyMissingError} if they are none, as `findKeyBytes` has it. Nothing of them is in the error.
 */
export function parseKeyBytes(bytes: Uint8Array, origin: string): SecretBytes {
  const key = findKeyBytes(bytes)
  if (key) return key
  throw new KeyMissingError(`${origin} is not a key: 32 bytes raw, in hex or in base64 are one`, {
    hint: "make one with `s3ep keys generate` or `openssl rand -base64 32`",
  })
}

/**
 * A 256-bit key in base64, as an environment variable carries it.
 *
 * @throws {KeyMissingError} as `parseKeyBytes`.
 */
export function parseKeyBase64(text: string, origin: string): SecretBytes {
  const key = fromBase64(text.trim())
  if (key?.length === KEY_BYTES) return new SecretBytes(key)
  key?.fill(0)
  throw new KeyMissingError(`${origin} is not a key: base64 of 32 bytes is one`, {
    hint: "make one with `openssl rand -base64 32`",
  })
}

/** @returns a copy without the one line ending at the end that editors and `echo` put there; wipes `secret`. */
export function withoutLineEnding(secret: SecretBytes): SecretBytes {
  const { bytes } = secret
  let end = bytes.length
  if (bytes[end - 1] === LINE_FEED) {
    end--
    if (bytes[end - 1] === CARRIAGE_RETURN) end--
  }
  const stripped = new SecretBytes(bytes.slice(0, end))
  secret[Symbol.dispose]()
  return stripped
}

function parseLine(line: string): Uint8Array<ArrayBuffer> | null {
  if (line.length === HEX_CHARACTERS) return fromHex(line)
  if (line.length === BASE64_CHARACTERS) return ofKeyLength(fromBase64(line))
  return null
}

// 44 characters of base64 are 31 bytes too, with more padding.
function ofKeyLength(key: Uint8Array<ArrayBuffer> | null): Uint8Array<ArrayBuffer> | null {
  if (key?.length === KEY_BYTES) return key
  key?.fill(0)
  return null
}
