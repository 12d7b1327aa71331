import { DeniedError, IntegrityError, KeyMissingError, NotFoundError } from "../errors.ts"
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

// A run may last for days, and an epoch that is revoked meanwhile is not to be written to until it ends.
const MAX_AGE_MS = 300_000

/**
 * The keyrings above the objects of one run: each place is looked at once, a keyring that is written to again every
 * five minutes, and it is opened when its KEKs are first needed. Disposing of it wipes them.
 */
export class Keyrings implements Disposable {
  readonly #context: Omit<KeyringContext, "keys">
  readonly #keys: KeySet | Promise<KeySet>
  readonly #options: KeyringsOptions
  readonly #seen: SeenKeyrings
  readonly #looks = new Map<string, { readonly look: Promise<Look>; readonly at: number }>()
  /** By place and MAC. */
  readonly #opened = new Map<string, Promise<OpenKeyring>>()
  readonly #keks = new Map<string, Kek>()
  readonly #announced = new Set<string>()
  /** Directories of the bucket above which there is none: asked for with each of the objects in them. */
  readonly #without = new Set<string>()
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
    const directory = `${address.bucket}/${address.key.slice(0, address.key.lastIndexOf("/") + 1)}`
    if (this.#without.has(directory)) return null
    for (const place of this.#lookAbove(address)) {
      const found = (await this.#present(place)) && (await this.#recent(place))
      if (found) return [await this.#writer(found)]
    }
    if (this.#options.ids) throw notNamed(`s3://${address.bucket}/${address.key}`, "there is no keyring")
    this.#without.add(directory)
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
    if (known) return known.look
    const look = this.#fetch(place)
    // A nearer one may make it irrelevant; what failed is tried again for the next object.
    look.catch(() => this.#looks.delete(uri))
    this.#looks.set(uri, { look, at: this.#context.clock.now() })
    return look
  }

  /** Refuses where a keyring was and is not given any more. */
  async #fetch(place: KeyringPlace): Promise<Look> {
    try {
      const stored = await fetchKeyring(this.#context, place, this.#options)
      const seen = stored ? null : await this.#seen.get(place)
      if (seen) throw goneKeyring(place, seen)
      return stored
    } catch (error) {
      // Whoever writes there is told so by that.
      if (error instanceof NotFoundError && error.what === "bucket") return null
      if (!(error instanceof DeniedError)) throw error
      if (!(await this.#seen.get(place))) return { denied: error }
      throw new DeniedError(`cannot read the keyring ${keyringUri(place)}: ${error.message}`, {
        cause: error,
        hint: error.hint,
      })
    }
  }

  /** The keyring of a place, unless there is none. */
  async #present(place: KeyringPlace): Promise<StoredKeyring | null> {
    const look = await this.#look(place)
    if (look === null || "keyring" in look) return look
    this.#sayDenied(place)
    return null
  }

  /** The same, looked at within the last minutes. */
  #recent(place: KeyringPlace): Promise<StoredKeyring | null> {
    const uri = keyringUri(place)
    const at = this.#looks.get(uri)?.at ?? 0
    if (this.#context.clock.now() - at > MAX_AGE_MS) this.#looks.delete(uri)
    return this.#present(place)
  }

  async #writer(stored: StoredKeyring): Promise<Kek> {
    const { place, keyring } = stored
    const uri = keyringUri(place)
    const announced = this.#announced.has(uri)
    this.#announced.add(uri)
    const unseen = !announced && (await this.#seen.get(place)) === null
    const open = await this.#open(stored).catch((error: unknown) => {
      if (!(error instanceof KeyMissingError)) throw error
      throw new KeyMissingError(error.message, {
        cause: error,
        hint: `${error.hint}; with --kek or --no-keyring it is encrypted to other keys instead`,
      })
    })
    await this.#checkTrust(open)
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

  /** Writing to a keyring of somebody else's making would give them all that is written. */
  async #checkTrust({ place, keyring, vouched, opener }: OpenKeyring): Promise<void> {
    const { ids } = this.#options
    if (ids?.includes(keyring.id)) return
    if (ids) throw notNamed(prefixUri(place), `its keyring has the id ${keyring.id}`)
    if (vouched) return
    const seen = await this.#seen.get(place)
    if (seen?.id === keyring.id && seen.vouched) return
    throw new KeyMissingError(
      `cannot encrypt to the keyring ${keyringUri(place)}: ${opener.name} opens it, but anybody can wrap to ${opener.id}, so anybody may have made it`,
      {
        hint: `compare its id ${keyring.id} with who made it, then say so: \`s3ep keyring trust ${prefixUri(place)}\` or S3EP_KEYRING_IDS=${keyring.id}`,
      },
    )
  }

  #open(stored: StoredKeyring): Promise<OpenKeyring> {
    const version = `${keyringUri(stored.place)} ${stored.keyring.mac}`
    const known = this.#opened.get(version)
    if (known !== undefined) return known
    const opened = Promise.resolve(this.#keys).then((keys) =>
      trusted({ ...this.#context, keys }, stored, this.#options),
    )
    opened.catch(() => undefined) // whoever waits for it hears of it
    this.#opened.set(version, opened)
    return opened
  }

  #kek(open: OpenKeyring, id: string): Kek {
    const version = `${keyringUri(open.place)} ${open.keyring.mac} ${id}`
    const known = this.#keks.get(version)
    if (known) return known
    const epoch = open.keyring.epochs.find(({ kek }) => kek === id)
    if (!epoch) throw new RangeError(`no epoch ${id}`)
    const kek = open.kek(epoch, this.#options)
    this.#keks.set(version, kek)
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

function notNamed(uri: string, why: string): IntegrityError {
  return new IntegrityError(
    `cannot encrypt what is put to ${uri}: ${why}, and S3EP_KEYRING_IDS names others`,
    {
      hint: "somebody may have put another keyring in its place, or taken it away; --no-keyring does without",
    },
  )
}

/** How a run uses keyrings. */
export interface KeyringsOptions extends KeyringOptions {
  /** New objects are wrapped to the keys at hand, whatever keyrings there are. */
  readonly readOnly?: boolean | undefined
  /** Ids of the keyrings to write to, and to nothing else; they need no other trust. */
  readonly ids?: readonly string[] | undefined
  /** Open what is wrapped to revoked epochs too. */
  readonly allowRevoked?: boolean | undefined
}
