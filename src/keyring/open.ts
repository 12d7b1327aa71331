import { SecretBytes } from "../crypto/secret.ts"
import { unwrapAny } from "../envelope/envelope.ts"
import { IntegrityError, KeyMissingError } from "../errors.ts"
import { aesFingerprint, aesKek } from "../keys/aes.ts"
import type { Kek, Recipient } from "../keys/kek.ts"
import { EpochKek } from "./epoch-kek.ts"
import { activeEpoch, type Epoch, type SealedKeyring } from "./keyring.ts"
import { isAuthentic, keyringContext, keyringId } from "./mac.ts"
import type { StoredKeyring } from "./object.ts"
import { type KeyringPlace, keyringUri, prefixUri } from "./place.ts"

/**
 * A keyring that a recipient's key opened and whose MAC holds. The KEKs of its epochs are unwrapped when they are
 * first needed, and wiped with it.
 */
export class OpenKeyring implements Disposable {
  readonly place: KeyringPlace
  readonly keyring: SealedKeyring
  readonly etag: string
  /** The key that opened it. */
  readonly opener: Kek
  /**
   * Whether that it opens says that it is ours. Anybody can wrap to a public key: what such a key opens, anybody who
   * can write to the bucket may have made.
   */
  readonly vouched: boolean
  readonly #readers: readonly Kek[]
  readonly #epochs = new Map<string, Promise<SecretBytes>>()

  private constructor(
    stored: StoredKeyring,
    readers: readonly Kek[],
    { opener, vouched, active }: { opener: Kek; vouched: boolean; active: SecretBytes },
  ) {
    this.place = stored.place
    this.keyring = stored.keyring
    this.etag = stored.etag
    this.opener = opener
    this.vouched = vouched
    this.#readers = readers
    this.#epochs.set(activeEpoch(stored.keyring).kek, Promise.resolve(active))
  }

  /**
   * Open a keyring: unwrap the KEK of its active epoch and check the MAC with it.
   *
   * @param readers - the keys at hand; borrowed until the keyring is disposed of.
   * @throws {KeyMissingError} if none of them is a recipient's; {IntegrityError} if it was altered, or belongs under
   * another prefix.
   */
  static async open(stored: StoredKeyring, readers: readonly Kek[]): Promise<OpenKeyring> {
    const { keyring, place } = stored
    const isOfPlace = keyring.id === keyringId(place.prefix, keyring.seed)
    const secretFirst = await inOrderOfWorth(readers, activeEpoch(keyring))
    const { key: active, opener } = await unwrapEpoch(stored, activeEpoch(keyring), secretFirst)
    if (isOfPlace && isAuthentic(keyring, place.prefix, active)) {
      return new OpenKeyring(stored, secretFirst, { opener, vouched: !(await isPublic(opener)), active })
    }
    active[Symbol.dispose]()
    throw new IntegrityError(
      `the keyring ${keyringUri(place)} is not what a recipient wrote: it was altered, or belongs under another prefix`,
      { hint: "if the bucket keeps versions, put the last good one back" },
    )
  }

  /** The KEK of an epoch, 32 bytes, owned by the keyring. @throws {IntegrityError} if its wrap was altered. */
  key(epoch: Epoch): Promise<SecretBytes> {
    const known = this.#epochs.get(epoch.kek)
    if (known !== undefined) return known
    const key = unwrapEpoch(this, epoch, this.#readers).then(({ key }) => key)
    key.catch(() => undefined) // whoever waits for it hears of it
    this.#epochs.set(epoch.kek, key)
    return key
  }

  /** An epoch as a KEK; a revoked one unwraps only if that is allowed. */
  kek(epoch: Epoch, options: { readonly allowRevoked?: boolean | undefined } = {}): Kek {
    const refused = epoch.state === "revoked" && !options.allowRevoked
    return new EpochKek(epoch.kek, `keyring ${prefixUri(this.place)}`, async () => {
      if (refused) throw revoked(this.place, epoch)
      const key = await this.key(epoch)
      return aesKek(new SecretBytes(new Uint8Array(key.bytes)), epoch.kek)
    })
  }

  /** Whether a wrap of this keyring is the key's: for a passphrase, only trying tells. */
  async opens(kek: Kek, wrap: Recipient): Promise<boolean> {
    if (!kek.matches(wrap)) return false
    if (kek.id === wrap.kek) return true
    try {
      const key = await kek.unwrap(wrap, keyringContext(this.keyring.id))
      key?.[Symbol.dispose]()
      return key !== null
    } catch (error) {
      if (error instanceof KeyMissingError || error instanceof IntegrityError) return false
      throw error
    }
  }

  [Symbol.dispose](): void {
    for (const key of this.#epochs.values()) {
      key.then(
        (key) => key[Symbol.dispose](),
        () => undefined, // whoever waits for it hears of it
      )
    }
  }
}

// Where several keys open it, one that vouches for it is worth more.
async function inOrderOfWorth(readers: readonly Kek[], epoch: Epoch): Promise<Kek[]> {
  const fitting = readers.filter((kek) => epoch.wraps.some((wrap) => kek.matches(wrap)))
  const worth = new Map<Kek, number>()
  for (const kek of fitting) worth.set(kek, (await isPublic(kek)) ? 1 : 0)
  return fitting.sort((a, b) => (worth.get(a) ?? 0) - (worth.get(b) ?? 0))
}

// One that cannot be read may be either: it is not relied on.
async function isPublic(kek: Kek): Promise<boolean> {
  const text = await kek.publicText?.().catch((error: unknown) => {
    if (error instanceof KeyMissingError) return ""
    throw error
  })
  return (text ?? null) !== null
}

async function unwrapEpoch(
  { keyring, place }: Pick<StoredKeyring, "keyring" | "place">,
  epoch: Epoch,
  readers: readonly Kek[],
): Promise<{ key: SecretBytes; opener: Kek }> {
  const uri = keyringUri(place)
  try {
    const { dek: key, kek: opener } = await unwrapAny(epoch.wraps, keyringContext(keyring.id), readers)
    if (key.length === 32 && aesFingerprint(key) === epoch.kek) return { key, opener }
    key[Symbol.dispose]()
    throw new IntegrityError("an epoch holds another KEK than it says")
  } catch (error) {
    const why = error instanceof Error ? error.message : ""
    if (error instanceof IntegrityError) {
      throw new IntegrityError(`the keyring ${uri} is damaged: ${why}`, { cause: error, hint: error.hint })
    }
    if (!(error instanceof KeyMissingError)) throw error
    throw notARecipient(place, keyring, error)
  }
}

function notARecipient(place: KeyringPlace, keyring: SealedKeyring, cause: KeyMissingError): KeyMissingError {
  const names = keyring.recipients.slice(0, 3).map(({ kek, name }) => `${name} (${kek})`)
  if (keyring.recipients.length > 3) names.push(`${keyring.recipients.length - 3} more`)
  return new KeyMissingError(
    `cannot open the keyring ${keyringUri(place)}: no key at hand is a recipient's`,
    {
      cause,
      hint: `give the key of ${names.join(" or ")}, or ask one of them for \`s3ep keyring add ${prefixUri(place)} YOUR-KEY\``,
    },
  )
}

function revoked(place: KeyringPlace, epoch: Epoch): KeyMissingError {
  return new KeyMissingError(`its KEK ${epoch.kek} is a revoked epoch of the keyring ${keyringUri(place)}`, {
    hint: "with --allow-revoked it opens all the same; `s3ep rotate-key` moves objects to the active epoch",
  })
}
