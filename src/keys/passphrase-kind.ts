import { equalSecret } from "../bytes.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { Kek } from "./kek.ts"
import type { KekKind, KeySources } from "./kind.ts"
import { PASSPHRASE_ALG, passphraseKek } from "./passphrase.ts"
import { readSecretCommand, readSecretDescriptor, readSecretFile } from "./source.ts"
import { withoutLineEnding } from "./text.ts"

/** Passphrases from a file, a command, a file descriptor or a person. */
export const passphraseKind: KekKind = {
  type: "passphrase",
  alg: PASSPHRASE_ALG,

  async open(request, sources) {
    const { passphraseFile, passphraseCommand, passphraseDescriptor, passphrasePrompt, purpose } = request
    const { env, signal, random } = sources
    const keks: Kek[] = []
    const add = (secret: SecretBytes, name: string) => keks.push(passphraseKek(secret, name, { random }))
    try {
      if (passphraseFile !== undefined) {
        add(withoutLineEnding(await readSecretFile(passphraseFile, "passphrase")), "passphrase-file")
      }
      if (passphraseCommand !== undefined) {
        const printed = await readSecretCommand(passphraseCommand, { env, signal, what: "passphrase" })
        add(withoutLineEnding(printed), "passphrase-command")
      }
      if (passphraseDescriptor !== undefined) {
        const read = await readSecretDescriptor(passphraseDescriptor, "passphrase")
        add(withoutLineEnding(read), "passphrase-fd")
      }
      if (passphrasePrompt) add(await ask(sources.prompt, purpose !== "read"), "passphrase-prompt")
      return keks
    } catch (error) {
      for (const kek of keks) kek[Symbol.dispose]()
      throw error
    }
  },

  hint: () => "it was wrapped under a passphrase; give it with -p, --passphrase-file or S3EP_PASSPHRASE_FILE",
}

// Asked twice where something will be written: nobody could open what a slip of the finger encrypted.
async function ask(prompt: KeySources["prompt"], twice: boolean): Promise<SecretBytes> {
  if (!prompt) {
    throw new KeyMissingError("cannot ask for the passphrase: there is no terminal", {
      hint: "set S3EP_PASSPHRASE_FILE or S3EP_PASSPHRASE_COMMAND",
    })
  }
  const passphrase = await prompt("passphrase: ")
  if (!twice || passphrase.length === 0) return passphrase
  using repeated = await prompt("the same again: ")
  if (equalSecret(passphrase.bytes, repeated.bytes)) return passphrase
  passphrase[Symbol.dispose]()
  throw new KeyMissingError("the two passphrases are not the same")
}
