import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import { aesKind } from "./aes-kind.ts"
import { ageKind } from "./age-kind.ts"
import type { Kek, Recipient } from "./kek.ts"
import type { KekKind, KeySources, WrittenKind, WrittenPlace } from "./kind.ts"
import { kmsKind } from "./kms-kind.ts"
import type { KeyMaterial } from "./material.ts"
import { passphraseKind } from "./passphrase-kind.ts"
import { rsaKind } from "./rsa-kind.ts"

/** Every kind of KEK there is, cheap ones first. */
export const KEK_KINDS: readonly KekKind[] = [aesKind, rsaKind, ageKind, kmsKind, passphraseKind]

const MAX_HINTS = 3

/** The kind of a KEK, by its id; undefined for one of a kind this s3ep does not know. */
export function kindOf(id: string): KekKind | undefined {
  return KEK_KINDS.find(({ type }) => id.startsWith(`${type}:`))
}

/** The kinds whose keys are kept. */
export const WRITTEN_KINDS: readonly WrittenKind[] = KEK_KINDS.flatMap(({ written }) => written ?? [])

/** What makes a new key of each kind that is made here, by the word `keys generate --kind` takes. */
export function generators(): ReadonlyMap<string, (random: RandomSource) => Promise<KeyMaterial>> {
  return new Map(WRITTEN_KINDS.flatMap(({ generate }) => Object.entries(generate)))
}

/**
 * The keys that a text holds, of whatever kind.
 *
 * @param content - borrowed.
 * @returns at least one; the caller owns them.
 * @throws {KeyMissingError} if there is none, or it cannot be used. Nothing of them is in the error.
 */
export async function parseKeys(content: Uint8Array, place: WrittenPlace): Promise<KeyMaterial[]> {
  for (const kind of WRITTEN_KINDS) {
    const found = await kind.parse(content, place)
    if (found.length > 0) return found
  }
  throw new KeyMissingError(
    `${place.origin} is not a key: 32 bytes raw, in hex or in base64 are one, and so are a PEM file (RSA), an age identity or recipient, and the ARN of a KMS key`,
    { hint: "make one with `s3ep keys generate`" },
  )
}

/**
 * The KEK of a key that was written down.
 *
 * @param material - owned by the KEK from now on, whatever happens.
 */
export async function kekOf(material: KeyMaterial, name: string, sources: KeySources): Promise<Kek> {
  const written = kindOf(material.id)?.written
  if (!written) throw new RangeError(`no KEK is made of ${material.id}`)
  return written.kek(material, name, sources)
}

/** What to do about an object that no KEK at hand opens; to stand after "hint: ". */
export function hintToOpen(recipients: readonly Recipient[]): string {
  const hints = new Set(
    recipients.map(
      ({ kek }) =>
        kindOf(kek)?.hint(kek) ?? `it was wrapped by KEK ${kek}, of a kind this s3ep does not know`,
    ),
  )
  const shown = [...hints].slice(0, MAX_HINTS)
  if (hints.size > MAX_HINTS) shown.push(`${hints.size - MAX_HINTS} more KEKs would do`)
  return shown.join("; or ")
}

/** The key on a recovery sheet; null if the tag is none that this s3ep knows. */
export async function unpackKey(tag: number, bytes: SecretBytes): Promise<KeyMaterial | null> {
  for (const kind of WRITTEN_KINDS) {
    const material = await kind.unpack?.({ tag, bytes })
    if (material) return material
  }
  return null
}
