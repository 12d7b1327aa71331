import { base64, fromBase64 } from "../bytes.ts"
import { CTR_IV_BYTES } from "../crypto/ctr.ts"
import { IntegrityError } from "../errors.ts"
import { NONE_FINGERPRINT } from "./s3-encryption-proxy-keys.ts"

export const DEFAULT_PROXY_PREFIX = "s3ep-"
export const HMAC_BYTES = 32

/** What the proxy keeps beside an object, checked for form; nothing of it is authenticated. */
export interface ProxyMetadata {
  /** In front of every name; may be empty. */
  readonly prefix: string
  readonly cipher: "aes-gcm" | "aes-ctr"
  /** By the names that releases before 3.0.0 used. */
  readonly old: boolean
  readonly wrappedDek: Uint8Array
  /** 64 hexadecimal digits. */
  readonly fingerprint: string
  /** `aes` or `rsa`, as somebody wrote it down; not to be believed. */
  readonly kekAlgorithm: string | null
  /** 16 bytes for aes-ctr; null if there is none. Of aes-gcm a copy of the nonce, 12 bytes, which is only written. */
  readonly iv: Uint8Array | null
  /** 32 bytes; null if there is none. */
  readonly hmac: Uint8Array | null
}

/** What tells the proxy's objects from others: an object with two of them under one prefix claims to be one. */
const TELLING = ["encrypted-dek", "dek-algorithm", "kek-fingerprint"] as const
const NAMES: readonly string[] = [...TELLING, "kek-algorithm", "aes-iv", "hmac"]

const CIPHERS: ReadonlyMap<string, { cipher: ProxyMetadata["cipher"]; old: boolean }> = new Map([
  ["aes-gcm", { cipher: "aes-gcm", old: false }],
  ["aes-ctr", { cipher: "aes-ctr", old: false }],
  ["aes-256-gcm", { cipher: "aes-gcm", old: true }],
  ["aes-256-ctr", { cipher: "aes-ctr", old: true }],
])

/**
 * Read what the proxy keeps beside an object, under whatever prefix it was configured with, none included.
 *
 * @param metadata - the object's whole user metadata; lower-case names.
 * @param preferredPrefix - decides if there are several.
 * @returns null if the object does not claim to be the proxy's.
 * @throws {IntegrityError} if it does and something is missing, malformed or ambiguous.
 */
export function readProxyMetadata(
  metadata: Readonly<Record<string, string>>,
  preferredPrefix: string = DEFAULT_PROXY_PREFIX,
): ProxyMetadata | null {
  const prefix = findPrefix(metadata, preferredPrefix)
  if (prefix === null) return null
  const value = (name: string) => metadata[prefix + name]
  const algorithm = value("dek-algorithm")
  const wrapped = value("encrypted-dek")
  const fingerprint = value("kek-fingerprint")
  if (wrapped === undefined) throw damaged(`${prefix}encrypted-dek is missing`)
  if (algorithm === undefined) throw damaged(`${prefix}dek-algorithm is missing`)
  if (fingerprint === undefined) throw damaged(`${prefix}kek-fingerprint is missing`)
  const cipher = CIPHERS.get(algorithm)
  if (!cipher) throw damaged(`${prefix}dek-algorithm is none of the proxy's`)
  if (fingerprint === NONE_FINGERPRINT) {
    throw damaged("it names no KEK but that of the proxy's none provider, which encrypts nothing")
  }
  if (!/^[0-9a-f]{64}$/.test(fingerprint)) throw damaged(`${prefix}kek-fingerprint is not a SHA-256`)
  const wrappedDek = bytesOf(wrapped)
  if (!wrappedDek) throw damaged(`${prefix}encrypted-dek is not base64`)
  // An aes-gcm body brings its nonce itself.
  const iv = cipher.cipher === "aes-gcm" ? null : field(prefix, "aes-iv", value("aes-iv"), CTR_IV_BYTES)
  if (!iv && cipher.cipher === "aes-ctr" && !cipher.old) throw damaged(`${prefix}aes-iv is missing`)
  const hmac = field(prefix, "hmac", value("hmac"), HMAC_BYTES)
  return {
    prefix,
    ...cipher,
    wrappedDek,
    fingerprint,
    kekAlgorithm: value("kek-algorithm") ?? null,
    iv,
    hmac,
  }
}

/** What the proxy has to find beside an object. @returns lower-case names. */
export function writeProxyMetadata({
  prefix,
  cipher,
  wrappedDek,
  fingerprint,
  kekAlgorithm,
  iv,
  hmac,
}: Omit<ProxyMetadata, "old">): Record<string, string> {
  return {
    [`${prefix}dek-algorithm`]: cipher,
    [`${prefix}encrypted-dek`]: base64(wrappedDek),
    [`${prefix}kek-fingerprint`]: fingerprint,
    ...(kekAlgorithm && { [`${prefix}kek-algorithm`]: kekAlgorithm }),
    ...(iv && { [`${prefix}aes-iv`]: base64(iv) }),
    ...(hmac && { [`${prefix}hmac`]: base64(hmac) }),
  }
}

/** Whether a name among an object's user metadata is the proxy's: it hides whatever begins with its prefix. */
export function isProxyName(name: string, prefix: string): boolean {
  return prefix === "" ? NAMES.includes(name) : name.startsWith(prefix)
}

function findPrefix(metadata: Readonly<Record<string, string>>, preferred: string): string | null {
  const counts = new Map<string, number>()
  for (const name of Object.keys(metadata)) {
    const telling = TELLING.find((ending) => name.endsWith(ending))
    if (telling === undefined) continue
    const prefix = name.slice(0, -telling.length)
    counts.set(prefix, (counts.get(prefix) ?? 0) + 1)
  }
  // One alone may be anybody's, but for the name nobody else gives anything.
  const alone = [preferred, DEFAULT_PROXY_PREFIX].filter((prefix) => `${prefix}encrypted-dek` in metadata)
  const found = new Set([...alone, ...[...counts].filter(([, count]) => count > 1).map(([prefix]) => prefix)])
  if (found.has(preferred)) return preferred
  const [prefix, another] = found
  if (another !== undefined) {
    throw new IntegrityError("it carries the metadata of S3 Encryption Proxy twice, under two prefixes", {
      hint: "say with --proxy-config which prefix is right",
    })
  }
  return prefix ?? null
}

function field(prefix: string, name: string, value: string | undefined, length: number): Uint8Array | null {
  if (value === undefined) return null
  const bytes = bytesOf(value)
  if (!bytes) throw damaged(`${prefix}${name} is not base64`)
  if (bytes.length !== length)
    throw damaged(`${prefix}${name} has ${bytes.length} bytes instead of ${length}`)
  return bytes
}

// Go's decoder, which the proxy uses, skips line ends.
function bytesOf(value: string): Uint8Array | null {
  return fromBase64(value.replaceAll(/[\r\n]/g, ""))
}

function damaged(why: string): IntegrityError {
  return new IntegrityError(`its S3 Encryption Proxy metadata are damaged: ${why}`)
}
