import { argon2, createHash, createHmac, createSecretKey, hkdfSync, pbkdf2 } from "node:crypto"
import { promisify } from "node:util"
import { SecretBytes } from "./secret.ts"

// Keys go in as KeyObjects: on Node 24 a call with bytes takes up to three times as long.

const argon2Async = promisify(argon2)
const pbkdf2Async = promisify(pbkdf2)

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
  return new SecretBytes(new Uint8Array(hkdfSync("sha512", createSecretKey(inputKey), salt, info, length)))
}

/**
 * HKDF with SHA-256 (RFC 5869, Extract and Expand), as other systems use it.
 *
 * @param salt - may be empty, which RFC 5869 takes as 32 zero bytes.
 * @param length - bytes to derive, at most 8,160.
 */
export function hkdfSha256(
  inputKey: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): SecretBytes {
  return new SecretBytes(new Uint8Array(hkdfSync("sha256", createSecretKey(inputKey), salt, info, length)))
}

/** @returns 32 bytes. */
export function sha256(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** @returns the 32-byte HMAC-SHA256 (RFC 2104) over all parts, one after the other. */
export function hmacSha256(key: Uint8Array, parts: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  const mac = createHmac("sha256", createSecretKey(key))
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
 * @param length - bytes to derive.
 */
export async function argon2id(
  passphrase: Uint8Array,
  salt: Uint8Array,
  parameters: Argon2Parameters,
  length = 32,
): Promise<SecretBytes> {
  return owned(
    await argon2Async("argon2id", {
      message: passphrase,
      nonce: salt,
      parallelism: parameters.lanes,
      tagLength: length,
      memory: parameters.memoryKib,
      passes: parameters.passes,
    }),
  )
}

/**
 * PBKDF2 with HMAC-SHA256 (RFC 8018), on a thread of the pool: for keys that others derived with it.
 *
 * @param length - bytes to derive.
 */
export async function pbkdf2Sha256(
  passphrase: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
): Promise<SecretBytes> {
  return owned(await pbkdf2Async(passphrase, salt, iterations, length, "sha256"))
}

function owned(derived: Buffer): SecretBytes {
  const key = new Uint8Array(derived)
  derived.fill(0)
  return new SecretBytes(key)
}
