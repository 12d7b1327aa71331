import { base64url, concat, equalSecret, fromBase64url, hex, u32be, utf8 } from "../bytes.ts"
import { hkdfSha512, hmacSha256, sha256 } from "../crypto/kdf.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { encodeKeyring } from "./codec.ts"
import type { Keyring, SealedKeyring } from "./keyring.ts"

const ID_LABEL = utf8("s3ep keyring id\0")
const ID_BYTES = 16
const CONTEXT_LABEL = utf8("s3ep keyring\0")
const MAC_INFO = utf8("s3ep keyring mac")
const NO_SALT = new Uint8Array(0)
const MAC_KEY_BYTES = 32

/**
 * The id of a keyring. It is made of the prefix, so that what is wrapped under it opens below no other: not even for
 * a recipient, who could make a MAC for it.
 *
 * @param seed - 32 hexadecimal digits, drawn when the keyring is made.
 * @returns 32 hexadecimal digits.
 */
export function keyringId(prefix: string, seed: string): string {
  return hex(sha256(ID_LABEL, utf8(seed), utf8(prefix)).subarray(0, ID_BYTES))
}

/**
 * What the KEK of an epoch is bound to where it is wrapped to recipients.
 *
 * @param id - of the keyring.
 * @returns 32 bytes.
 */
export function keyringContext(id: string): Uint8Array<ArrayBuffer> {
  return sha256(CONTEXT_LABEL, utf8(id))
}

/**
 * Authenticate a keyring, and that it belongs under its prefix, with the KEK of its active epoch.
 *
 * @param kek - 32 bytes, of the epoch that `keyring` says is active; borrowed.
 * @see man/s3ep-format.5, "KEYRING"
 */
export function sealKeyring(keyring: Keyring, prefix: string, kek: SecretBytes): SealedKeyring {
  return { ...keyring, mac: base64url(macOf(keyring, prefix, kek)) }
}

/** Whether a keyring is what a holder of its active epoch's KEK wrote for this prefix. */
export function isAuthentic(keyring: SealedKeyring, prefix: string, kek: SecretBytes): boolean {
  const stated = fromBase64url(keyring.mac)
  return stated !== null && equalSecret(stated, macOf(keyring, prefix, kek))
}

function macOf(keyring: Keyring, prefix: string, kek: SecretBytes): Uint8Array {
  using key = hkdfSha512(kek.bytes, NO_SALT, MAC_INFO, MAC_KEY_BYTES)
  const under = utf8(prefix)
  return hmacSha256(key.bytes, [concat(u32be(under.length), under), utf8(encodeKeyring(keyring))])
}
