import { link, mkdir, open, readdir, unlink } from "node:fs/promises"
import { join } from "node:path"
import { base64, concat, hex, utf8 } from "../bytes.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError, LocalIoError, PreconditionError, S3epError, UsageError } from "../errors.ts"
import { aesFingerprint } from "./aes.ts"
import { systemRandom } from "./random.ts"
import { readSecretFile } from "./source.ts"
import { parseKeyBytes } from "./text.ts"

/** A key of the directory, without the key. */
export interface NamedKey {
  readonly name: string
  /** `type:fingerprint`, computed from the key. */
  readonly id: string
  /** Undefined if the file does not say. */
  readonly created: Date | undefined
  readonly path: string
}

/** A file of the directory that should hold a key and does not, or cannot be read. */
export interface BrokenKey {
  readonly name: string
  readonly path: string
  readonly error: S3epError
}

const SUFFIX = ".key"
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/

/**
 * Keys in files of their own, `NAME.key`: comments that say what it is, then the key in base64.
 *
 *     # s3ep key default
 *     # aes:b02c580ec833db4ff577a0986baf8d52
 *     # created 2026-03-01T12:00:00.000Z
 *     t5Q4Xy0e96tNknPRkGOBtE8vbyWIo++5akkYgzGYR1M=
 */
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
   * @returns the key, or null if there is none of that name.
   * @throws {UsageError} if no key can have that name.
   * @throws {KeyMissingError} if the file cannot be read, is damaged, or others than its owner may read it.
   */
  async read(name: string): Promise<SecretBytes | null> {
    checkName(name)
    if (!(await this.#names()).includes(name)) return null
    return (await this.#open(name)).key
  }

  /**
   * Store a key, in a file only its owner may read. Never replaces one.
   *
   * @param key - 32 bytes, borrowed.
   * @throws {UsageError} if no key can have that name.
   * @throws {PreconditionError} if there is one of that name.
   * @throws {LocalIoError} if it cannot be written.
   */
  async create(name: string, key: SecretBytes, { created }: { created: Date }): Promise<NamedKey> {
    checkName(name)
    const path = this.#pathOf(name)
    const id = aesFingerprint(key)
    const comments = `# s3ep key ${name}\n# ${id}\n# created ${created.toISOString()}\n`
    const text = concat(utf8(comments), utf8(`${base64(key.bytes)}\n`))
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 })
      await writeOnce(path, join(this.path, `.${name}.${hex(systemRandom(6))}.tmp`), text)
      await syncDirectory(this.path)
    } catch (error) {
      if (codeOf(error) === "EEXIST") {
        throw new PreconditionError(`there is a key ${name} already: ${path}`, {
          hint: "choose another name; s3ep never replaces a key",
        })
      }
      throw new LocalIoError(`cannot write the key file ${path}: ${codeOf(error)}`, { cause: error })
    } finally {
      text.fill(0)
    }
    return { name, id, created, path }
  }

  async #names(): Promise<string[]> {
    try {
      const files = await readdir(this.path)
      const names = files.filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length))
      return names.filter((name) => NAME.test(name)).sort()
    } catch (error) {
      if (codeOf(error) === "ENOENT") return []
      throw new LocalIoError(`cannot list the keys in ${this.path}: ${codeOf(error)}`, { cause: error })
    }
  }

  #pathOf(name: string): string {
    return join(this.path, `${name}${SUFFIX}`)
  }

  async #inspect(name: string): Promise<NamedKey> {
    const { key, id, created } = await this.#open(name)
    key[Symbol.dispose]()
    return { name, id, created, path: this.#pathOf(name) }
  }

  async #open(name: string): Promise<{ key: SecretBytes; id: string; created: Date | undefined }> {
    const path = this.#pathOf(name)
    using content = await readSecretFile(path)
    const comments = commentsOf(content.bytes)
    const key = parseKeyBytes(content.bytes, `what the key file ${path} holds`)
    const id = aesFingerprint(key)
    const stated = comments.find((comment) => comment.startsWith("aes:"))
    if (stated !== undefined && stated !== id) {
      key[Symbol.dispose]()
      throw new KeyMissingError(`the key file ${path} is damaged: it holds another key than it says`, {
        hint: "restore it from a backup",
      })
    }
    const date = comments.find((comment) => comment.startsWith("created "))?.slice("created ".length)
    const created = new Date(date ?? Number.NaN)
    return { key, id, created: Number.isNaN(created.getTime()) ? undefined : created }
  }
}

/** @throws {UsageError} if a key cannot have that name. */
export function checkName(name: string): void {
  if (NAME.test(name)) return
  throw new UsageError(`${JSON.stringify(name)} cannot be the name of a key`, {
    hint: "up to 64 letters, digits, `.`, `_` and `-`, not beginning with a dot",
  })
}

async function writeOnce(path: string, temporaryPath: string, content: Uint8Array): Promise<void> {
  const file = await open(temporaryPath, "wx", 0o600)
  try {
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    // Not rename(), which would replace a key of that name.
    await link(temporaryPath, path)
  } finally {
    await unlink(temporaryPath)
  }
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return // cannot open a directory
  const directory = await open(path)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

// The comments' lines only: no line of key becomes a string here.
function commentsOf(content: Uint8Array): string[] {
  const comments: string[] = []
  for (let start = 0; start < content.length; ) {
    const found = content.indexOf(0x0a, start)
    const end = found < 0 ? content.length : found
    if (content[start] === 0x23) {
      comments.push(new TextDecoder().decode(content.subarray(start + 1, end)).trim())
    }
    start = end + 1
  }
  return comments
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason"
}
