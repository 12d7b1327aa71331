import { fromUtf8, utf8 } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"

/** Where the system keeps secrets for its user: Keychain, Credential Manager, Secret Service. */
export interface Keychain {
  /** @returns null if there is no such entry. */
  get(account: string): Promise<SecretBytes | null>
  /** @param secret - ASCII; borrowed. Replaces an entry of that name. */
  set(account: string, secret: SecretBytes): Promise<void>
  /** @returns whether there was one. */
  delete(account: string): Promise<boolean>
}

/** What every entry of ours is filed under. */
const SERVICE = "s3ep"

const INSTEAD =
  "keep the key in a file: without --keychain, or with --protect under a passphrase; or have a command print it: S3EP_KEK_COMMAND"

/**
 * The system's keychain: through keytar, which people know entries of, and through @napi-rs/keyring where keytar could
 * not be built. Both are native, optional and loaded here, when a key of the keychain is first needed.
 *
 * @throws {KeyMissingError} if neither is installed. Whether there is a keychain shows when it is asked.
 */
export async function openKeychain(): Promise<Keychain> {
  const libraries = (await Promise.all([keytar(), napi()])).filter((library) => library !== null)
  const [first, ...others] = libraries
  if (!first) {
    throw new KeyMissingError(
      "cannot use the system keychain: neither keytar nor @napi-rs/keyring is installed",
      {
        hint: `npm install --global @napi-rs/keyring; or ${INSTEAD}`,
      },
    )
  }
  return {
    // An entry is found by the attributes its library gave it, so one that the other wrote is the other's to find.
    async get(account) {
      for (const library of libraries) {
        const secret = await asked("read", () => library.get(account))
        if (secret) return secret
      }
      return null
    },
    set: (account, secret) => asked("write to", () => first.set(account, secret)),
    async delete(account) {
      let deleted = false
      for (const library of [first, ...others]) {
        if (await asked("remove from", () => library.delete(account))) deleted = true
      }
      return deleted
    },
  }
}

async function keytar(): Promise<Keychain | null> {
  try {
    // CommonJS that Node cannot see the names of: everything is in `default`.
    const { default: library } = await import("keytar")
    return {
      async get(account) {
        const text = await library.getPassword(SERVICE, account)
        return text === null ? null : new SecretBytes(utf8(text))
      },
      set: (account, secret) => library.setPassword(SERVICE, account, fromUtf8(secret.bytes)),
      delete: (account) => library.deletePassword(SERVICE, account),
    }
  } catch {
    return null // not installed, not built, or without the system's library it needs
  }
}

async function napi(): Promise<Keychain | null> {
  try {
    const { AsyncEntry } = await import("@napi-rs/keyring")
    // Without this it would fall back to the kernel's keyring, which forgets at the next start of the machine.
    const entry = (account: string) =>
      new AsyncEntry(SERVICE, account, { linux: { store: "secret-service" } })
    return {
      async get(account) {
        const bytes = await entry(account).getSecret()
        if (!bytes) return null
        const secret = new SecretBytes(Uint8Array.from(bytes))
        bytes.fill(0)
        return secret
      },
      set: (account, secret) => entry(account).setSecret(secret.bytes),
      delete: (account) => entry(account).deleteCredential(),
    }
  } catch {
    return null
  }
}

async function asked<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const why = error instanceof Error ? error.message : "unknown reason"
    throw new KeyMissingError(`cannot ${action} the system keychain: ${why}`, { cause: error, hint: INSTEAD })
  }
}
