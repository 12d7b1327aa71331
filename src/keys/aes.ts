import { base64url, fromBase64url, hex, utf8 } from "../bytes.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import { sha256 } from "../crypto/kdf.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import { IntegrityError } from "../errors.ts"
import type { Kek, Recipient } from "./kek.ts"
import { unwrapDek, WRAP_SALT_BYTES, wrapDek } from "./wrap.ts"

export const AES_ALG = "HKDF-A256GCM"
const FINGERPRINT_LABEL = utf8("s3ep kek fingerprint\0")
const FINGERPRINT_BYTES = 16

/**
 * What an `aes` KEK is called in envelopes; tells nothing about the key.
 *
 * @param key - 32 bytes.
 * @returns `aes:` and 32 hexadecimal digits.
 * @see man/s3ep-format.5, "Wrapping algorithms"
 */
export function aesFingerprint(key: SecretBytes): string {
  if (key.length !== KEY_BYTES) throw new RangeError(`KEK of ${key.length} bytes`)
  return `aes:${hex(sha256(FINGERPRINT_LABEL, key.bytes).subarray(0, FINGERPRINT_BYTES))}`
}

/** Whether a recipient was wrapped by the `aes` KEK of that id. */
export function isAesRecipient(recipient: Recipient, id: string): boolean {
  return recipient.alg === AES_ALG && recipient.kek === id
}

/**
 * A 256-bit KEK (`HKDF-A256GCM`).
 *
 * @param key - 32 bytes; owned by the KEK from now on, and wiped with it.
 * @param name - what the user calls it.
 * @throws {RangeError} if the key has another length.
 */
export function aesKek(key: SecretBytes, name: string): Kek {
  return new AesKek(key, name)
}

class AesKek implements Kek {
  readonly id: string
  readonly name: string
  readonly #key: SecretBytes

  constructor(key: SecretBytes, name: string) {
    this.id = aesFingerprint(key)
    this.name = name
    this.#key = key
  }

  matches(recipient: Recipient): boolean {
    return isAesRecipient(recipient, this.id)
  }

  async wrap(dek: SecretBytes, context: Uint8Array, random: RandomSource): Promise<Recipient> {
    const wrapped = wrapDek(dek, this.#key, context, random(WRAP_SALT_BYTES))
    return { kek: this.id, alg: AES_ALG, ct: base64url(wrapped) }
  }

  async unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> {
    if (!this.matches(recipient)) return null
    const wrapped = fromBase64url(recipient.ct)
    const dek = wrapped && unwrapDek(wrapped, this.#key, context)
    if (!dek) {
      throw new IntegrityError(
        `the DEK wrapped by KEK ${this.id} does not open: it was altered, or belongs to another object`,
      )
    }
    return dek
  }

  async raw(): Promise<RawKey> {
    return { type: "aes", name: this.name, key: this.#key }
  }

  [Symbol.dispose](): void {
    this.#key[Symbol.dispose]()
  }
}
