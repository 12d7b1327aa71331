import { base64url, fromBase64url, hex, utf8 } from "../bytes.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import { type RandomSource, SecretBytes } from "../crypto/secret.ts"
import { IntegrityError, KeyMissingError, UsageError } from "../errors.ts"
import { aesFingerprint } from "../keys/aes.ts"
import type { Kek, Recipient } from "../keys/kek.ts"
import { isRecipientName, MAX_EPOCHS, MAX_NAME_CHARACTERS, MAX_RECIPIENTS } from "./codec.ts"
import {
  activeEpoch,
  EPOCH_STATES,
  type Epoch,
  type EpochState,
  type Keyring,
  type KeyringRecipient,
  type SealedKeyring,
} from "./keyring.ts"
import { keyringContext, keyringId, sealKeyring } from "./mac.ts"
import type { OpenKeyring } from "./open.ts"
import { type KeyringPlace, prefixUri } from "./place.ts"

const SEED_BYTES = 16

/** Who is to be added to a keyring. */
export interface NewRecipient {
  /** What wraps to them; borrowed. */
  readonly kek: Kek
  /** As the KEK is called if not given. */
  readonly name?: string | undefined
}

/** Makes a KEK of a public key's text. @throws {KeyMissingError} if it is none. */
export type PublicKek = (publicText: Uint8Array, name: string) => Promise<Kek>

/** What a change draws on. */
export interface ChangeSources {
  readonly random: RandomSource
  readonly clock: { now(): number }
  /** The keys at hand: a new epoch is wrapped to every recipient with those, or with public keys. Borrowed. */
  readonly readers: readonly Kek[]
  /** A KEK made of a public key that the keyring holds; owned by the change. */
  readonly publicKek?: PublicKek | undefined
}

/** A change of a keyring, step by step, before any of it is stored. Wipes the epochs it made when disposed of. */
export class KeyringChange implements Disposable {
  readonly place: KeyringPlace
  /** What it started from; null for a new keyring. */
  readonly before: OpenKeyring | null
  readonly #sources: ChangeSources
  readonly #made = new Map<string, SecretBytes>()
  readonly #owned: Disposable[] = []
  #draft: Keyring

  private constructor(
    place: KeyringPlace,
    before: OpenKeyring | null,
    draft: Keyring,
    sources: ChangeSources,
  ) {
    this.place = place
    this.before = before
    this.#draft = draft
    this.#sources = sources
  }

  /** @param before - borrowed until this is disposed of. */
  static of(before: OpenKeyring, sources: ChangeSources): KeyringChange {
    const { mac: _, ...keyring } = before.keyring
    const draft = { ...keyring, generation: keyring.generation + 1, updated: isoNow(sources) }
    return new KeyringChange(before.place, before, draft, sources)
  }

  /**
   * A new keyring with one epoch.
   *
   * @throws {KeyMissingError} without recipients; as `add` otherwise.
   */
  static async create(
    place: KeyringPlace,
    recipients: readonly NewRecipient[],
    sources: ChangeSources,
  ): Promise<KeyringChange> {
    if (recipients.length === 0) throw new KeyMissingError("no key to make a keyring for")
    const seed = hex(sources.random(SEED_BYTES))
    const id = keyringId(place.prefix, seed)
    const draft = {
      v: 1,
      id,
      seed,
      generation: 1,
      updated: isoNow(sources),
      recipients: [],
      epochs: [],
    } as const
    const change = new KeyringChange(place, null, draft, sources)
    try {
      change.#addEpoch([])
      for (const recipient of recipients) await change.add(recipient)
      return change
    } catch (error) {
      change[Symbol.dispose]()
      throw error
    }
  }

  /** What it will be, without its MAC. */
  get keyring(): Keyring {
    return this.#draft
  }

