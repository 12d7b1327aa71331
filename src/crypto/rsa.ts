import {
  constants,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from "node:crypto"
import { fromBase64url } from "../bytes.ts"
import { SecretBytes } from "./secret.ts"

const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }

/** RSAES-OAEP (RFC 8017, 7.1) with SHA-256 for hash and MGF1, and an empty label. */
export function oaepEncrypt(publicKey: KeyObject, message: SecretBytes): Uint8Array<ArrayBuffer> {
  return new Uint8Array(publicEncrypt({ ...OAEP, key: publicKey }, message.bytes))
}

/** @returns the message `oaepEncrypt` was given, or null if it is not one for this key. */
export function oaepDecrypt(privateKey: KeyObject, encrypted: Uint8Array): SecretBytes | null {
  let message: Buffer
  try {
    message = privateDecrypt({ ...OAEP, key: privateKey }, encrypted)
  } catch {
    return null
  }
  const own = new Uint8Array(message) // what Node returns may lie in its shared pool
  message.fill(0)
  return new SecretBytes(own)
}

/** The modulus and the exponent of an RSA key, big-endian without leading zeros; null if it is no RSA key. */
export function rsaNumbers(
  publicKey: KeyObject,
): { readonly modulus: Uint8Array; readonly exponent: Uint8Array } | null {
  if (publicKey.asymmetricKeyType !== "rsa") return null
  const { n, e } = publicKey.export({ format: "jwk" })
  const modulus = fromBase64url(n ?? "")
  const exponent = fromBase64url(e ?? "")
  return modulus && exponent ? { modulus, exponent } : null
}

/** The first PEM block of a text as a public RSA key, `PUBLIC KEY` or `RSA PUBLIC KEY`; null if it is none. */
export function rsaPublicKey(pem: string): KeyObject | null {
  const block = firstBlock(pem, /^(?:RSA )?PUBLIC KEY$/)
  return block === null ? null : rsaOnly(() => createPublicKey(block))
}

/** The first PEM block as an unencrypted private RSA key, `PRIVATE KEY` or `RSA PRIVATE KEY`; null if it is none. */
export function rsaPrivateKey(pem: string): KeyObject | null {
  const block = firstBlock(pem, /^(?:RSA )?PRIVATE KEY$/)
  return block === null ? null : rsaOnly(() => createPrivateKey(block))
}

/** The public half of a private key. */
export function publicHalf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey)
}

function firstBlock(pem: string, label: RegExp): string | null {
  const [block, found = ""] = /-----BEGIN ([A-Z ]+)-----[^-]*-----END \1-----/.exec(pem) ?? []
  return block !== undefined && label.test(found) ? block : null
}

// What OpenSSL says of a key it cannot read may quote it.
function rsaOnly(read: () => KeyObject): KeyObject | null {
  try {
    const key = read()
    return key.asymmetricKeyType === "rsa" ? key : null
  } catch {
    return null
  }
}
