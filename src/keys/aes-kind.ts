import { aesKek } from "./aes.ts"
import type { Kek } from "./kek.ts"
import type { KekKind } from "./kind.ts"
import { readSecretCommand, readSecretFile } from "./source.ts"
import { parseKeyBase64, parseKeyBytes } from "./text.ts"

/** 256-bit keys from an environment variable, a file or a command; those of the key directory come from there. */
export const aesKind: KekKind = {
  type: "aes",

  async open({ kek, kekFile, kekCommand }, { env, signal }) {
    const keks: Kek[] = []
    try {
      if (kek !== undefined) keks.push(aesKek(parseKeyBase64(kek, "S3EP_KEK"), "S3EP_KEK"))
      if (kekFile !== undefined) {
        using bytes = await readSecretFile(kekFile)
        keks.push(aesKek(parseKeyBytes(bytes.bytes, `what the key file ${kekFile} holds`), "kek-file"))
      }
      if (kekCommand !== undefined) {
        using bytes = await readSecretCommand(kekCommand, { env, signal })
        keks.push(aesKek(parseKeyBytes(bytes.bytes, "what the key command printed"), "kek-command"))
      }
      return keks
    } catch (error) {
      for (const kek of keks) kek[Symbol.dispose]()
      throw error
    }
  },

  hint: (id) => `it was wrapped by KEK ${id}; give that key with --kek-file or S3EP_KEK_FILE`,
}
