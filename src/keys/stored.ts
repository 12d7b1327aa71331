import { utf8 } from "../bytes.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { BrokenKey, KeyDirectory, NamedKey } from "./directory.ts"
import type { Kek, KekState, Recipient } from "./kek.ts"
import type { KeySources } from "./kind.ts"
import { KEK_KINDS, kekOf, kindOf, parseKeys } from "./kinds.ts"

/** A key of the directory, opened when it is first needed. */
export function storedKek(directory: KeyDirectory, key: NamedKey, sources: KeySources): Kek {
  return new StoredKek(directory, key, sources)
}

/** Stands for a key that cannot be read: says so when nothing else opens an object that it might. */
export function brokenKek({ name, error }: BrokenKey): Kek {
  const fail = () => Promise.reject(error)
  const algorithms = KEK_KINDS.flatMap(({ alg, written }) => (written ? alg : []))
  return {
    id: UNREADABLE,
    name,
    slow: true,
    matches: ({ alg }) => algorithms.includes(alg),
    wrap: fail,
    unwrap: fail,
    [Symbol.dispose]: () => undefined,
  }
}

/** Whether a KEK stands for a key that cannot be read. */
export function isUnreadable({ id }: Kek): boolean {
  return id === UNREADABLE
}

const UNREADABLE = "unreadable:"

class StoredKek implements Kek {
  readonly id: string
  readonly name: string
  readonly slow: boolean
  readonly writesOnly: boolean
  readonly state: KekState
  readonly #directory: KeyDirectory
  readonly #key: NamedKey
  readonly #sources: KeySources
  #opened: Promise<Kek> | undefined
  #writer: Promise<Kek> | undefined
  #disposed = false

  constructor(directory: KeyDirectory, key: NamedKey, sources: KeySources) {
    this.id = key.id
    this.name = key.name
    this.state = key.state
    this.writesOnly = key.writesOnly
    this.slow = key.place !== "file" || kindOf(key.id)?.slow === true
    this.#directory = directory
    this.#key = key
    this.#sources = sources
  }

  matches({ kek, alg }: Recipient): boolean {
    return kek === this.id && alg === kindOf(this.id)?.alg
  }

  async wrap(dek: SecretBytes, context: Uint8Array, random: RandomSource): Promise<Recipient> {
    return (await this.#toWrite()).wrap(dek, context, random)
  }

  async unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> {
    if (!this.matches(recipient)) return null
    return (await this.#open()).unwrap(recipient, context)
  }

  async raw(): Promise<RawKey | null> {
    // Other systems use no key of this kind: nobody is asked for its passphrase.
    if (!kindOf(this.id)?.usedRaw) return null
    return (await (await this.#open()).raw?.()) ?? null
  }

  async publicText(): Promise<string | null> {
    const { publicLine } = this.#key
    if (publicLine !== undefined) return `${publicLine}\n`
    if (!kindOf(this.id)?.hasPublicPart) return null
    return (await (await this.#open()).publicText?.()) ?? null
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    for (const opened of [this.#opened, this.#writer]) {
      opened?.then(
        (kek) => kek[Symbol.dispose](),
        () => undefined, // whoever waits for it hears of it
      )
    }
  }

  // A public key writes: neither a passphrase nor the keychain is asked for.
  #toWrite(): Promise<Kek> {
    const { publicLine, place } = this.#key
    if (publicLine === undefined || place === "file" || this.#opened) return this.#open()
    this.#refuseDisposed()
    this.#writer ??= this.#readPublic(publicLine)
    return this.#writer
  }

  #open(): Promise<Kek> {
    this.#refuseDisposed()
    this.#opened ??= this.#read()
    return this.#opened
  }

  #refuseDisposed(): void {
    if (this.#disposed) throw new TypeError("a key used after it was disposed of")
  }

  async #readPublic(line: string): Promise<Kek> {
    const [material] = await parseKeys(utf8(line), { origin: `the public part of the key ${this.name}` })
    if (material && material.id === this.id) return kekOf(material, this.name, this.#sources)
    material?.[Symbol.dispose]()
    throw new KeyMissingError(`the key file ${this.#key.path} is damaged: its public part is another key's`)
  }

  async #read(): Promise<Kek> {
    const { path } = this.#key
    const material = await this.#directory.read(this.name, this.#sources)
    if (!material) throw new KeyMissingError(`the key file ${path} is gone`)
    if (material.id === this.id) return kekOf(material, this.name, this.#sources)
    material[Symbol.dispose]()
    throw new KeyMissingError(`the key file ${path} holds another key than a moment ago`)
  }
}
