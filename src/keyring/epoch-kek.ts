import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import { isAesRecipient } from "../keys/aes.ts"
import type { Kek, Recipient } from "../keys/kek.ts"

/** The KEK of an epoch, unwrapped when it is first used. */
export class EpochKek implements Kek {
  readonly id: string
  readonly name: string
  readonly #open: () => Promise<Kek>
  #opened: Promise<Kek> | undefined
  #disposed = false

  /** @param open - makes the `aes` KEK of that id; owned from then on. */
  constructor(id: string, name: string, open: () => Promise<Kek>) {
    this.id = id
    this.name = name
    this.#open = open
  }

  matches(recipient: Recipient): boolean {
    return isAesRecipient(recipient, this.id)
  }

  async wrap(dek: SecretBytes, context: Uint8Array, random: RandomSource): Promise<Recipient> {
    return (await this.#kek()).wrap(dek, context, random)
  }

  async unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null> {
    if (!this.matches(recipient)) return null
    return (await this.#kek()).unwrap(recipient, context)
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#opened?.then(
      (kek) => kek[Symbol.dispose](),
      () => undefined, // whoever waits for it hears of it
    )
  }

  #kek(): Promise<Kek> {
    if (this.#disposed) throw new TypeError("an epoch used after it was disposed of")
    this.#opened ??= this.#open()
    return this.#opened
  }
}
