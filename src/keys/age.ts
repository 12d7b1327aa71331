import { Decrypter, Encrypter } from "age-encryption"
import { base64url, concat, equalSecret, fromBase64url, hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { IntegrityError } from "../errors.ts"
import { AGE_ALG } from "./age-kind.ts"
import type { Kek, Recipient } from "./kek.ts"

const FINGERPRINT_BYTES = 16
const DEK_BYTES = 32
const CONTEXT_BYTES = 32
// An age file of 64 bytes to one recipient has some 200, and 1,900 to a post-quantum one. Its stanzas each cost the
// reader a multiplication on the curve, so whoever wrote the envelope must not decide how many there are.
const MAX_FILE_BYTES = 8192

/**
 * What an age KEK is called in envelopes.
 *
 * @param recipient - `age1…`.
 * @returns `age:` and 32 hexadecimal digits.
 * @see man/s3ep-format.5, "Wrapping algorithms"
 */
export function ageFingerprint(recipient: string): string {
  return `age:${hex(sha256(utf8(recipient)).subarray(0, FINGERPRINT_BYTES))}`
}

/**
 * An age KEK (`age`). Without an identity it only writes.
 *
 * @param key.recipient - `age1…` or `age1pq1…`.
 * @param key.identity - `AGE-SECRET-KEY-…`, the recipient's.
 * @param name - what the user calls it.
 * @throws {Error} of the age-encryption package if one of them is malformed.
 */
export function ageKek(key: { recipient: string; identity?: string | undefined }, name: string): Kek {
  return new AgeKek(key, name)
}

class AgeKek implements Kek {
  readonly id: string
  readonly name: string
  readonly #recipient: string
  readonly writesOnly: boolean
  readonly #encrypter = new Encrypter()
  #decrypter: Decrypter | undefined
  #disposed = false

  constructor({ recipient, identity }: { recipient: string; identity?: string | undefined }, name: string) {
    this.id = ageFingerprint(recipient)
    this.name = name
    this.#recipient = recipient
    this.writesOnly = identity === undefined
    this.#encrypter.addRecipient(recipient)
    if (identity !== undefined) {
      this.#decrypter = new Decrypter()
      this.#decrypter.addIdentity(identity)
    }
  }

  matches({ alg, kek }: Recipient): boolean {
    return alg === AGE_ALG && kek === this.id
  }

  async wrap(dek: SecretBytes, context: Uint8Array): Promise<Recipient> {
    if (dek.length !== DEK_BYTES) throw new RangeError(`DEK of ${dek.length} bytes`)
    if (context.length !== CONTEXT_BYTES) throw new RangeError(`context of ${context.length} bytes`)
    using plaintext = new SecretBytes(concat(dek.bytes, context))
    return { kek: this.id, alg: AGE_ALG, ct: base64url(await this.#encrypter.encrypt(plaintext.bytes)) }
  }

  async unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> {
    if (this.#disposed) throw new TypeError("a key used after it was disposed of")
    if (!this.matches(recipient) || !this.#decrypter) return null
    const file = fromBase64url(recipient.ct)
    using plaintext = file && file.length <= MAX_FILE_BYTES ? await decrypt(this.#decrypter, file) : null
    const isOurs =
      plaintext?.length === DEK_BYTES + CONTEXT_BYTES &&
      equalSecret(plaintext.bytes.subarray(DEK_BYTES), context)
    if (!plaintext || !isOurs) {
      throw new IntegrityError(
        `the DEK wrapped by KEK ${this.id} does not open: it was altered, or belongs to another object`,
      )
    }
    return new SecretBytes(plaintext.bytes.slice(0, DEK_BYTES))
  }

  async publicText(): Promise<string> {
    return `${this.#recipient}\n`
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#decrypter = undefined
  }
}

async function decrypt(decrypter: Decrypter, file: Uint8Array): Promise<SecretBytes | null> {
  try {
    const plaintext = await decrypter.decrypt(file)
    const own = new SecretBytes(new Uint8Array(plaintext))
    plaintext.fill(0)
    return own
  } catch {
    return null
  }
}
