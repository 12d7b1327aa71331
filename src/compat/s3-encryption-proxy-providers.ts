import { fromBase64, utf8 } from "../bytes.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import { publicHalf, rsaNumbers, rsaPrivateKey, rsaPublicKey } from "../crypto/rsa.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"

const MIN_MODULUS_BYTES = 256

/**
 * An aes key as the proxy reads `aes_key`: base64 of exactly 32 bytes, line ends skipped; otherwise the text's own bytes,
 * of which there must be 32.
 *
 * @throws {KeyMissingError} if it is neither. Nothing of it is in the error.
 */
export function proxyAesKey(aesKey: string, name: string): RawKey {
  const decoded = fromBase64(aesKey.replaceAll(/[\r\n]/g, ""))
  const bytes = decoded?.length === KEY_BYTES ? decoded : utf8(aesKey)
  if (bytes.length === KEY_BYTES) return { type: "aes", name, key: new SecretBytes(bytes) }
  bytes.fill(0)
  throw new KeyMissingError(`the aes_key of the provider ${name} is not a key: base64 of 32 bytes is one`)
}

/**
 * An RSA key pair as the proxy reads it: the first PEM block of each, unencrypted; both are needed, and must match.
 *
 * @throws {KeyMissingError} if either cannot be used. Nothing of it is in the error.
 */
export function proxyRsaKey(publicKeyPem: string, privateKeyPem: string, name: string): RawKey {
  const publicKey = rsaPublicKey(publicKeyPem)
  const privateKey = rsaPrivateKey(privateKeyPem)
  if (!publicKey) throw unusable(name, "its public key is no RSA key in PEM")
  if (!privateKey) throw unusable(name, "its private key is no unencrypted RSA key in PEM")
  const numbers = rsaNumbers(publicKey)
  if (!numbers || numbers.modulus.length < MIN_MODULUS_BYTES)
    throw unusable(name, "it has fewer than 2048 bits")
  if (!publicHalf(privateKey).equals(publicKey))
    throw unusable(name, "its public and private key do not match")
  return { type: "rsa", name, publicKey, privateKey }
}

function unusable(name: string, why: string): KeyMissingError {
  return new KeyMissingError(`the RSA key of the provider ${name} cannot be used: ${why}`)
}
