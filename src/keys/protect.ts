import { base64url, concat, fromBase64url, fromUtf8, utf8 } from "../bytes.ts"
import { aeadOpen, aeadSeal, KEY_BYTES, NONCE_BYTES } from "../crypto/aead.ts"
import { type Argon2Parameters, sha256 } from "../crypto/kdf.ts"
import { type RandomSource, SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { Recipient } from "./kek.ts"
import { passphraseKek } from "./passphrase.ts"

const CONTEXT_LABEL = utf8("s3ep protected key\0")
// Each key seals one text, so one nonce is enough.
const NONCE = new Uint8Array(NONCE_BYTES)

/**
 * Seal a key under a passphrase: a random key wrapped as for an object (`Argon2id-A256GCM`) seals its text. Both are
 * bound to the key's id, so that one protected key cannot be put in another's place.
 *
 * @param text - borrowed.
 * @param passphrase - owned from now on, and wiped.
 * @returns one line of JSON: the recipient, and in `key` the ciphertext ‖ tag(16), base64url.
 * @throws {KeyMissingError} if the passphrase is empty.
 */
export async function protectKey(
  { id, text }: { readonly id: string; readonly text: SecretBytes },
  passphrase: SecretBytes,
  options: { readonly random: RandomSource; readonly parameters?: Argon2Parameters | undefined },
): Promise<string> {
  using owned = passphrase
  const { random } = options
  using kek = passphraseKek(owned, "the passphrase that protects the key", options)
  using key = new SecretBytes(random(KEY_BYTES))
  const context = contextOf(id)
  const recipient = await kek.wrap(key, context, random)
  const sealed = aeadSeal(key.bytes, NONCE, text.bytes, context)
  return JSON.stringify({ ...recipient, key: base64url(sealed) })
}

/**
 * Open what `protectKey` made.
 *
 * @param passphrase - owned from now on, and wiped.
 * @param origin - names the key in errors.
 * @throws {KeyMissingError} if the passphrase is wrong, or the line is not as it was written.
 */
export async function unprotectKey(
  { id, line, origin }: { readonly id: string; readonly line: Uint8Array; readonly origin: string },
  passphrase: SecretBytes,
  { random }: { readonly random: RandomSource },
): Promise<SecretBytes> {
  using owned = passphrase
  const { recipient, sealed } = parse(line, origin)
  using kek = passphraseKek(owned, "the passphrase that protects the key", { random })
  const context = contextOf(id)
  using key = await kek.unwrap(recipient, context).catch((error) => {
    if (error instanceof KeyMissingError) throw new KeyMissingError(`the passphrase does not open ${origin}`)
    throw error
  })
  const text = key && aeadOpen(key.bytes, NONCE, sealed, context)
  if (!text) throw damaged(origin)
  return new SecretBytes(text)
}

function parse(line: Uint8Array, origin: string): { recipient: Recipient; sealed: Uint8Array } {
  try {
    const value: unknown = JSON.parse(fromUtf8(line))
    if (typeof value !== "object" || value === null) throw damaged(origin)
    const { key, ...recipient } = value as Record<string, unknown>
    const sealed = typeof key === "string" ? fromBase64url(key) : null
    if (!sealed || typeof recipient["kek"] !== "string" || typeof recipient["ct"] !== "string") {
      throw damaged(origin)
    }
    // What else is in it is looked at by the passphrase's own reader, which bounds it.
    return { recipient: recipient as unknown as Recipient, sealed }
  } catch (error) {
    if (error instanceof KeyMissingError) throw error
    throw damaged(origin)
  }
}

function contextOf(id: string): Uint8Array {
  return sha256(concat(CONTEXT_LABEL, utf8(id)))
}

function damaged(origin: string): KeyMissingError {
  return new KeyMissingError(`${origin} is damaged: it is not as it was written`, {
    hint: "restore it from a backup",
  })
}
