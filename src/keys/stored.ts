import type { RawKey } from "../crypto/raw-key.ts"
import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import { AES_ALG, aesKek, isAesRecipient } from "./aes.ts"
import type { BrokenKey, KeyDirectory, NamedKey } from "./directory.ts"
import type { Kek, Recipient } from "./kek.ts"

/** A key of the directory, read when it is first needed. */
export function storedKek(directory: KeyDirectory, key: NamedKey): Kek {
  return new StoredKek(directory, key)
}

/** Stands for a key that cannot be read: says so when nothing else opens an object that it might. */
export function brokenKek({ name, error }: BrokenKey): Kek {
  const fail = () => Promise.reject(error)
  return {
    id: "aes:unreadable",
    name,
    slow: true,
    matches: ({ alg }) => alg === AES_ALG,
    wrap: fail,
    unwrap: fail,
    [Symbol.dispose]: () => undefined,
  }
}

class StoredKek implements Kek {
  readonly id: string
  readonly name: string
  readonly #directory: KeyDirectory
  readonly #path: string
  #opened: Promise<Kek> | undefined
  #disposed = false

  constructor(directory: KeyDirectory, { name, id, path }: NamedKey) {
    this.id = id
    this.name = name
    this.#directory = directory
    this.#path = path
  }

  matches(recipient: Recipient): boolean {
    return isAesRecipient(recipient, this.id)
  }

  async wrap(dek: SecretBytes, context: Uint8Array, random: RandomSource): Promise<Recipient> {
    return (await this.#open()).wrap(dek, context, random)
  }

  async unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> {
    if (!this.matches(recipient)) return null
    return (await this.#open()).unwrap(recipient, context)
  }

  async raw(): Promise<RawKey | null> {
    return (await (await this.#open()).raw?.()) ?? null
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#opened?.then(
      (kek) => kek[Symbol.dispose](),
      () => undefined, // whoever waits for it hears of it
    )
  }

  #open(): Promise<Kek> {
    if (this.#disposed) throw new TypeError("a key used after it was disposed of")
    this.#opened ??= this.#read()
    return this.#opened
  }

  async #read(): Promise<Kek> {
    const key = await this.#directory.read(this.name)
    if (!key) throw new KeyMissingError(`the key file ${this.#path} is gone`)
    const kek = aesKek(key, this.name)
    if (kek.id === this.id) return kek
    kek[Symbol.dispose]()
    throw new KeyMissingError(`the key file ${this.#path} holds another key than a moment ago`)
  }
}
