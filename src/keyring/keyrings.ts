import { DeniedError, KeyMissingError } from "../errors.ts"
import type { Kek, KeySet, Recipient } from "../keys/kek.ts"
import type { ObjectAddress } from "../store/store.ts"
import { trusted } from "./admin.ts"
import type { KeyringContext, KeyringOptions } from "./context.ts"
import { activeEpoch } from "./keyring.ts"
import { fetchKeyring, type StoredKeyring } from "./object.ts"
import type { OpenKeyring } from "./open.ts"
import { type KeyringPlace, keyringUri, placesAbove, prefixUri } from "./place.ts"
import { goneKeyring, SeenKeyrings } from "./seen.ts"

/** What a look for a keyring brought. */
type Look = StoredKeyring | { readonly denied: DeniedError } | null

/**
 * The keyrings above the objects of one run: each place is looked at once, and a keyring is opened when its KEKs are
 * first needed. Disposing of it wipes them.
 */
export class Keyrings implements Disposable {
  readonly #context: Omit<KeyringContext, "keys">
  readonly #keys: KeySet | Promise<KeySet>
  readonly #options: KeyringsOptions
  readonly #seen: SeenKeyrings
  readonly #looks = new Map<string, Promise<Look>>()
  readonly #opened = new Map<string, Promise<OpenKeyring>>()
  readonly #keks = new Map<string, Kek>()
  #saidDenied = false

  /** @param context - its keys may still be on their way: nobody waits for them to look for keyrings. */
  constructor(
    { keys, ...context }: Omit<KeyringContext, "keys"> & { readonly keys: KeySet | Promise<KeySet> },
    options: KeyringsOptions = {},
  ) {
    this.#context = context
    this.#keys = keys
    this.#options = options
    this.#seen = new SeenKeyrings(context.stateDirectory, context.store.endpoint)
  }

  /** Begin to look for the keyring of an object that is about to be written. */
  expect(address: ObjectAddress): void {
    if (this.#options.readOnly) return
    this.#lookAbove(address)
  }

  /**
   * The active epoch of the nearest keyring above an object; null if there is none. Where nobody may look, and no
   * keyring was ever seen, there is taken to be none, and a notice says so.
   *
   * @throws {KeyMissingError} if no key at hand opens it; {IntegrityError} if it was altered, rolled back, replaced
   * or removed; {DeniedError} if it was seen before and may not be read any more.
   */
  async writersFor(address: ObjectAddress): Promise<readonly Kek[] | null> {
    if (this.#options.readOnly) return null
    for (const place of this.#lookAbove(address)) {
      const found = await this.#present(place)
      if (found) return [await this.#writer(found)]
    }
    return null
  }

  /**
   * The epochs of keyrings above an object that are named by its recipients.
   *
   * @throws {KeyMissingError} if there are some and no key at hand opens their keyring; {IntegrityError} as above.
   */
  async readersFor(address: ObjectAddress, recipients: readonly Recipient[]): Promise<readonly Kek[]> {
    const failures: unknown[] = []
    for (const place of this.#lookAbove(address)) {
      try {
        const found = await this.#present(place)
        const epochs = found?.keyring.epochs.filter(({ kek }) =>
          recipients.some((other) => other.kek === kek),
        )
        if (!found || !epochs || epochs.length === 0) continue
        const open = await this.#open(found)
        return epochs.map((epoch) => this.#kek(open, epoch.kek))
      } catch (error) {
        failures.push(error) // another keyring may serve
      }
    }
    if (failures.length > 0) throw failures[0]
    return []
  }

  [Symbol.dispose](): void {
    for (const kek of this.#keks.values()) kek[Symbol.dispose]()
    for (const opened of this.#opened.values()) {
      opened.then(
        (open) => open[Symbol.dispose](),
        () => undefined, // whoever waits for it hears of it
      )
    }
  }

  // All at once: most places have none.
  #lookAbove(address: ObjectAddress): KeyringPlace[] {
    const places = placesAbove(address)
    for (const place of places) void this.#look(place)
    return places
  }

  #look(place: KeyringPlace): Promise<Look> {
    const uri = keyringUri(place)
    const known = this.#looks.get(uri)
    if (known !== undefined) return known
    const look = fetchKeyring(this.#context, place, this.#options).catch((error: unknown) => {
      if (error instanceof DeniedError) return { denied: error }
      throw error
    })
    look.catch(() => undefined) // a nearer one may make it irrelevant
    this.#looks.set(uri, look)
    return look
  }

  /** The keyring of a place, unless there is none; refuses where one was and is not given any more. */
  async #present(place: KeyringPlace): Promise<StoredKeyring | null> {
    const look = await this.#look(place)
    if (look && "keyring" in look) return look
    const seen = await this.#seen.get(place)
    if (!look) {
      if (seen) throw goneKeyring(place, seen)
      return null
    }
    const { denied } = look
    if (seen) {
      throw new DeniedError(`cannot read the keyring ${keyringUri(place)}: ${denied.message}`, {
        cause: denied,
        hint: denied.hint,
      })
    }
    this.#sayDenied(place)
    return null
  }

  async #writer(stored: StoredKeyring): Promise<Kek> {
    const { place, keyring } = stored
    const unseen = !this.#opened.has(keyringUri(place)) && (await this.#seen.get(place)) === null
    const open = await this.#open(stored).catch((error: unknown) => {
      if (!(error instanceof KeyMissingError)) throw error
      throw new KeyMissingError(error.message, {
        cause: error,
        hint: `${error.hint}; with --kek or --no-keyring it is encrypted to other keys instead`,
      })
    })
    if (unseen) {
      const names = keyring.recipients.map(({ name }) => name)
      const shown =
        names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ")
      this.#context.onProgress({
        type: "notice",
        message: `what is put below ${prefixUri(place)} is encrypted to its keyring, first seen now: ${shown} can read it`,
        hint: `its id is ${keyring.id}; \`s3ep keyring show ${prefixUri(place)}\` tells more, --no-keyring does without`,
      })
    }
    return this.#kek(open, activeEpoch(open.keyring).kek)
  }

  #open(stored: StoredKeyring): Promise<OpenKeyring> {
    const uri = keyringUri(stored.place)
    const known = this.#opened.get(uri)
    if (known !== undefined) return known
    const opened = Promise.resolve(this.#keys).then((keys) =>
      trusted({ ...this.#context, keys }, stored, this.#options),
    )
    opened.catch(() => undefined) // whoever waits for it hears of it
    this.#opened.set(uri, opened)
    return opened
  }

  #kek(open: OpenKeyring, id: string): Kek {
    const name = `${keyringUri(open.place)} ${id}`
    const known = this.#keks.get(name)
    if (known) return known
    const epoch = open.keyring.epochs.find(({ kek }) => kek === id)
    if (!epoch) throw new RangeError(`no epoch ${id}`)
    const kek = open.kek(epoch, this.#options)
    this.#keks.set(name, kek)
    return kek
  }

  #sayDenied(place: KeyringPlace): void {
    if (this.#saidDenied) return
    this.#saidDenied = true
    this.#context.onProgress({
      type: "notice",
      message: `whether there is a keyring ${keyringUri(place)} may not be asked: none is used`,
      hint: "allow s3:GetObject on it and s3:ListBucket, or say --no-keyring",
    })
  }
}

/** How a run uses keyrings. */
export interface KeyringsOptions extends KeyringOptions {
  /** New objects are wrapped to the keys at hand, whatever keyrings there are. */
  readonly readOnly?: boolean | undefined
  /** Open what is wrapped to revoked epochs too. */
  readonly allowRevoked?: boolean | undefined
}
