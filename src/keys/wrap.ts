import { concat, utf8 } from "../bytes.ts"
import { aeadOpen, aeadSeal, KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "../crypto/aead.ts"
import { hkdfSha512 } from "../crypto/kdf.ts"
import { SecretBytes } from "../crypto/secret.ts"

export const WRAP_SALT_BYTES = 32
const WRAPPED_BYTES = WRAP_SALT_BYTES + KEY_BYTES + TAG_BYTES
const CONTEXT_BYTES = 32
const WRAP_INFO = utf8("s3ep wrap v2")
// The salt gives every wrap a key of its own, so one nonce is enough.
const WRAP_NONCE = new Uint8Array(NONCE_BYTES)

/**
 * Wrap a DEK under a 256-bit KEK (`HKDF-A256GCM`), bound to where the object lives.
 *
 * @param dek - 32 bytes, used for one object only.
 * @param kek - 32 bytes.
 * @param context - 32 bytes, from `bindingContext`; unwrapping with another one fails.
 * @param salt - 32 random bytes, never used twice with this KEK.
 * @returns 80 bytes: the salt, the ciphertext, the tag.
 * @throws {RangeError} if a length is wrong: a caller's bug, not the user's.
 * @see man/s3ep-format.5, "Wrapping algorithms"
 */
export function wrapDek(
  dek: SecretBytes,
  kek: SecretBytes,
  context: Uint8Array,
  salt: Uint8Array,
): Uint8Array<ArrayBuffer> {
  checkLength("DEK", dek.length, KEY_BYTES)
  checkLength("salt", salt.length, WRAP_SALT_BYTES)
  using key = deriveWrapKey(kek, context, salt)
  return concat(salt, aeadSeal(key.bytes, WRAP_NONCE, dek.bytes, context))
}

/**
 * Unwrap what `wrapDek` made.
 *
 * @param wrapped - 80 bytes; any other length does not open.
 * @returns the DEK, or null if key, context and bytes do not belong together.
 * @throws {RangeError} if the length of `kek` or `context` is wrong: a caller's bug.
 */
export function unwrapDek(wrapped: Uint8Array, kek: SecretBytes, context: Uint8Array): SecretBytes | null {
  if (wrapped.length !== WRAPPED_BYTES) return null
  using key = deriveWrapKey(kek, context, wrapped.subarray(0, WRAP_SALT_BYTES))
  const dek = aeadOpen(key.bytes, WRAP_NONCE, wrapped.subarray(WRAP_SALT_BYTES), context)
  return dek && new SecretBytes(dek)
}

function deriveWrapKey(kek: SecretBytes, context: Uint8Array, salt: Uint8Array): SecretBytes {
  checkLength("KEK", kek.length, KEY_BYTES)
  checkLength("context", context.length, CONTEXT_BYTES)
  return hkdfSha512(kek.bytes, salt, WRAP_INFO, KEY_BYTES)
}

function checkLength(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new RangeError(`${what} of ${actual} bytes instead of ${expected}`)
}
