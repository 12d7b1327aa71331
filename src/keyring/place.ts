import { isReserved, RESERVED_DIRECTORY } from "../envelope/reserved.ts"
import { UsageError } from "../errors.ts"
import type { ObjectAddress } from "../store/store.ts"

/** Where a keyring is, or could be: it is responsible for what lies below its prefix. */
export interface KeyringPlace {
  readonly bucket: string
  /** Ends in "/", or is empty for the whole bucket. */
  readonly prefix: string
}

const NAME = `${RESERVED_DIRECTORY}keyring.json`
// Every object that is written costs a look at each of the places above it.
const MAX_LEVELS = 16
const MAX_KEY_BYTES = 1024

/** The object a keyring is kept in. */
export function keyringAddress({ bucket, prefix }: KeyringPlace): ObjectAddress {
  return { bucket, key: `${prefix}${NAME}` }
}

/** Whether an object is a keyring, by its key. */
export function isKeyring({ key }: ObjectAddress): boolean {
  return key === NAME || key.endsWith(`/${NAME}`)
}

/** The object's address, as the user writes it. */
export function keyringUri(place: KeyringPlace): string {
  const { bucket, key } = keyringAddress(place)
  return `s3://${bucket}/${key}`
}

/** The prefix, as the user writes it. */
export function prefixUri({ bucket, prefix }: KeyringPlace): string {
  return `s3://${bucket}/${prefix}`
}

/**
 * The place a user means: a prefix, with or without its slash, or the keyring's own address.
 *
 * @throws {UsageError} if no keyring can be there: more than 15 levels deep, among what s3ep keeps for itself, or
 * too long a key.
 */
export function keyringPlace({ bucket, key }: ObjectAddress): KeyringPlace {
  const prefix = isKeyring({ bucket, key })
    ? key.slice(0, -NAME.length)
    : key === "" || key.endsWith("/")
      ? key
      : `${key}/`
  const place = { bucket, prefix }
  if (isReserved(prefix)) {
    throw new UsageError(`${prefixUri(place)} is s3ep's own: there is no keyring in it`)
  }
  if (levelsOf(prefix) > MAX_LEVELS) {
    throw new UsageError(
      `a keyring is at most ${MAX_LEVELS - 1} levels deep, and ${prefixUri(place)} is deeper`,
    )
  }
  if (Buffer.byteLength(keyringAddress(place).key) > MAX_KEY_BYTES) {
    throw new UsageError(`the prefix is too long for a keyring below it: ${prefixUri(place)}`)
  }
  return place
}

/** Every place whose keyring would be responsible for an object, the nearest first: at most 16. */
export function placesAbove({ bucket, key }: ObjectAddress): KeyringPlace[] {
  const places: KeyringPlace[] = [{ bucket, prefix: "" }]
  for (let slash = key.indexOf("/"); slash >= 0; slash = key.indexOf("/", slash + 1)) {
    if (places.length === MAX_LEVELS) break
    places.unshift({ bucket, prefix: key.slice(0, slash + 1) })
  }
  return places
}

function levelsOf(prefix: string): number {
  return prefix.split("/").length
}
