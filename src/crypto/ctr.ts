import { type Cipheriv, createCipheriv } from "node:crypto"
import { KEY_BYTES } from "./aead.ts"

export const CTR_IV_BYTES = 16
const COUNTER_MODULUS = 1n << 128n

/**
 * AES-256-CTR (NIST SP 800-38A, 6.5) from any byte of its keystream on, the whole block being the counter: it counts
 * up by one as a big-endian number and wraps. Encrypting and decrypting are one operation. Authenticates nothing.
 */
export class CtrStream {
  readonly #cipher: Cipheriv

  /**
   * @param key - 32 bytes.
   * @param iv - 16 bytes: the counter block of the first byte of the stream.
   * @param offset - where in the stream to begin, in bytes.
   * @throws {RangeError} if a length is wrong: a caller's bug.
   */
  constructor(key: Uint8Array, iv: Uint8Array, offset = 0) {
    if (key.length !== KEY_BYTES) throw new RangeError(`AES-256 key of ${key.length} bytes`)
    if (iv.length !== CTR_IV_BYTES) throw new RangeError(`counter block of ${iv.length} bytes`)
    if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`keystream from byte ${offset} on`)
    this.#cipher = createCipheriv("aes-256-ctr", key, counterBlock(iv, Math.floor(offset / CTR_IV_BYTES)))
    if (offset % CTR_IV_BYTES > 0) this.#cipher.update(new Uint8Array(offset % CTR_IV_BYTES))
  }

  /** @returns as many bytes, in memory of their own. */
  update(bytes: Uint8Array): Uint8Array {
    return this.#cipher.update(bytes)
  }
}

function counterBlock(iv: Uint8Array, blocks: number): Uint8Array {
  const first = BigInt(`0x${Buffer.from(iv).toString("hex")}`)
  const counter = (first + BigInt(blocks)) % COUNTER_MODULUS
  return Buffer.from(counter.toString(16).padStart(2 * CTR_IV_BYTES, "0"), "hex")
}
