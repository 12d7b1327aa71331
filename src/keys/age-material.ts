import { bech32 } from "@scure/base"
import {
  armor,
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from "age-encryption"
import { fromUtf8, utf8 } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { ageFingerprint, ageKek } from "./age.ts"
import type { Kek } from "./kek.ts"
import type { PackedKey } from "./kind.ts"
import { type KeyMaterial, keyMaterial, publicMaterial } from "./material.ts"

const PACKED: readonly { readonly tag: number; readonly prefix: string }[] = [
  { tag: 2, prefix: "AGE-SECRET-KEY-" },
  { tag: 3, prefix: "AGE-SECRET-KEY-PQ-" },
]
const IDENTITY_BYTES = 32

/** @returns null if it is not a whole identity: its checksum does not match. */
export async function identityMaterial(identity: string): Promise<KeyMaterial | null> {
  let recipient: string
  try {
    recipient = await identityToRecipient(identity)
  } catch {
    return null
  }
  const text = new SecretBytes(utf8(`${identity}\n`))
  const id = ageFingerprint(recipient)
  return keyMaterial({ id, text, secret: true, reads: true, publicText: `${recipient}\n` })
}

/** @returns null if it is not a whole recipient: its checksum does not match. */
export function recipientMaterial(recipient: string): KeyMaterial | null {
  try {
    new Encrypter().addRecipient(recipient)
  } catch {
    return null
  }
  return publicMaterial(ageFingerprint(recipient), `${recipient}\n`, { reads: false })
}

export async function generateAge(kind: "age" | "age-pq"): Promise<KeyMaterial> {
  const identity = await (kind === "age" ? generateX25519Identity() : generateHybridIdentity())
  const material = await identityMaterial(identity)
  if (!material) throw new RangeError("an identity that was just made is not one")
  return material
}

/** The KEK of a key of age as it is kept. */
export async function ageKekOf(material: KeyMaterial, name: string): Promise<Kek> {
  using owned = material
  const line = fromUtf8(owned.text.bytes).trim()
  if (!owned.secret) return ageKek({ recipient: line }, name)
  return ageKek({ recipient: await identityToRecipient(line), identity: line }, name)
}

/**
 * Open an identity file that is encrypted with a passphrase (scrypt, up to 2^20).
 *
 * @param content - binary or armored.
 * @returns null if the passphrase is wrong, or it is something else.
 */
export async function decryptIdentityFile(
  content: Uint8Array,
  passphrase: SecretBytes,
): Promise<SecretBytes | null> {
  try {
    const isArmored = content[0] === "-".charCodeAt(0)
    const file = isArmored ? armor.decode(fromUtf8(content)) : content
    const decrypter = new Decrypter()
    decrypter.addPassphrase(fromUtf8(passphrase.bytes))
    const opened = await decrypter.decrypt(file)
    const own = new SecretBytes(new Uint8Array(opened))
    opened.fill(0)
    return own
  } catch {
    return null
  }
}

/** The 32 bytes of an identity; null for a recipient, which is no secret. */
export function packAge({ text, secret }: KeyMaterial): PackedKey | null {
  if (!secret) return null
  const { prefix, bytes } = bech32.decodeToBytes(fromUtf8(text.bytes).trim())
  const form = PACKED.find((form) => form.prefix === prefix.toUpperCase())
  return form && bytes.length === IDENTITY_BYTES
    ? { tag: form.tag, bytes: new SecretBytes(new Uint8Array(bytes)) }
    : null
}

export async function unpackAge({ tag, bytes }: PackedKey): Promise<KeyMaterial | null> {
  const form = PACKED.find((form) => form.tag === tag)
  if (!form || bytes.length !== IDENTITY_BYTES) return null
  return identityMaterial(bech32.encodeFromBytes(form.prefix, bytes.bytes).toUpperCase())
}
