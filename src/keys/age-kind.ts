import { utf8 } from "../bytes.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { KekKind, WrittenPlace } from "./kind.ts"
import { type KeyMaterial, linesOf } from "./material.ts"

export const AGE_ALG = "age"

const IDENTITY = /^AGE-SECRET-KEY-(?:PQ-)?1/
const RECIPIENT = /^age1(?:pq1)?[02-9ac-hj-np-z]+$/
const OURS = /^(?:age1|AGE-|ssh-(?:ed25519|rsa) )/
const ENCRYPTED = ["age-encryption.org/v1\n", "-----BEGIN AGE ENCRYPTED FILE-----"]

/** Keys of age: identity files, encrypted ones too, and recipients, those of post-quantum keys included. */
export const ageKind: KekKind = {
  type: "age",
  alg: AGE_ALG,
  hasPublicPart: true,
  costly: true,

  hint: (id) => `it was wrapped by KEK ${id}; give the age identity with --identity or S3EP_IDENTITY_FILE`,

  written: {
    async parse(content, place) {
      if (ENCRYPTED.some((beginning) => startsWith(content, beginning))) {
        using opened = await decrypted(content, place)
        const found = await parseLines(linesOf(opened.bytes) ?? [], place.origin)
        if (found.length > 0) return found
        throw new KeyMissingError(`${place.origin} is an encrypted file of age, and no identity is in it`)
      }
      const lines = linesOf(content) ?? []
      return lines.some((line) => OURS.test(line)) ? await parseLines(lines, place.origin) : []
    },
    kek: async (material, name) => (await import("./age-material.ts")).ageKekOf(material, name),
    generate: {
      // age-encryption draws them itself, from the platform's generator.
      age: async () => (await import("./age-material.ts")).generateAge("age"),
      "age-pq": async () => (await import("./age-material.ts")).generateAge("age-pq"),
    },
    pack: async (material) => (await import("./age-material.ts")).packAge(material),
    unpack: async (packed) => (await import("./age-material.ts")).unpackAge(packed),
  },
}

async function parseLines(lines: readonly string[], origin: string): Promise<KeyMaterial[]> {
  const { identityMaterial, recipientMaterial } = await import("./age-material.ts")
  const found: KeyMaterial[] = []
  try {
    for (const line of lines) {
      const material = IDENTITY.test(line)
        ? await identityMaterial(line)
        : RECIPIENT.test(line)
          ? await recipientMaterial(line)
          : null
      if (!material) throw unusable(line, origin)
      found.push(material)
    }
    return found
  } catch (error) {
    for (const material of found) material[Symbol.dispose]()
    throw error
  }
}

// Says what kind of line it is, never the line: it may be a mistyped secret.
function unusable(line: string, origin: string): KeyMissingError {
  if (/^ssh-/.test(line)) {
    return new KeyMissingError(`${origin} is a key of SSH, which s3ep cannot encrypt to`, {
      hint: "make an age key with `s3ep keys generate --kind age` or age-keygen",
    })
  }
  if (/^(?:AGE-PLUGIN-|age1[a-z0-9]+1)/.test(line) && !line.startsWith("age1pq1")) {
    return new KeyMissingError(`${origin} needs a plugin of age, and s3ep has none`, {
      hint: "age1…, age1pq1… and AGE-SECRET-KEY-… are what it takes",
    })
  }
  return new KeyMissingError(`${origin} is a damaged or mistyped key of age`)
}

async function decrypted(content: Uint8Array, { origin, unlock }: WrittenPlace): Promise<SecretBytes> {
  if (!unlock) throw new KeyMissingError(`${origin} is encrypted, and nobody gives its passphrase`)
  using passphrase = await unlock(origin)
  const { decryptIdentityFile } = await import("./age-material.ts")
  const opened = await decryptIdentityFile(content, passphrase)
  if (opened) return opened
  throw new KeyMissingError(`cannot decrypt ${origin}: the passphrase is wrong, or it is damaged`)
}

function startsWith(content: Uint8Array, text: string): boolean {
  const beginning = utf8(text)
  return beginning.every((byte, at) => content[at] === byte)
}
