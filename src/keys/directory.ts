import { link, mkdir, open, readdir, rename, unlink } from "node:fs/promises"
import { join } from "node:path"
import { hex, utf8 } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError, LocalIoError, PreconditionError, S3epError, UsageError } from "../errors.ts"
import { errnoOf } from "../files/local-error.ts"
import { syncDirectory } from "../files/sync-directory.ts"
import { aesMaterial } from "./aes-kind.ts"
import type { KekState } from "./kek.ts"
import { bodyOf, encodeKeyFile, type KeyFacts, type KeyPlace, readKeyFacts } from "./key-file.ts"
import { type Keychain, openKeychain } from "./keychain.ts"
import type { KeySources } from "./kind.ts"
import { kindOf, parseKeys } from "./kinds.ts"
import type { KeyMaterial } from "./material.ts"
import { protectKey, unprotectKey } from "./protect.ts"
import { systemRandom } from "./random.ts"
import { readSecretFile } from "./source.ts"

export type { KeyPlace } from "./key-file.ts"

/** A key of the directory, without the key. */
export interface NamedKey {
  readonly name: string
  /** `type:fingerprint`: computed from the key, or as the file states it where the key is not opened for that. */
  readonly id: string
  /** Undefined if the file does not say. */
  readonly created: Date | undefined
  readonly path: string
  readonly state: KekState
  readonly place: KeyPlace
  /** It is a public key: what it wraps is for others to open. */
  readonly writesOnly: boolean
  /** What may be handed out of it, where the file says. */
  readonly publicLine: string | undefined
}

/** A file of the directory that should hold a key and does not, or cannot be read. */
export interface BrokenKey {
  readonly name: string
  readonly path: string
  readonly error: S3epError
}

/** What a new key of the directory is to be. */
export interface KeyToKeep {
  readonly created: Date
  readonly state?: KekState | undefined
  readonly place?: KeyPlace | undefined
  /** Protects it, where `place` says so; owned by the directory from now on, and wiped. */
  readonly passphrase?: SecretBytes | undefined
}

type KeyAccess = Pick<KeySources, "unlock" | "openKeychain">

const SUFFIX = ".key"
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/

/** Keys with names: each has a file `NAME.key`, which holds it or says where it is. */
export class KeyDirectory {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /**
   * The keys that can be read, by name; none if there is no directory.
   *
   * @throws {LocalIoError} if the directory cannot be listed.
   */
  async list(): Promise<NamedKey[]> {
    return (await this.scan()).keys
  }

