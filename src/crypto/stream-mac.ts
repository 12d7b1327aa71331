import { createHmac, type Hmac } from "node:crypto"
import { equalSecret } from "../bytes.ts"

/** HMAC-SHA256 (RFC 2104) of a stream. */
export class StreamMac {
  readonly #mac: Hmac

  constructor(key: Uint8Array) {
    this.#mac = createHmac("sha256", key)
  }

  update(bytes: Uint8Array): void {
    this.#mac.update(bytes)
  }

  /** @returns 32 bytes; nothing more can be added then. */
  digest(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#mac.digest())
  }

  /** Whether the HMAC is this one, in constant time; nothing more can be added then. */
  matches(expected: Uint8Array): boolean {
    return equalSecret(this.digest(), expected)
  }
}
