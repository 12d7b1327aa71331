import { base64url, concat, fromBase64url, fromUtf8, utf8 } from "../bytes.ts"
import { aeadOpen, aeadSeal, KEY_BYTES, NONCE_BYTES } from "../crypto/aead.ts"
import { hkdfSha512 } from "../crypto/kdf.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { IntegrityError } from "../errors.ts"

/** What is known of the original and only who can open the object may learn. Absent means unknown. */
export interface PrivateMetadata {
  /** The file's name, without a directory. */
  readonly name?: string
  /** Plaintext bytes. */
  readonly size?: number
  /** ISO 8601, UTC, with nine decimals; see `formatMtime`. */
  readonly mtime?: string
  /** Permission bits, 0 to 0o7777. */
  readonly mode?: number
  /** Content type. */
  readonly type?: string
}

const META_INFO = utf8("s3ep AGCM v2 metadata")
const NANOSECONDS = 1_000_000_000n
const MTIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/

/**
 * Seal private metadata for an envelope's `meta`.
 *
 * @param nonce - 12 random bytes, never used twice with this DEK.
 * @returns base64url of nonce ‖ ciphertext ‖ tag.
 * @see man/s3ep-format.5, "The envelope"
 */
export function sealPrivateMetadata(metadata: PrivateMetadata, dek: SecretBytes, nonce: Uint8Array): string {
  const { name, size, mtime, mode, type } = metadata
  const json = utf8(JSON.stringify({ name, size, mtime, mode, type }))
  using key = deriveMetadataKey(dek)
  return base64url(concat(nonce, aeadSeal(key.bytes, nonce, json)))
}

/**
 * Open an envelope's private metadata. Members it does not know are left out.
 *
 * @returns null if the envelope has none.
 * @throws {IntegrityError} if they were not sealed under this DEK, or say what no writer says.
 */
export function openPrivateMetadata(
  { meta }: { readonly meta?: string },
  dek: SecretBytes,
): PrivateMetadata | null {
  if (meta === undefined) return null
  using key = deriveMetadataKey(dek)
  const sealed = fromBase64url(meta)
  const json =
    sealed &&
    sealed.length > NONCE_BYTES &&
    aeadOpen(key.bytes, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES))
  if (!json) throw new IntegrityError("its private metadata fail authentication")
  const metadata = parse(json)
  if (!metadata) throw new IntegrityError("its private metadata make no sense")
  return metadata
}

/**
 * A file's time of modification as private metadata carry it.
 *
 * @param mtimeNs - nanoseconds since 1970, as `fs.BigIntStats` has them; may be negative.
 * @returns for example `2026-03-01T12:00:00.123456789Z`, or undefined outside the years 0 to 9999.
 */
export function formatMtime(mtimeNs: bigint): string | undefined {
  const fraction = ((mtimeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS
  const seconds = Number((mtimeNs - fraction) / NANOSECONDS)
  const date = new Date(seconds * 1000)
  const year = date.getUTCFullYear()
  if (!(year >= 0 && year <= 9999)) return undefined
  return `${date.toISOString().slice(0, 19)}.${fraction.toString().padStart(9, "0")}Z`
}

/** @returns nanoseconds since 1970, or null if it is not a time as `formatMtime` writes it. */
export function parseMtime(mtime: string): bigint | null {
  const [, seconds, fraction = ""] = MTIME.exec(mtime) ?? []
  if (seconds === undefined) return null
  const milliseconds = Date.parse(`${seconds}Z`)
  // Date.parse() takes the 31st of February for the 3rd of March.
  if (Number.isNaN(milliseconds) || !new Date(milliseconds).toISOString().startsWith(seconds)) return null
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0"))
}

function deriveMetadataKey(dek: SecretBytes): SecretBytes {
  return hkdfSha512(dek.bytes, new Uint8Array(0), META_INFO, KEY_BYTES)
}

function parse(json: Uint8Array): PrivateMetadata | null {
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(json))
  } catch {
    return null
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null
  const { name, size, mtime, mode, type }: { [member in keyof PrivateMetadata]?: unknown } = value
  const sound =
    isOptional(name, (name) => typeof name === "string") &&
    isOptional(size, (size) => Number.isSafeInteger(size) && Number(size) >= 0) &&
    isOptional(mtime, (mtime) => typeof mtime === "string" && parseMtime(mtime) !== null) &&
    isOptional(mode, (mode) => Number.isInteger(mode) && Number(mode) >= 0 && Number(mode) <= 0o7777) &&
    isOptional(type, (type) => typeof type === "string")
  if (!sound) return null
  return {
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof size === "number" ? { size } : {}),
    ...(typeof mtime === "string" ? { mtime } : {}),
    ...(typeof mode === "number" ? { mode } : {}),
    ...(typeof type === "string" ? { type } : {}),
  }
}

function isOptional(value: unknown, holds: (value: unknown) => boolean): boolean {
  return value === undefined || holds(value)
}
