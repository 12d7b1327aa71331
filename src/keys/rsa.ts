import { constants, createPublicKey, type KeyObject, privateDecrypt, publicEncrypt } from "node:crypto"
import { base64url, fromBase64url, hex } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { IntegrityError } from "../errors.ts"
import type { Kek, Recipient } from "./kek.ts"

export const RSA_ALG = "RSA-OAEP-256"
const FINGERPRINT_BYTES = 16
const DEK_BYTES = 32
// Above, one wrapped DEK costs seconds, and a reader decides nothing about the key it was given.
const MAX_MODULUS_BITS = 16_384
const MIN_MODULUS_BITS = 2048

/** Why a key cannot be a KEK; null if it can. */
export function rsaRefusal(key: KeyObject): string | null {
  if (key.asymmetricKeyType !== "rsa") {
    return `it is a key of type ${key.asymmetricKeyType ?? "unknown"}, and only RSA wraps keys`
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < MIN_MODULUS_BITS) return `RSA with ${bits} bits is too weak, ${MIN_MODULUS_BITS} are the least`
  if (bits > MAX_MODULUS_BITS) return `RSA with ${bits} bits is too slow, ${MAX_MODULUS_BITS} are the most`
  return null
}

/**
 * What an RSA KEK is called in envelopes, the same for both halves of it.
 *
 * @returns `rsa:` and 32 hexadecimal digits.
 * @see man/s3ep-format.5, "Wrapping algorithms"
 */
export function rsaFingerprint(key: KeyObject): string {
  const spki = publicOf(key).export({ type: "spki", format: "der" })
  return `rsa:${hex(sha256(spki).subarray(0, FINGERPRINT_BYTES))}`
}

export function publicOf(key: KeyObject): KeyObject {
  return key.type === "private" ? createPublicKey(key) : key
}

/**
 * An RSA KEK (`RSA-OAEP-256`). A public key writes; what it wrote is for the private one.
 *
 * @param key - one that `rsaRefusal` has nothing against.
 * @param name - what the user calls it.
 * @throws {RangeError} if `rsaRefusal` does: a caller's bug.
 */
export function rsaKek(key: KeyObject, name: string): Kek {
  const refusal = rsaRefusal(key)
  if (refusal) throw new RangeError(refusal)
  return new RsaKek(key, name)
}

class RsaKek implements Kek {
  readonly id: string
  readonly name: string
  readonly writesOnly: boolean
  readonly #public: KeyObject
  #private: KeyObject | undefined
  #disposed = false

  constructor(key: KeyObject, name: string) {
    this.id = rsaFingerprint(key)
    this.name = name
    this.writesOnly = key.type !== "private"
    this.#public = publicOf(key)
    this.#private = key.type === "private" ? key : undefined
  }

  matches({ alg, kek }: Recipient): boolean {
    return alg === RSA_ALG && kek === this.id
  }

  async wrap(dek: SecretBytes, context: Uint8Array): Promise<Recipient> {
    if (dek.length !== DEK_BYTES) throw new RangeError(`DEK of ${dek.length} bytes`)
    const wrapped = publicEncrypt({ key: this.#public, ...oaep(context) }, dek.bytes)
    return { kek: this.id, alg: RSA_ALG, ct: base64url(wrapped) }
  }

  async unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> {
    if (this.#disposed) throw new TypeError("a key used after it was disposed of")
    if (!this.matches(recipient) || !this.#private) return null
    const wrapped = fromBase64url(recipient.ct)
    const dek = wrapped && decrypt(wrapped, this.#private, context)
    if (!dek) {
      throw new IntegrityError(
        `the DEK wrapped by KEK ${this.id} does not open: it was altered, or belongs to another object`,
      )
    }
    return dek
  }

  async raw(): Promise<RawKey> {
    if (this.#disposed) throw new TypeError("a key used after it was disposed of")
    const { name } = this
    return { type: "rsa", name, publicKey: this.#public, privateKey: this.#private ?? null }
  }

  async publicText(): Promise<string> {
    return String(this.#public.export({ type: "spki", format: "pem" }))
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#private = undefined
  }
}

function decrypt(wrapped: Uint8Array, key: KeyObject, context: Uint8Array): SecretBytes | null {
  let opened: Buffer
  try {
    opened = privateDecrypt({ key, ...oaep(context) }, wrapped)
  } catch {
    return null
  }
  const dek = new SecretBytes(new Uint8Array(opened))
  opened.fill(0)
  return dek
}

// Node takes the hash for MGF1 too.
function oaep(label: Uint8Array) {
  return { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256", oaepLabel: label }
}
