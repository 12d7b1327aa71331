import type { Dirent, Stats } from "node:fs"
import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"
import { concat, fromUtf8, utf8 } from "../bytes.ts"
import { LocalIoError, type S3epError } from "../errors.ts"
import { statFile } from "../files/calls.ts"
import { localError } from "../files/local-error.ts"
import { Filter, type FilterPatterns } from "./filter.ts"

export interface ScanOptions extends FilterPatterns {
  /** What becomes of symbolic links: left out (if not given), gone into, or a failure each. */
  readonly symlinks?: "skip" | "follow" | "fail" | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a tree holds that is not excluded. Directories are what is in them. */
export type ScanEntry = {
  readonly path: string
  /** From the root, with "/" between names. */
  readonly relative: string
} & (
  | { readonly kind: "file" }
  | { readonly kind: "skipped"; readonly why: string }
  | { readonly kind: "failed"; readonly error: S3epError }
)

/**
 * Walk a tree, in the order of the UTF-8 bytes of its relative paths, which is that of a bucket's listing. One
 * directory's names are in memory for each level. What cannot be read is an entry, and the rest goes on.
 *
 * @throws {LocalIoError} if the root is no directory that can be read; {UsageError} for a pattern that is none.
 */
export async function* scanTree(
  root: string,
  options: ScanOptions = {},
): AsyncGenerator<ScanEntry, void, undefined> {
  const filter = new Filter(options)
  const found = await statOrThrow(root)
  if (!found.isDirectory()) throw new LocalIoError(`cannot read ${root}: it is not a directory`)
  yield* new Walk(filter, options).directory({ path: root, relative: "", above: [identity(found)] }, true)
}

interface Directory {
  readonly path: string
  readonly relative: string
  /** Identities of the directories it lies in, and its own: where a link may not lead. */
  readonly above: readonly string[]
}

/** A name in a directory, and what is there: a directory, a file, or why neither is gone into. */
interface Named {
  readonly path: string
  readonly relative: string
  readonly order: Uint8Array
  readonly is:
    | { readonly kind: "directory" }
    | { readonly kind: "file" }
    | { readonly kind: "skipped"; readonly why: string }
    | { readonly kind: "failed"; readonly error: S3epError }
}

class Walk {
  readonly #filter: Filter
  readonly #options: ScanOptions

  constructor(filter: Filter, options: ScanOptions) {
    this.#filter = filter
    this.#options = options
  }

  async *directory(directory: Directory, isRoot: boolean): AsyncGenerator<ScanEntry, void, undefined> {
    let names: Named[]
    try {
      names = await this.#names(directory)
    } catch (error) {
      const failure = asLocal(directory.path, error)
      if (isRoot) throw failure
      yield { path: directory.path, relative: directory.relative, kind: "failed", error: failure }
      return
    }
    for (const { path, relative, is } of names) {
      this.#options.signal?.throwIfAborted()
      if (is.kind === "directory") {
        if (!this.#filter.excludes(`${relative}/`)) yield* this.#below(directory, path, relative)
      } else if (this.#filter.wants(relative)) {
        yield { path, relative, ...is }
      }
    }
  }

  async *#below(
    parent: Directory,
    path: string,
    relative: string,
  ): AsyncGenerator<ScanEntry, void, undefined> {
    let own: string
    try {
      own = identity(await statFile(path))
    } catch (error) {
      yield { path, relative, kind: "failed", error: asLocal(path, error) }
      return
    }
    if (parent.above.includes(own)) {
      yield { path, relative, kind: "skipped", why: "a link that leads back to a directory it lies in" }
      return
    }
    yield* this.directory({ path, relative, above: [...parent.above, own] }, false)
  }

  async #names({ path, relative }: Directory): Promise<Named[]> {
    const names: Named[] = []
    for (const entry of await readdir(path, { withFileTypes: true, encoding: "buffer" })) {
      names.push(await this.#named(path, relative, entry))
    }
    return names.sort((a, b) => Buffer.compare(a.order, b.order))
  }

  async #named(directory: string, above: string, entry: Dirent<Buffer>): Promise<Named> {
    const prefix = above === "" ? "" : `${above}/`
    const name = decoded(entry.name)
    if (name === null) {
      const shown = entry.name.toString("utf8")
      const error = new LocalIoError(`the name of ${join(directory, shown)} is not UTF-8: no key can have it`)
      const place = { path: join(directory, shown), relative: `${prefix}${shown}`, order: entry.name }
      return { ...place, is: { kind: "failed", error } }
    }
    const path = join(directory, name)
    const is = await this.#kindOf(path, entry)
    // Names of directories sort as what is in them does: "a.txt" before "a/b".
    const order = is.kind === "directory" ? concat(utf8(name), utf8("/")) : utf8(name)
    return { path, relative: `${prefix}${name}`, order, is }
  }

  async #kindOf(path: string, entry: Dirent<Buffer>): Promise<Named["is"]> {
    try {
      const known = entry.isFile() || entry.isDirectory() || entry.isSymbolicLink() || isSpecial(entry)
      const own = known ? entry : await lstat(path) // some file systems do not say
      if (!own.isSymbolicLink()) return kindOf(own)
      if (this.#options.symlinks === "follow") return kindOf(await statFile(path))
      if (this.#options.symlinks !== "fail") return { kind: "skipped", why: "a symbolic link" }
      return { kind: "failed", error: new LocalIoError(`${path} is a symbolic link`) }
    } catch (error) {
      return { kind: "failed", error: asLocal(path, error) }
    }
  }
}

function kindOf(entry: Dirent<Buffer> | Stats): Named["is"] {
  if (entry.isDirectory()) return { kind: "directory" }
  if (entry.isFile()) return { kind: "file" }
  const what = entry.isSocket() ? "a socket" : entry.isFIFO() ? "a named pipe" : "a device"
  return { kind: "skipped", why: what }
}

function isSpecial(entry: Dirent<Buffer>): boolean {
  return entry.isSocket() || entry.isFIFO() || entry.isBlockDevice() || entry.isCharacterDevice()
}

function identity({ dev, ino }: Stats): string {
  return `${dev}:${ino}`
}

function decoded(name: Buffer): string | null {
  try {
    return fromUtf8(name)
  } catch {
    return null
  }
}

/** What a path leads to. @throws {LocalIoError} if it cannot be looked at. */
export async function statOrThrow(path: string): Promise<Stats> {
  try {
    return await statFile(path)
  } catch (error) {
    throw localError("read", path, error)
  }
}

function asLocal(path: string, error: unknown): LocalIoError {
  const known = localError("read", path, error)
  if (known instanceof LocalIoError) return known
  throw error
}
