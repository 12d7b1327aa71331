import crypto, { createHash, KeyObject } from "node:crypto"
import { syncBuiltinESMExports } from "node:module"

/** What the ciphers of this process are created with, while it is recorded. */
export interface CipherRecording extends Disposable {
  /** A digest of each (algorithm, key, nonce), in the order of creation. */
  readonly pairs: readonly string[]
}

/** Put a recorder around the platform's cipher: everything encrypted in this process goes through it. */
export function recordCiphers(): CipherRecording {
  const pairs: string[] = []
  const original = crypto.createCipheriv
  const recorder = new Proxy(original, {
    apply(create, self, args: Parameters<typeof original>) {
      const [algorithm, key, nonce] = args
      // A stream cipher reads as it writes: what it is created with says nothing about what was encrypted.
      if (/ctr/i.test(algorithm)) return Reflect.apply(create, self, args)
      const bytes = key instanceof KeyObject ? key.export() : key
      if (!(bytes instanceof Uint8Array) || !(nonce instanceof Uint8Array))
        throw new TypeError("keys are bytes here")
      const pair = createHash("sha256").update(`${algorithm}\0`).update(bytes).update("\0").update(nonce)
      pairs.push(pair.digest("hex"))
      return Reflect.apply(create, self, args)
    },
  })
  crypto.createCipheriv = recorder
  syncBuiltinESMExports()
  return {
    pairs,
    [Symbol.dispose]() {
      crypto.createCipheriv = original
      syncBuiltinESMExports()
    },
  }
}
