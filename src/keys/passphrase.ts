import { base64url, fromBase64url, hex, utf8 } from "../bytes.ts"
import { type Argon2Parameters, argon2id, sha256 } from "../crypto/kdf.ts"
import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import { IntegrityError, KeyMissingError } from "../errors.ts"
import type { Kek, Recipient } from "./kek.ts"
import { unwrapDek, WRAP_SALT_BYTES, wrapDek } from "./wrap.ts"

export const PASSPHRASE_ALG = "Argon2id-A256GCM"
const SALT_BYTES = 16
const FINGERPRINT_LABEL = utf8("s3ep passphrase\0")
const FINGERPRINT_BYTES = 16

/** RFC 9106, section 4, the second choice. */
export const DEFAULT_ARGON2: Argon2Parameters = { passes: 3, memoryKib: 65_536, lanes: 4 }

// They come from the object: without bounds, whoever writes one decides what reading it costs.
const MAX_PASSES = 16
const MAX_MEMORY_KIB = 4_194_304
const MAX_LANES = 64
const MIN_MEMORY_KIB_PER_LANE = 8 // RFC 9106, 3.1

/**
 * What a passphrase is called in the envelopes written with one salt; tells nothing about the passphrase.
 *
 * @param salt - 16 bytes.
 * @returns `passphrase:` and 32 hexadecimal digits.
 */
export function passphraseFingerprint(salt: Uint8Array): string {
  return `passphrase:${hex(sha256(FINGERPRINT_LABEL, salt).subarray(0, FINGERPRINT_BYTES))}`
}

/**
 * A passphrase (`Argon2id-A256GCM`). It writes with one salt, drawn here, so that a thousand objects cost one run
 * of Argon2id; what it reads costs one run for each salt it meets, one after the other.
 *
 * @param passphrase - its bytes, UTF-8; owned by the KEK from now on, and wiped with it.
 * @param name - what the user calls it.
 * @param options.parameters - for writing.
 * @throws {KeyMissingError} if the passphrase is empty.
 * @throws {RangeError} if the parameters are out of bounds: nobody could read what is written with them.
 * @see man/s3ep-format.5, "Wrapping algorithms"
 */
export function passphraseKek(
  passphrase: SecretBytes,
  name: string,
  options: { random: RandomSource; parameters?: Argon2Parameters | undefined },
): Kek {
  if (passphrase.length === 0) throw new KeyMissingError(`the passphrase is empty (${name})`)
  const { random, parameters = DEFAULT_ARGON2 } = options
  if (!isWithinBounds(parameters)) throw new RangeError("Argon2id parameters out of bounds")
  return new PassphraseKek(passphrase, name, random(SALT_BYTES), parameters)
}

class PassphraseKek implements Kek {
  readonly id: string
  readonly name: string
  readonly slow = true
  readonly #passphrase: SecretBytes
  readonly #salt: Uint8Array
  readonly #parameters: Argon2Parameters
  readonly #derived = new Map<string, Promise<SecretBytes>>()
  #lastRun: Promise<unknown> = Promise.resolve()

  constructor(passphrase: SecretBytes, name: string, salt: Uint8Array, parameters: Argon2Parameters) {
    this.id = passphraseFingerprint(salt)
    this.name = name
    this.#passphrase = passphrase
    this.#salt = salt
    this.#parameters = parameters
  }

  matches({ alg, kek }: Recipient): boolean {
    return alg === PASSPHRASE_ALG && kek.startsWith("passphrase:")
  }

  async wrap(dek: SecretBytes, context: Uint8Array, random: RandomSource): Promise<Recipient> {
    const key = await this.#derive(this.#salt, this.#parameters)
    const { passes, memoryKib, lanes } = this.#parameters
    const ct = base64url(wrapDek(dek, key, context, random(WRAP_SALT_BYTES)))
    return {
      kek: this.id,
      alg: PASSPHRASE_ALG,
      ct,
      s: base64url(this.#salt),
      t: passes,
      m: memoryKib,
      p: lanes,
    }
  }

  async unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> {
    if (!this.matches(recipient)) return null
    const { salt, parameters, wrapped } = parseRecipient(recipient)
    const key = await this.#derive(salt, parameters)
    const dek = unwrapDek(wrapped, key, context)
    if (!dek) {
      throw new KeyMissingError(
        `the passphrase does not unwrap its DEK (${this.name}): another one does, or the object was altered or moved`,
      )
    }
    return dek
  }

  [Symbol.dispose](): void {
    this.#passphrase[Symbol.dispose]()
    for (const key of this.#derived.values()) {
      key.then(
        (key) => key[Symbol.dispose](),
        () => undefined, // whoever waits for it hears of it
      )
    }
    this.#derived.clear()
  }

  #derive(salt: Uint8Array, parameters: Argon2Parameters): Promise<SecretBytes> {
    const { passes, memoryKib, lanes } = parameters
    const run = [hex(salt), passes, memoryKib, lanes].join(" ")
    const known = this.#derived.get(run)
    if (known) return known
    // One at a time: each may take as much memory as the bounds allow.
    const key = this.#lastRun.then(() => this.#run(salt, parameters))
    this.#lastRun = key.catch(() => this.#derived.delete(run))
    this.#derived.set(run, key)
    return key
  }

  async #run(salt: Uint8Array, parameters: Argon2Parameters): Promise<SecretBytes> {
    const passphrase = this.#passphrase.bytes
    try {
      return await argon2id(passphrase, salt, parameters)
    } catch (error) {
      throw new KeyMissingError(
        `cannot derive a key from the passphrase: Argon2id with ${parameters.memoryKib} KiB of memory failed`,
        { cause: error },
      )
    }
  }
}

function parseRecipient(recipient: Recipient): {
  salt: Uint8Array
  parameters: Argon2Parameters
  wrapped: Uint8Array
} {
  const { kek, ct, s, t, m, p } = recipient
  const salt = typeof s === "string" ? fromBase64url(s) : null
  const wrapped = fromBase64url(ct)
  if (salt?.length !== SALT_BYTES || !wrapped || passphraseFingerprint(salt) !== kek) {
    throw new IntegrityError(`the recipient ${kek} is damaged`)
  }
  const parameters = { passes: Number(t), memoryKib: Number(m), lanes: Number(p) }
  if (![t, m, p].every((parameter) => typeof parameter === "number") || !isWithinBounds(parameters)) {
    throw new IntegrityError(`the recipient ${kek} asks for Argon2id parameters out of bounds`)
  }
  return { salt, parameters, wrapped }
}

function isWithinBounds({ passes, memoryKib, lanes }: Argon2Parameters): boolean {
  return (
    isWithin(passes, 1, MAX_PASSES) &&
    isWithin(lanes, 1, MAX_LANES) &&
    isWithin(memoryKib, lanes * MIN_MEMORY_KIB_PER_LANE, MAX_MEMORY_KIB)
  )
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}