  /**
   * All files that should hold keys, by name.
   *
   * @throws {LocalIoError} if the directory cannot be listed.
   */
  async scan(): Promise<{ keys: NamedKey[]; broken: BrokenKey[] }> {
    const keys: NamedKey[] = []
    const broken: BrokenKey[] = []
    for (const name of await this.#names()) {
      const path = this.#pathOf(name)
      try {
        keys.push(await this.#inspect(name))
      } catch (error) {
        if (!(error instanceof S3epError)) throw error
        broken.push({ name, path, error })
      }
    }
    return { keys, broken }
  }

  /**
   * @returns the key, opened and owned by the caller, or null if there is none of that name.
   * @throws {UsageError} if no key can have that name.
   * @throws {KeyMissingError} if it cannot be read, is damaged, or others than its owner may read it; if the
   * passphrase that protects it is wrong or missing, or the keychain does not have it.
   */
  async read(name: string, access: KeyAccess = {}): Promise<KeyMaterial | null> {
    checkName(name)
    if (!(await this.#names()).includes(name)) return null
    const path = this.#pathOf(name)
    using content = await readSecretFile(path)
    const facts = readKeyFacts(content.bytes)
    return await this.#open(name, facts, content.bytes, access)
  }

  /**
   * Say early what `add` would say: nobody should be asked for a passphrase for nothing.
   *
   * @throws {UsageError} if no key can have that name.
   * @throws {PreconditionError} if there is one of that name.
   */
  async refuseTaken(name: string): Promise<void> {
    checkName(name)
    if ((await this.#names()).includes(name)) throw existsAlready(name, this.#pathOf(name))
  }

  /**
   * Store a 256-bit key, in a file only its owner may read. Never replaces one.
   *
   * @param key - 32 bytes, borrowed.
   * @throws as `add`.
   */
  async create(name: string, key: SecretBytes, { created }: { created: Date }): Promise<NamedKey> {
    using material = aesMaterial(new SecretBytes(key.bytes.slice()))
    return await this.add(name, material, { created })
  }

  /**
   * Store a key. Never replaces one.
   *
   * @param material - borrowed.
   * @throws {UsageError} if no key can have that name.
   * @throws {PreconditionError} if there is one of that name.
   * @throws {LocalIoError} if it cannot be written.
   * @throws {KeyMissingError} if the keychain, or the passphrase to protect it with, cannot be had.
   */
  async add(
    name: string,
    material: KeyMaterial,
    { created, state = "active", place = "file", passphrase }: KeyToKeep,
    access: KeyAccess = {},
  ): Promise<NamedKey> {
    using protection = passphrase ?? new SecretBytes(new Uint8Array(0))
    checkName(name)
    const { id } = material
    await this.refuseTaken(name)
    const path = this.#pathOf(name)
    // What is no secret needs no protection.
    const facts = {
      id,
      created,
      state,
      place: material.secret ? place : "file",
      writesOnly: !material.reads,
      publicLine: publicLine(material),
    }
    const account = accountOf(name, id)
    const keychain = facts.place === "keychain" ? await keychainOf(access) : undefined
    await keychain?.set(account, material.text)
    const body =
      facts.place === "protected"
        ? utf8(
            `${await protectKey(material, new SecretBytes(protection.bytes.slice()), { random: systemRandom })}\n`,
          )
        : facts.place === "keychain"
          ? new Uint8Array(0)
          : material.text.bytes
    using content = new SecretBytes(encodeKeyFile(name, facts, body))
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 })
      await this.#write(name, content.bytes, link) // not rename(), which would replace a key of that name
    } catch (error) {
      await keychain?.delete(account)
      if (errnoOf(error) === "EEXIST") throw existsAlready(name, path)
      throw new LocalIoError(`cannot write the key file ${path}: ${errnoOf(error)}`, { cause: error })
    }
    return { name, path, ...facts }
  }

  /**
   * Change what a key may be used for. The key itself stays where it is.
   *
   * @returns null if there is none of that name.
   * @throws as `read` and `add`.
   */
  async setState(name: string, state: KekState): Promise<NamedKey | null> {
    checkName(name)
    if (!(await this.#names()).includes(name)) return null
    const path = this.#pathOf(name)
    using content = await readSecretFile(path)
    const before = readKeyFacts(content.bytes)
    const { id } = await this.#inspect(name)
    const facts = { ...before, id, state }
    // A key somebody put there may be 32 bytes raw, which no comment can stand beside.
    using opened = before.place === "file" ? await this.#open(name, before, content.bytes, {}) : null
    using body = new SecretBytes(opened ? opened.text.bytes.slice() : bodyOf(content.bytes))
    using changed = new SecretBytes(encodeKeyFile(name, facts, body.bytes))
    try {
      await this.#write(name, changed.bytes, rename)
    } catch (error) {
      throw new LocalIoError(`cannot write the key file ${path}: ${errnoOf(error)}`, { cause: error })
    }
    return { name, path, ...facts }
  }

  /**
   * Remove a key, from the keychain too. A damaged one goes as well.
   *
   * @returns false if there is none of that name.
   * @throws {KeyMissingError} if the keychain cannot be had: nothing is removed then.
   * @throws {LocalIoError} if the file cannot be removed.
   */
  async remove(name: string, access: KeyAccess = {}): Promise<boolean> {
    checkName(name)
    if (!(await this.#names()).includes(name)) return false
    const path = this.#pathOf(name)
    using content = await readSecretFile(path).catch(() => null)
    const facts = content && readKeyFacts(content.bytes)
    if (facts?.place === "keychain" && facts.id !== undefined) {
      await (await keychainOf(access)).delete(accountOf(name, facts.id))
    }
    try {
      await unlink(path)
      await syncDirectory(this.path)
    } catch (error) {
      throw new LocalIoError(`cannot remove the key file ${path}: ${errnoOf(error)}`, { cause: error })
    }
    return true
  }

  async #names(): Promise<string[]> {
    try {
      const files = await readdir(this.path)
      const names = files.filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length))
      return names.filter((name) => NAME.test(name)).sort()
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return []
      throw new LocalIoError(`cannot list the keys in ${this.path}: ${errnoOf(error)}`, { cause: error })
    }
  }

  #pathOf(name: string): string {
    return join(this.path, `${name}${SUFFIX}`)
  }

  async #inspect(name: string): Promise<NamedKey> {
    const path = this.#pathOf(name)
    using content = await readSecretFile(path)
    const facts = readKeyFacts(content.bytes)
    // The key itself is looked at where that costs nothing: no passphrase, no keychain, no other library.
    if (facts.id !== undefined && (facts.place !== "file" || kindOf(facts.id)?.costly)) {
      return { name, path, ...facts, id: facts.id }
    }
    using material = await this.#open(name, facts, content.bytes, {})
    return { name, path, ...facts, id: material.id, writesOnly: !material.reads }
  }

  async #open(name: string, facts: KeyFacts, content: Uint8Array, access: KeyAccess): Promise<KeyMaterial> {
    const origin = `the key file ${this.#pathOf(name)}`
    const { id, place } = facts
    if (place === "file")
      return checked(await onlyKey(content, { origin, unlock: access.unlock }), id, origin)
    if (id === undefined) throw damaged(origin, "it does not say which key it is")
    using text = await this.#secretText(name, id, place, content, access)
    return checked(await onlyKey(text.bytes, { origin }), id, origin)
  }

