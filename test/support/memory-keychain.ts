import { SecretBytes } from "../../src/crypto/secret.ts"
import type { Keychain } from "../../src/keys/keychain.ts"

/** A keychain that lasts as long as the test. */
export class MemoryKeychain implements Keychain {
  readonly entries = new Map<string, Uint8Array<ArrayBuffer>>()

  async get(account: string): Promise<SecretBytes | null> {
    const entry = this.entries.get(account)
    return entry ? new SecretBytes(entry.slice()) : null
  }

  async set(account: string, secret: SecretBytes): Promise<void> {
    this.entries.set(account, secret.bytes.slice())
  }

  async delete(account: string): Promise<boolean> {
    return this.entries.delete(account)
  }
}
