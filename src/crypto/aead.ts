import {
  type CipherGCMOptions,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type DecipherGCM,
  type KeyObject,
} from "node:crypto"
import { release } from "../bytes.ts"

export const KEY_BYTES = 32
export const NONCE_BYTES = 12
export const TAG_BYTES = 16

const NO_AAD = new Uint8Array(0)
// Without authTagLength Node accepts tags of 4 bytes when opening.
const GCM: CipherGCMOptions = { authTagLength: TAG_BYTES }

/**
 * A key for many calls, as the engine holds it: bytes would be looked through and copied again for each of them, a fifth
 * of what a call with 64 KiB costs. Disposed of, it is of no more use, and the engine clears its copy when it frees it.
 */
export class AeadKey implements Disposable {
  #key: KeyObject | null

  /** @param bytes - 32 bytes, borrowed for the constructor only. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) throw new RangeError(`AES-256 key of ${bytes.length} bytes`)
    this.#key = createSecretKey(bytes)
  }

  /** @throws {TypeError} once it was disposed of: a caller's bug. */
  get key(): KeyObject {
    if (!this.#key) throw new TypeError("a key used after it was disposed of")
    return this.#key
  }

  [Symbol.dispose](): void {
    this.#key = null
  }
}

/**
 * Seal with AES-256-GCM (NIST SP 800-38D) into memory the caller has.
 *
 * @param key - the 32 bytes, or what the engine made of them.
 * @param nonce - 12 bytes, never used twice with this key.
 * @param target - receives ciphertext ‖ tag: `plaintext.length + 16` bytes exactly; may not overlap `plaintext`.
 * @throws {RangeError} if a length is wrong: a caller's bug.
 */
export function aeadSealInto(
  key: Uint8Array | AeadKey,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  target: Uint8Array,
  aad: Uint8Array = NO_AAD,
): void {
  const usable = usableKey(key, nonce)
  if (target.length !== plaintext.length + TAG_BYTES) {
    throw new RangeError(`target of ${target.length} bytes for a plaintext of ${plaintext.length}`)
  }
  const cipher = createCipheriv("aes-256-gcm", usable, nonce, GCM)
  if (aad.length > 0) cipher.setAAD(aad)
  const sealed = cipher.update(plaintext)
  target.set(sealed, 0)
  release(sealed)
  cipher.final() // GCM is a stream mode: final() yields no bytes, it completes the tag
  target.set(cipher.getAuthTag(), plaintext.length)
}

/**
 * Seal with AES-256-GCM.
 *
 * @param key - the 32 bytes, or what the engine made of them.
 * @param nonce - 12 bytes, never used twice with this key.
 * @returns ciphertext ‖ tag(16).
 */
export function aeadSeal(
  key: Uint8Array | AeadKey,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array = NO_AAD,
): Uint8Array<ArrayBuffer> {
  const sealed = new Uint8Array(plaintext.length + TAG_BYTES)
  aeadSealInto(key, nonce, plaintext, sealed, aad)
  return sealed
}

/**
 * Open what `aeadSeal` made.
 *
 * @param sealed - ciphertext ‖ tag(16).
 * @returns the plaintext, in memory of its own, or null if the tag does not match (or there is none): nothing
 * is released then.
 * @throws {RangeError} if the key's or nonce's length is wrong: a caller's bug.
 */
export function aeadOpen(
  key: Uint8Array | AeadKey,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array = NO_AAD,
): Uint8Array<ArrayBuffer> | null {
  const usable = usableKey(key, nonce)
  if (sealed.length < TAG_BYTES) return null
  const cut = sealed.length - TAG_BYTES
  const decipher = createDecipheriv("aes-256-gcm", usable, nonce, GCM)
  decipher.setAuthTag(sealed.subarray(cut))
  if (aad.length > 0) decipher.setAAD(aad)
  const plaintext = decipher.update(sealed.subarray(0, cut))
  try {
    decipher.final()
  } catch {
    plaintext.fill(0)
    return null
  }
  // A short result may come from Node's shared pool; the caller owns what it gets.
  if (plaintext.buffer.byteLength === plaintext.length) return new Uint8Array(plaintext.buffer)
  const own = new Uint8Array(plaintext)
  plaintext.fill(0)
  return own
}

// Bytes would do too, but on Node 24 a call with them takes three times as long as with what is made of them here.
function usableKey(key: Uint8Array | AeadKey, nonce: Uint8Array): KeyObject {
  if (nonce.length !== NONCE_BYTES) throw new RangeError(`GCM nonce of ${nonce.length} bytes`)
  if (key instanceof AeadKey) return key.key
  if (key.length !== KEY_BYTES) throw new RangeError(`AES-256 key of ${key.length} bytes`)
  return createSecretKey(key)
}

/**
 * AES-256-GCM of a message too large for memory. What `update` returns while opening is NOT authenticated before
 * `finish` said so: whoever uses this holds it back, or reads twice.
 */
export class GcmStreamOpener {
  readonly #decipher: DecipherGCM

  /**
   * @param key - 32 bytes.
   * @param nonce - 12 bytes.
   */
  constructor(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array = NO_AAD) {
    this.#decipher = createDecipheriv("aes-256-gcm", usableKey(key, nonce), nonce, GCM)
    if (aad.length > 0) this.#decipher.setAAD(aad)
  }

  /** @returns unverified plaintext, as long as the ciphertext, in memory of its own. */
  update(ciphertext: Uint8Array): Uint8Array {
    return this.#decipher.update(ciphertext)
  }

  /** @param tag - 16 bytes. @returns whether all that went in is genuine. */
  finish(tag: Uint8Array): boolean {
    if (tag.length !== TAG_BYTES) return false
    this.#decipher.setAuthTag(tag)
    try {
      this.#decipher.final()
      return true
    } catch {
      return false
    }
  }
}
