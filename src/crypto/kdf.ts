import { argon2, createHash, createHmac, hkdfSync } from "node:crypto"
import { promisify } from "node:util"
import { SecretBytes } from "./secret.ts"

const argon2Async = promisify(argon2)

/**
 * HKDF with SHA-512 (RFC 5869, Extract and Expand).
 *
 * @param salt - may be empty, which RFC 5869 takes as 64 zero bytes.
 * @param length - bytes to derive, at most 16,320.
 */
export function hkdfSha512(
  inputKey: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): SecretBytes {
  return new SecretBytes(new Uint8Array(hkdfSync("sha512", inputKey, salt, info, length)))
}

/** @returns 32 bytes. */
export function sha256(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** @returns the 32-byte HMAC-SHA256 (RFC 2104) over all parts, one after the other. */
export function hmacSha256(key: Uint8Array, parts: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  const mac = createHmac("sha256", key)
  for (const part of parts) mac.update(part)
  return new Uint8Array(mac.digest())
}

/** Argon2id parameters as RFC 9106 names them. */
export interface Argon2Parameters {
  /** Passes over the memory, `t`. */
  readonly passes: number
  /** Memory in KiB, `m`. */
  readonly memoryKib: number
  /** Lanes, `p`. */
  readonly lanes: number
}

/**
 * Argon2id (RFC 9106, version 0x13), on a thread of the pool.
 *
 * @param passphrase - its bytes; not empty.
 * @param salt - at least 8 bytes.
 * @returns 32 bytes.
 */
export async function argon2id(
  passphrase: Uint8Array,
  salt: Uint8Array,
  parameters: Argon2Parameters,
): Promise<SecretBytes> {
  const tag = await argon2Async("argon2id", {
    message: passphrase,
    nonce: salt,
    parallelism: parameters.lanes,
    tagLength: 32,
    memory: parameters.memoryKib,
    passes: parameters.passes,
  })
  const key = new Uint8Array(tag)
  tag.fill(0)
  return new SecretBytes(key)
}
