import { bindingContext } from "../envelope/binding.ts"
import type { Envelope } from "../envelope/envelope.ts"
import { IntegrityError, KeyMissingError, UsageError } from "../errors.ts"
import type { Kek, Recipient } from "../keys/kek.ts"

const MIN_PREFIX_CHARACTERS = 4

/** KEKs to move away from: some at hand, so that they can be tried, others known by their ids alone. */
export interface OldKeys {
  readonly keks: readonly Kek[]
  /** Ids, or beginnings of fingerprints, of KEKs that are not at hand. */
  readonly ids: readonly string[]
}

/**
 * Find the KEKs that names or ids mean. What is not at hand is still told by its id in the envelopes.
 *
 * @throws {UsageError} if one is neither the name of a KEK at hand nor an id.
 */
export function findOldKeys(names: readonly string[], readers: readonly Kek[]): OldKeys {
  const keks = new Map<string, Kek>()
  const ids: string[] = []
  for (const name of names) {
    const found = readers.filter((kek) => kek.name === name || isId(kek.id, name))
    for (const kek of found) keks.set(kek.id, kek)
    if (found.length > 0) continue
    if (!/^([a-z]+:.+|[0-9a-f]{4,})$/.test(name)) {
      throw new UsageError(`there is no key ${JSON.stringify(name)}, and it is no id of one`, {
        hint: "`s3ep keys list` shows those at hand, `s3ep stat` the ids of an object's",
      })
    }
    ids.push(name)
  }
  return { keks: [...keks.values()], ids }
}

/** Whether one of the KEKs could open an envelope, by what its recipients say. */
export function names({ keks, ids }: OldKeys, { recipients }: Envelope): boolean {
  return recipients.some(
    (recipient) => ids.some((id) => isId(recipient.kek, id)) || keks.some((kek) => kek.matches(recipient)),
  )
}

/**
 * The first of some KEKs that opens an envelope. Each is tried on every recipient, whatever name that bears, unless
 * trying takes long. A recipient that names a KEK counts, even if it cannot be tried (a public key, a revoked one) or
 * is damaged: what nobody can tell is not called closed.
 */
export async function opener(
  keks: readonly Kek[],
  envelope: Envelope,
  objectKey: string,
): Promise<Kek | null> {
  const context = bindingContext(envelope.bind, objectKey)
  for (const kek of keks) {
    for (const recipient of envelope.recipients) {
      if (recipient.kek === kek.id) return kek
      const tried = kek.slow || kek.matches(recipient) ? recipient : { ...recipient, kek: kek.id }
      if (await opens(kek, tried, context)) return kek
    }
  }
  return null
}

async function opens(kek: Kek, recipient: Recipient, context: Uint8Array): Promise<boolean> {
  try {
    const dek = await kek.unwrap(recipient, context)
    dek?.[Symbol.dispose]()
    return dek !== null
  } catch (error) {
    if (error instanceof IntegrityError || error instanceof KeyMissingError) return false
    throw error
  }
}

/** Whether an id is meant: whole, or by the beginning of its fingerprint, with or without the type. */
function isId(id: string, given: string): boolean {
  const fingerprint = id.slice(id.indexOf(":") + 1)
  const wanted = given.slice(given.indexOf(":") + 1)
  if (wanted.length < MIN_PREFIX_CHARACTERS) return false
  return given.includes(":") ? id.startsWith(given) : fingerprint.startsWith(given)
}
