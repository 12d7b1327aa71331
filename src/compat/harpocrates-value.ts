import { fromBase64 } from "../bytes.ts"
import { aeadOpen, NONCE_BYTES, TAG_BYTES } from "../crypto/aead.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { HarpocratesRefusedError } from "./harpocrates-refused.ts"

const SMALLEST_VALUE_BYTES = NONCE_BYTES + TAG_BYTES

/** A sealed value, taken apart. */
export interface SealedValue {
  /** 12 bytes. */
  readonly nonce: Uint8Array
  /** Ciphertext ‖ tag(16). */
  readonly sealed: Uint8Array
}

/**
 * Take a value apart that Harpocrates sealed: base64, in the standard alphabet and padded, of
 * nonce(12) ‖ ciphertext ‖ tag(16). Line breaks may stand anywhere in it, other blanks nowhere.
 *
 * @throws {HarpocratesRefusedError} if it is no such value.
 */
export function parseSealedValue(text: string): SealedValue {
  const bytes = fromBase64(text.replaceAll(/[\r\n]/g, ""))
  if (!bytes) throw new HarpocratesRefusedError("not base64")
  if (bytes.length < SMALLEST_VALUE_BYTES) throw new HarpocratesRefusedError("value short")
  return { nonce: bytes.subarray(0, NONCE_BYTES), sealed: bytes.subarray(NONCE_BYTES) }
}

/**
 * Open a sealed value.
 *
 * @param key - 32 bytes.
 * @param aad - what it was sealed with besides; empty and none are the same.
 * @returns null if key, AAD and value do not belong together: which of them is wrong, nobody can tell.
 */
export function openSealedValue(
  key: SecretBytes,
  { nonce, sealed }: SealedValue,
  aad: Uint8Array = new Uint8Array(0),
): Uint8Array<ArrayBuffer> | null {
  return aeadOpen(key.bytes, nonce, sealed, aad)
}
