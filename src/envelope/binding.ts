import { utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"

/** What a wrapped DEK is bound to: the object's key, or nothing (files and pipes). */
export type Binding = "key" | "none"

/**
 * What every wrap authenticates along with the DEK, so that an object put in another's place is refused.
 * Bucket and endpoint are left out on purpose: a replica stays readable.
 *
 * @param objectKey - as the store knows it; not looked at for `none`.
 * @returns 32 bytes.
 * @throws {RangeError} if the key is not well-formed Unicode: two of those could have one encoding.
 * @see man/s3ep-format.5, "The envelope"
 */
export function bindingContext(bind: Binding, objectKey: string): Uint8Array<ArrayBuffer> {
  if (!objectKey.isWellFormed()) throw new RangeError("an object key with half a surrogate pair")
  return sha256(utf8(`s3ep bind\0${bind}\0`), utf8(bind === "key" ? objectKey : ""))
}
