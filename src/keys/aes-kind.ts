import { base64, concat, utf8 } from "../bytes.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { AES_ALG, aesFingerprint, aesKek } from "./aes.ts"
import type { Kek } from "./kek.ts"
import type { KekKind } from "./kind.ts"
import { type KeyMaterial, keyMaterial } from "./material.ts"
import { readSecretCommand, readSecretDescriptor, readSecretFile } from "./source.ts"
import { findKeyBytes, parseKeyBase64, parseKeyBytes } from "./text.ts"

const PACKED_TAG = 1

/** 256-bit keys from an environment variable, a file, a command or a file descriptor; and those that are kept. */
export const aesKind: KekKind = {
  type: "aes",
  alg: AES_ALG,
  usedRaw: true,

  async open({ kek, kekFile, kekCommand, kekDescriptor }, { env, signal }) {
    const keks: Kek[] = []
    const add = (bytes: SecretBytes, origin: string, name: string) => {
      using read = bytes
      keks.push(aesKek(parseKeyBytes(read.bytes, origin), name))
    }
    try {
      if (kek !== undefined) keks.push(aesKek(parseKeyBase64(kek, "S3EP_KEK"), "S3EP_KEK"))
      if (kekFile !== undefined) {
        add(await readSecretFile(kekFile), `what the key file ${kekFile} holds`, "kek-file")
      }
      if (kekCommand !== undefined) {
        add(
          await readSecretCommand(kekCommand, { env, signal }),
          "what the key command printed",
          "kek-command",
        )
      }
      if (kekDescriptor !== undefined) {
        const origin = `what file descriptor ${kekDescriptor} holds`
        add(await readSecretDescriptor(kekDescriptor), origin, "kek-fd")
      }
      return keks
    } catch (error) {
      for (const kek of keks) kek[Symbol.dispose]()
      throw error
    }
  },

  hint: (id) => `it was wrapped by KEK ${id}; give that key with --kek-file or S3EP_KEK_FILE`,

  written: {
    async parse(content) {
      const key = findKeyBytes(content)
      return key ? [aesMaterial(key)] : []
    },
    async kek(material, name) {
      using owned = material
      return aesKek(parseKeyBytes(owned.text.bytes, `the key ${name}`), name)
    },
    generate: { aes: async (random) => aesMaterial(new SecretBytes(random(KEY_BYTES))) },
    pack: async ({ text }) => ({ tag: PACKED_TAG, bytes: parseKeyBytes(text.bytes, "the key") }),
    unpack: async ({ tag, bytes }) =>
      tag === PACKED_TAG ? aesMaterial(new SecretBytes(bytes.bytes.slice())) : null,
  },
}

/** A 256-bit key as it is kept: in base64. Wipes `key`. */
export function aesMaterial(key: SecretBytes): KeyMaterial {
  using owned = key
  const id = aesFingerprint(owned)
  const text = new SecretBytes(concat(utf8(base64(owned.bytes)), utf8("\n")))
  return keyMaterial({ id, text, secret: true, reads: true, publicText: null })
}
