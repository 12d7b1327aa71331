import { fromHex, hex, utf8 } from "../bytes.ts"
import { AeadKey, KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "../crypto/aead.ts"
import { Gmac, GmacCheck } from "../crypto/gmac.ts"
import { hkdfSha512 } from "../crypto/kdf.ts"
import type { RandomSource, SecretBytes } from "../crypto/secret.ts"

const INFO = utf8("s3ep download window")

/**
 * Shows, when a download goes on, that what lies in its file is what an earlier run had verified: a MAC of each window's
 * plaintext, under a key of the object's own.
 */
export class WindowProofs implements Disposable {
  readonly #key: AeadKey

  /** @param dek - borrowed for the constructor only. */
  constructor(dek: SecretBytes) {
    using key = hkdfSha512(dek.bytes, new Uint8Array(0), INFO, KEY_BYTES)
    this.#key = new AeadKey(key.bytes)
  }

  /** Of a window that is being written: `finish` returns its proof, nonce ‖ tag in hexadecimal. */
  begin(random: RandomSource): { update(piece: Uint8Array): void; finish(): string } {
    const nonce = random(NONCE_BYTES)
    const mac = new Gmac(this.#key, nonce)
    return { update: (piece) => mac.update(piece), finish: () => hex(nonce) + hex(mac.tag()) }
  }

  /** @returns null if that is no proof of anything. */
  check(proof: string): GmacCheck | null {
    const bytes = fromHex(proof)
    if (bytes?.length !== NONCE_BYTES + TAG_BYTES) return null
    return new GmacCheck(this.#key, bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES))
  }

  [Symbol.dispose](): void {
    this.#key[Symbol.dispose]()
  }
}
