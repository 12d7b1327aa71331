import { hex, utf8 } from "../bytes.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import { CTR_IV_BYTES, CtrStream } from "../crypto/ctr.ts"
import { hkdfSha256, sha256 } from "../crypto/kdf.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import { oaepDecrypt, oaepEncrypt, rsaNumbers } from "../crypto/rsa.ts"
import { type RandomSource, SecretBytes } from "../crypto/secret.ts"
import { IntegrityError, KeyMissingError } from "../errors.ts"

/** What an object names in place of a KEK where the proxy is to take its bytes as they are. */
export const NONE_FINGERPRINT = "none-provider-fingerprint"
/** Of a DEK under an aes KEK: the IV, then the DEK. */
export const AES_WRAPPED_BYTES = CTR_IV_BYTES + KEY_BYTES

const HMAC_SALT = utf8("s3-proxy-integrity-v1")
const HMAC_INFO = utf8("file-hmac-key")

/**
 * What the proxy calls a KEK in its objects: the SHA-256 of an aes key; of an RSA key that of its modulus and the low
 * byte of its exponent, which is all of the exponent the proxy looks at.
 *
 * @returns 64 hexadecimal digits.
 */
export function proxyFingerprint(key: RawKey): string {
  if (key.type === "aes") return hex(sha256(key.key.bytes))
  const numbers = rsaNumbers(key.publicKey)
  if (!numbers) throw new RangeError("an RSA key without numbers")
  return hex(sha256(numbers.modulus, numbers.exponent.subarray(-1)))
}

/**
 * Unwrap a DEK. Nothing authenticates it under an aes KEK: any 48 bytes yield one.
 *
 * @returns 32 bytes, owned by the caller.
 * @throws {IntegrityError} if its length is wrong, or RSA does not open it.
 * @throws {KeyMissingError} if the key can only write.
 */
export function unwrapProxyDek(key: RawKey, wrapped: Uint8Array): SecretBytes {
  if (key.type === "aes") {
    if (wrapped.length !== AES_WRAPPED_BYTES) {
      throw new IntegrityError(`its wrapped DEK has ${wrapped.length} bytes instead of ${AES_WRAPPED_BYTES}`)
    }
    const stream = new CtrStream(key.key.bytes, wrapped.subarray(0, CTR_IV_BYTES))
    return ownedSecret(stream.update(wrapped.subarray(CTR_IV_BYTES)))
  }
  if (!key.privateKey) throw new KeyMissingError(`only the public half of the RSA key ${key.name} is at hand`)
  const dek = oaepDecrypt(key.privateKey, wrapped)
  if (dek?.length === KEY_BYTES) return dek
  dek?.[Symbol.dispose]()
  throw new IntegrityError("its wrapped DEK does not open under the RSA key it names")
}

/** Wrap a DEK as the proxy does. @returns the bytes of `encrypted-dek`. */
export function wrapProxyDek(key: RawKey, dek: SecretBytes, random: RandomSource): Uint8Array<ArrayBuffer> {
  if (key.type === "rsa") return oaepEncrypt(key.publicKey, dek)
  const wrapped = new Uint8Array(AES_WRAPPED_BYTES)
  const iv = random(CTR_IV_BYTES)
  wrapped.set(iv, 0)
  wrapped.set(new CtrStream(key.key.bytes, iv).update(dek.bytes), CTR_IV_BYTES)
  return wrapped
}

/** The key of an object's HMAC. @returns 32 bytes. */
export function proxyHmacKey(dek: SecretBytes): SecretBytes {
  return hkdfSha256(dek.bytes, HMAC_SALT, HMAC_INFO, KEY_BYTES)
}

function ownedSecret(bytes: Uint8Array): SecretBytes {
  const own = new Uint8Array(bytes)
  bytes.fill(0)
  return new SecretBytes(own)
}