  async #secretText(
    name: string,
    id: string,
    place: Exclude<KeyPlace, "file">,
    content: Uint8Array,
    access: KeyAccess,
  ): Promise<SecretBytes> {
    if (place === "keychain") {
      const text = await (await keychainOf(access)).get(accountOf(name, id))
      if (text) return text
      throw new KeyMissingError(`the system keychain has no key ${name} (${id})`, {
        hint: `import it again from a copy: \`s3ep keys remove ${name}\`, then \`s3ep keys import\``,
      })
    }
    if (!access.unlock) throw new KeyMissingError(`the key ${name} is protected by a passphrase`)
    const origin = `the key ${name}`
    return await unprotectKey({ id, line: bodyOf(content), origin }, await access.unlock(origin), {
      random: systemRandom,
    })
  }

  async #write(
    name: string,
    content: Uint8Array,
    place: (temporaryPath: string, path: string) => Promise<void>,
  ): Promise<void> {
    const temporaryPath = join(this.path, `.${name}.${hex(systemRandom(6))}.tmp`)
    const file = await open(temporaryPath, "wx", 0o600)
    try {
      try {
        await file.writeFile(content)
        await file.sync()
      } finally {
        await file.close()
      }
      await place(temporaryPath, this.#pathOf(name))
    } finally {
      await unlink(temporaryPath).catch(() => undefined) // renamed, it is gone already
    }
    await syncDirectory(this.path)
  }
}

/** @throws {UsageError} if a key cannot have that name. */
export function checkName(name: string): void {
  if (NAME.test(name)) return
  throw new UsageError(`${JSON.stringify(name)} cannot be the name of a key`, {
    hint: "up to 64 letters, digits, `.`, `_` and `-`, not beginning with a dot",
  })
}

async function onlyKey(
  content: Uint8Array,
  place: { origin: string; unlock?: KeyAccess["unlock"] },
): Promise<KeyMaterial> {
  const [material, ...others] = await parseKeys(content, place)
  for (const other of others) other[Symbol.dispose]()
  if (material && others.length === 0) return material
  material?.[Symbol.dispose]()
  throw new KeyMissingError(`${place.origin} holds ${others.length + 1} keys, and one has a name`, {
    hint: "put each in a file of its own",
  })
}

function checked(material: KeyMaterial, stated: string | undefined, origin: string): KeyMaterial {
  if (stated === undefined || stated === material.id) return material
  material[Symbol.dispose]()
  throw damaged(origin, "it holds another key than it says")
}

function damaged(origin: string, why: string): KeyMissingError {
  return new KeyMissingError(`${origin} is damaged: ${why}`, { hint: "restore it from a backup" })
}

function existsAlready(name: string, path: string): PreconditionError {
  return new PreconditionError(`there is a key ${name} already: ${path}`, {
    hint: "choose another name; s3ep never replaces a key",
  })
}

// With the id, so that equal names in two directories do not mean one entry.
function accountOf(name: string, id: string): string {
  return `${name} ${id}`
}

function keychainOf({ openKeychain: open = openKeychain }: KeyAccess): Promise<Keychain> {
  return open()
}

function publicLine({ publicText, secret }: KeyMaterial): string | undefined {
  const line = publicText?.trimEnd()
  // Where nothing is secret, the file holds the same in full.
  return secret && line !== undefined && !line.includes("\n") ? line : undefined
}
