import { mkdir, realpath } from "node:fs/promises"
import { dirname, join } from "node:path"
import { errnoOf, localError } from "../files/local-error.ts"
import { makeDirectories } from "../files/make-directories.ts"
import { checkKind, componentsOf, type Kind, kindOf } from "./target.ts"

/** Paths to remember. Names come sorted, so what was forgotten is seldom asked for again. */
const REMEMBERED = 20_000

/**
 * The directories of a tree that is got, as `safeTarget` wants them and made where they are missing. Each is looked at
 * once: whoever may put something else in its place later on could do so at any moment of a download.
 */
export class TreeDirectories {
  readonly #given: string
  readonly #made: (parent: string) => Promise<void>
  #root: string | undefined
  /** Real directories below the root. */
  readonly #known = new Set<string>()

  /**
   * @param root - taken as it is; made if it is not there.
   * @param made - told of each directory with a new one in it.
   */
  constructor(root: string, made: (parent: string) => Promise<void>) {
    this.#given = root
    this.#made = made
  }

  /**
   * Make the directory that a name from the bucket becomes.
   *
   * @throws {UsageError} if there can be no such directory; {LocalIoError} if it cannot be made.
   */
  async directory(relative: string): Promise<void> {
    await this.#directory(componentsOf(relative), relative)
  }

  /**
   * Make the directory of the file that a name from the bucket becomes.
   *
   * @returns its path, symbolic links resolved, and what has the name now: nothing that may not be replaced by a file,
   * unless it is a pipe or a device.
   * @throws {UsageError} if there can be no such file; {LocalIoError} if its directory cannot be made.
   */
  async file(relative: string): Promise<{ path: string; kind: Kind }> {
    const components = componentsOf(relative)
    const directory = await this.#directory(components.slice(0, -1), relative)
    const path = join(directory, ...components.slice(-1))
    const kind = await kindOf(path)
    if (kind !== "nothing") checkKind(kind, path, relative, false)
    return { path, kind }
  }

  async #directory(components: readonly string[], relative: string): Promise<string> {
    this.#root ??= await realRoot(this.#given)
    const whole = join(this.#root, ...components)
    if (this.#known.has(whole)) return whole
    let path = this.#root
    for (const component of components) {
      path = join(path, component)
      if (this.#known.has(path)) continue
      await this.#find(path, relative)
      if (this.#known.size >= REMEMBERED) this.#known.clear()
      this.#known.add(path)
    }
    return whole
  }

  async #find(path: string, relative: string): Promise<void> {
    const kind = await kindOf(path)
    if (kind !== "nothing") return checkKind(kind, path, relative, true)
    try {
      await mkdir(path)
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw localError("write", path, error)
      return checkKind(await kindOf(path), path, relative, true) // somebody was faster
    }
    await this.#made(dirname(path))
  }
}

async function realRoot(given: string): Promise<string> {
  try {
    return await realpath(given).catch(async (error: unknown) => {
      if (errnoOf(error) !== "ENOENT") throw error
      await makeDirectories(given)
      return await realpath(given)
    })
  } catch (error) {
    throw localError("write", given, error)
  }
}
