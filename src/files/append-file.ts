import { type FileHandle, open } from "node:fs/promises"
import { localError } from "./local-error.ts"
import { writeStateFile } from "./state-file.ts"

/** A file of the state directory that grows: texts are appended through one handle, in the order they were asked for. */
export class AppendFile {
  readonly path: string
  readonly #file: FileHandle
  /** What waits for the write that is under way. */
  #waiting: { text: string; sync: boolean; done: () => void; failed: (error: unknown) => void }[] = []
  #flushing: Promise<void> | undefined
  #failure: { error: unknown } | undefined

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  /**
   * Make the file with its first text, on the disk before this returns.
   *
   * @throws {LocalIoError} if it cannot be written.
   */
  static async create(path: string, text: string): Promise<AppendFile> {
    await writeStateFile(path, text)
    try {
      return new AppendFile(path, await open(path, "a"))
    } catch (error) {
      throw localError("write", path, error)
    }
  }

  /**
   * Go on with the file of an earlier run.
   *
   * @param bytes - to keep of it; what a torn write left behind them is cut off.
   */
  static async reopen(path: string, bytes: number): Promise<AppendFile> {
    try {
      const file = await open(path, "a")
      await file.truncate(bytes)
      return new AppendFile(path, file)
    } catch (error) {
      throw localError("write", path, error)
    }
  }

  /** @param sync - whether to wait until it is on the disk. */
  append(text: string, sync: boolean): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ text, sync, done, failed })
      this.#flushing ??= this.#flush()
    })
  }

  /** All of it is on the disk when this returns. */
  async close(): Promise<void> {
    try {
      await this.#flushing
      if (!this.#failure) await this.#file.datasync()
    } catch (error) {
      throw localError("write", this.path, error)
    } finally {
      await this.#file.close()
    }
  }

  // What is asked for together shares one write and one sync.
  async #flush(): Promise<void> {
    await Promise.resolve() // what is asked for in the same moment goes along
    while (this.#waiting.length > 0) {
      const lines = this.#waiting
      this.#waiting = []
      try {
        // After a failed write the file may end in half a line, and another behind it would be lost with it.
        if (this.#failure) throw this.#failure.error
        await this.#file.appendFile(lines.map((line) => line.text).join(""))
        if (lines.some((line) => line.sync)) await this.#file.datasync()
        for (const line of lines) line.done()
      } catch (error) {
        this.#failure ??= { error }
        for (const line of lines) line.failed(localError("write", this.path, error))
      }
    }
    // In the same step as the last look at what waits: a text asked for in between would wait for ever.
    this.#flushing = undefined
  }
}
