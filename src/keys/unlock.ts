import { equalSecret } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { KeySources, Unlock } from "./kind.ts"
import { readSecretCommand, readSecretDescriptor, readSecretFile } from "./source.ts"
import { withoutLineEnding } from "./text.ts"

/** Where the passphrase that protects keys comes from; asked for where nothing says. */
export interface UnlockRequest {
  readonly file?: string | undefined
  /** For the shell; prints the passphrase. */
  readonly command?: string | undefined
  /** An open file descriptor, read to its end. */
  readonly descriptor?: number | undefined
}

const WHAT = "key passphrase"

/** What gives the passphrase of protected keys: the one configured, read once, or a person, asked for each key. */
export class Unlocker implements Disposable {
  readonly #request: UnlockRequest
  readonly #sources: Pick<KeySources, "env" | "prompt" | "signal">
  #configured: Promise<SecretBytes | null> | undefined

  constructor(request: UnlockRequest, sources: Pick<KeySources, "env" | "prompt" | "signal">) {
    this.#request = request
    this.#sources = sources
  }

  /**
   * @returns a passphrase of the caller's own.
   * @throws {KeyMissingError} if there is none, and nobody to ask.
   */
  readonly unlock: Unlock = async (what) => {
    this.#configured ??= this.#read()
    const configured = await this.#configured
    if (configured) return new SecretBytes(configured.bytes.slice())
    const { prompt } = this.#sources
    if (prompt) return prompt(`passphrase that protects ${what}: `)
    throw new KeyMissingError(`${what} is protected by a passphrase, and there is no terminal to ask on`, {
      hint: "set S3EP_KEY_PASSPHRASE_FILE or S3EP_KEY_PASSPHRASE_COMMAND",
    })
  }

  /**
   * A passphrase for a key that is to be protected from now on: asked for twice where it is asked for.
   *
   * @throws {KeyMissingError} if there is none, it is empty, or the two are not the same.
   */
  async choose(what: string): Promise<SecretBytes> {
    const passphrase = await this.unlock(what)
    if (passphrase.length === 0) throw new KeyMissingError("the passphrase is empty")
    const { prompt } = this.#sources
    if ((await this.#configured) || !prompt) return passphrase
    using repeated = await prompt("the same again: ")
    if (equalSecret(passphrase.bytes, repeated.bytes)) return passphrase
    passphrase[Symbol.dispose]()
    throw new KeyMissingError("the two passphrases are not the same")
  }

  [Symbol.dispose](): void {
    this.#configured?.then(
      (passphrase) => passphrase?.[Symbol.dispose](),
      () => undefined, // whoever waits for it hears of it
    )
  }

  async #read(): Promise<SecretBytes | null> {
    const { file, command, descriptor } = this.#request
    const { env, signal } = this.#sources
    if (file !== undefined) return withoutLineEnding(await readSecretFile(file, WHAT))
    if (command !== undefined) {
      return withoutLineEnding(await readSecretCommand(command, { env, signal, what: WHAT }))
    }
    return descriptor === undefined ? null : withoutLineEnding(await readSecretDescriptor(descriptor, WHAT))
  }
}