  /**
   * Wrap every epoch to one more recipient. A public key of theirs is kept, so that anybody can wrap later epochs.
   *
   * @throws {UsageError} if they are one already, cannot be called that, or there are too many.
   */
  async add({ kek, name = recipientName(kek.name) }: NewRecipient): Promise<void> {
    const { recipients, epochs } = this.#draft
    if (!isRecipientName(name)) {
      throw new UsageError(`${JSON.stringify(name)} cannot be the name of a recipient`, {
        hint: "up to 64 printable ASCII characters without blanks, quotes and backslashes",
      })
    }
    for (const [index, recipient] of recipients.entries()) {
      if (recipient.kek !== kek.id && !(await this.#isOf(kek, index))) continue
      throw new UsageError(`${kek.id} is a recipient already (${recipient.name})`)
    }
    if (recipients.length === MAX_RECIPIENTS) {
      throw new UsageError(`a keyring has ${MAX_RECIPIENTS} recipients at most`)
    }
    const wraps = await this.#wrapAll(kek)
    const id = wraps[0]?.kek ?? kek.id
    const publicText = await kek.publicText?.()
    const pub = publicText ? { pub: base64url(utf8(publicText)) } : {}
    this.#draft = {
      ...this.#draft,
      recipients: [...recipients, { kek: id, name, ...pub }],
      epochs: epochs.map((epoch, at) => ({ ...epoch, wraps: [...epoch.wraps, ...wraps.slice(at, at + 1)] })),
    }
  }

  /**
   * Take a recipient off every epoch. They may have kept what they could open so far.
   *
   * @param id - of their KEK.
   * @throws {UsageError} if they are the last one, or none.
   */
  remove(id: string): void {
    const { recipients, epochs } = this.#draft
    const at = recipients.findIndex(({ kek }) => kek === id)
    if (at < 0) throw new UsageError(`${id} is no recipient`)
    if (recipients.length === 1) {
      throw new UsageError(
        `${recipients[at]?.name} is the last recipient: nobody could open the keyring any more`,
        {
          hint: "add another one first",
        },
      )
    }
    this.#draft = {
      ...this.#draft,
      recipients: recipients.toSpliced(at, 1),
      epochs: epochs.map((epoch) => ({ ...epoch, wraps: epoch.wraps.toSpliced(at, 1) })),
    }
  }

