import { localError } from "../files/local-error.ts"
import { syncDirectory } from "../files/sync-directory.ts"
import { forEachConcurrent } from "./concurrent.ts"

/** Directories that wait, at most: an interrupted run brings them to the disk before it ends. */
const WAITING = 256
const SYNCS_AT_ONCE = 4

/** Directories with new names in them, each brought to the disk once for many names. */
export class DirectorySyncs {
  readonly #waiting = new Set<string>()
  #failure: { error: unknown } | undefined

  /** Say that a directory has a new name in it. */
  async add(path: string): Promise<void> {
    this.#waiting.add(path)
    if (this.#waiting.size >= WAITING) await this.flush()
  }

  /**
   * All that was added is on the disk when this returns.
   *
   * @throws {LocalIoError} if one of the directories could not be synced, now or before: a second attempt may be told
   * that all is well.
   */
  async flush(): Promise<void> {
    const directories = [...this.#waiting]
    this.#waiting.clear()
    await forEachConcurrent(directories, SYNCS_AT_ONCE, async (path) => {
      try {
        await syncDirectory(path)
      } catch (error) {
        this.#failure ??= { error: localError("write", path, error) }
      }
    })
    if (this.#failure) throw this.#failure.error
  }
}
