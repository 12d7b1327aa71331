import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto"
import { promisify } from "node:util"
import { fromUtf8, utf8 } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { KekKind } from "./kind.ts"
import { type KeyMaterial, keyMaterial, publicMaterial } from "./material.ts"
import { isKeyBlock, isPrivateBlock, type PemBlock, pemBlocks, readPemKey } from "./pem.ts"
import { publicOf, RSA_ALG, rsaFingerprint, rsaKek, rsaRefusal } from "./rsa.ts"

// What NIST SP 800-57 asks for beyond 2030 (128 bits of security).
const GENERATED_BITS = 3072
const generate = promisify(generateKeyPair)

/** RSA keys in PEM. The public one alone writes: a job can store what it cannot read. */
export const rsaKind: KekKind = {
  type: "rsa",
  alg: RSA_ALG,
  hasPublicPart: true,
  usedRaw: true,

  hint: (id) => `it was wrapped by KEK ${id}; give the private key with --identity or S3EP_IDENTITY_FILE`,

  written: {
    async parse(content, place) {
      const blocks = pemBlocks(content)
      const block = chosen(blocks)
      if (!block) {
        const foreign = blocks.find(({ label }) => /(?:KEY|CERTIFICATE)$/.test(label))
        if (foreign) throw unreadable(foreign, place.origin)
        return []
      }
      const key = await readPemKey(block, place)
      const refusal = rsaRefusal(key)
      if (refusal) throw new KeyMissingError(`cannot use ${place.origin}: ${refusal}`)
      return [rsaMaterial(key)]
    },
    async kek(material, name) {
      using owned = material
      const pem = fromUtf8(owned.text.bytes)
      return rsaKek(owned.secret ? createPrivateKey(pem) : createPublicKey(pem), name)
    },
    generate: {
      async rsa() {
        const { privateKey } = await generate("rsa", { modulusLength: GENERATED_BITS })
        return rsaMaterial(privateKey)
      },
    },
  },
}

/** An RSA key as it is kept: PKCS#8, not encrypted, or SPKI for a public one. */
export function rsaMaterial(key: KeyObject): KeyMaterial {
  const id = rsaFingerprint(key)
  const publicText = String(publicOf(key).export({ type: "spki", format: "pem" }))
  if (key.type !== "private") return publicMaterial(id, publicText, { reads: false })
  const text = new SecretBytes(utf8(String(key.export({ type: "pkcs8", format: "pem" }))))
  return keyMaterial({ id, text, secret: true, reads: true, publicText })
}

// A file may hold both halves: the private one is both.
function chosen(blocks: readonly PemBlock[]): PemBlock | undefined {
  return blocks.find(isPrivateBlock) ?? blocks.find(isKeyBlock)
}

function unreadable({ label }: PemBlock, origin: string): KeyMissingError {
  const hint =
    label === "OPENSSH PRIVATE KEY"
      ? "`ssh-keygen -p -m PEM -f COPY` makes a PEM file of a copy of an RSA key; other keys of SSH cannot be used, make an age identity instead"
      : "PKCS#1, PKCS#8 and SPKI are read: `openssl pkey -in FILE` makes PKCS#8 of a private key, and -pubout SPKI"
  return new KeyMissingError(`${origin} is no RSA key in PEM but ${label}`, { hint })
}