  /**
   * Make a new epoch, which new objects are wrapped to from now on.
   *
   * @param previous - what becomes of the one that was active.
   * @throws {KeyMissingError} if it cannot be wrapped to some recipient: their key is neither public nor at hand.
   */
  async newEpoch(previous: Exclude<EpochState, "active"> = "retired"): Promise<void> {
    if (this.#draft.epochs.length === MAX_EPOCHS)
      throw new UsageError(`a keyring has ${MAX_EPOCHS} epochs at most`)
    const writers = await this.#writers()
    for (const [index, kek] of writers.entries()) await this.#renew(index, kek)
    const { kek: active } = activeEpoch(this.#draft)
    const key = new SecretBytes(this.#sources.random(KEY_BYTES))
    this.#made.set(aesFingerprint(key), key)
    const wraps: Recipient[] = []
    for (const writer of writers) wraps.push(await this.#wrap(writer, key))
    this.#setState(active, previous)
    this.#addEpoch(wraps, key)
  }

  /**
   * Move an epoch on: it never goes back. The active one is replaced by a new one.
   *
   * @throws {UsageError} if there is no such epoch, or it is there or beyond already.
   */
  async move(id: string, state: Exclude<EpochState, "active">): Promise<void> {
    const epoch = this.#draft.epochs.find(({ kek }) => kek === id)
    if (!epoch) throw new UsageError(`there is no epoch ${id}`)
    if (EPOCH_STATES.indexOf(epoch.state) >= EPOCH_STATES.indexOf(state)) {
      throw new UsageError(`the epoch ${id} is ${epoch.state} already`)
    }
    if (epoch.state === "active") await this.newEpoch(state)
    else this.#setState(id, state)
  }

  /** The keyring with its MAC, to be stored. */
  async seal(): Promise<SealedKeyring> {
    return sealKeyring(this.#draft, this.place.prefix, await this.#key(activeEpoch(this.#draft)))
  }

  [Symbol.dispose](): void {
    for (const key of [...this.#made.values(), ...this.#owned]) key[Symbol.dispose]()
  }

  #addEpoch(wraps: readonly Recipient[], made?: SecretBytes): void {
    const key = made ?? new SecretBytes(this.#sources.random(KEY_BYTES))
    const kek = aesFingerprint(key)
    this.#made.set(kek, key)
    const epoch: Epoch = { kek, state: "active", created: isoNow(this.#sources), wraps }
    this.#draft = { ...this.#draft, epochs: [...this.#draft.epochs, epoch] }
  }

  #setState(id: string, state: EpochState): void {
    const epochs = this.#draft.epochs.map((epoch) => (epoch.kek === id ? { ...epoch, state } : epoch))
    this.#draft = { ...this.#draft, epochs }
  }

  #key(epoch: Epoch): Promise<SecretBytes> {
    const made = this.#made.get(epoch.kek)
    if (made) return Promise.resolve(made)
    if (!this.before) throw new RangeError("an epoch from nowhere")
    return this.before.key(epoch)
  }

  async #wrapAll(kek: Kek): Promise<Recipient[]> {
    const wraps: Recipient[] = []
    for (const epoch of this.#draft.epochs) wraps.push(await this.#wrap(kek, await this.#key(epoch)))
    return wraps
  }

  #wrap(kek: Kek, key: SecretBytes): Promise<Recipient> {
    return kek.wrap(key, keyringContext(this.#draft.id), this.#sources.random)
  }

  /** What wraps to each recipient, in their order. */
  async #writers(): Promise<Kek[]> {
    const writers: Kek[] = []
    const missing: KeyringRecipient[] = []
    for (const [index, recipient] of this.#draft.recipients.entries()) {
      const kek = (await this.#atHand(index)) ?? (await this.#public(recipient))
      if (kek) writers.push(kek)
      else missing.push(recipient)
    }
    if (missing.length === 0) return writers
    const names = missing.map(({ kek, name }) => `${name} (${kek})`).join(", ")
    throw new KeyMissingError(
      `cannot wrap a new epoch to ${names}: a key that is not public has to be at hand`,
      {
        hint: `give those keys too; or \`s3ep keyring remove ${prefixUri(this.place)} ${missing.map(({ kek }) => kek).join(" ")} --new-epoch\`, and have them added again later`,
      },
    )
  }

  async #atHand(index: number): Promise<Kek | null> {
    for (const kek of this.#sources.readers) if (await this.#isOf(kek, index)) return kek
    return null
  }

  async #public({ kek: id, pub, name }: KeyringRecipient): Promise<Kek | null> {
    const text = pub === undefined ? null : fromBase64url(pub)
    if (!text || !this.#sources.publicKek) return null
    const kek = await this.#sources.publicKek(text, name)
    this.#owned.push(kek)
    if (kek.id === id) return kek
    throw new IntegrityError(
      `the keyring has another public key for ${name} (${kek.id}) than it says (${id})`,
    )
  }

  /** Whether a key at hand is that of a recipient. */
  async #isOf(kek: Kek, index: number): Promise<boolean> {
    const wrap = activeEpoch(this.#draft).wraps[index]
    if (!wrap) return false
    return this.before ? this.before.opens(kek, wrap) : kek.id === wrap.kek
  }

  // A passphrase has another id for each salt: all of its wraps move to the one it writes with now.
  async #renew(index: number, kek: Kek): Promise<void> {
    const { recipients, epochs } = this.#draft
    const recipient = recipients[index]
    if (!recipient || recipient.kek === kek.id) return
    const wraps = await this.#wrapAll(kek)
    this.#draft = {
      ...this.#draft,
      recipients: recipients.with(index, { ...recipient, kek: kek.id }),
      epochs: epochs.map((epoch, at) => {
        const wrap = wraps[at]
        return wrap ? { ...epoch, wraps: epoch.wraps.with(index, wrap) } : epoch
      }),
    }
  }
}

// What a KEK is called may be any text.
function recipientName(name: string): string {
  const plain = name.replace(/\u2026/g, "...").replace(/[^\x21\x23-\x5b\x5d-\x7e]/g, "_")
  return plain.slice(0, MAX_NAME_CHARACTERS)
}

function isoNow({ clock }: ChangeSources): string {
  return new Date(clock.now()).toISOString()
}
