import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import { hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import type { ObjectAddress } from "../store/store.ts"
import { type AttemptLine, encodeLine, type JournalHead, type PartLine } from "./journal-lines.ts"
import { localError } from "./local-error.ts"
import { removeStateFile, writeStateFile } from "./state-file.ts"

/** Names the upload of one object on one endpoint: 16 hexadecimal digits. */
export function journalId(endpoint: string, { bucket, key }: ObjectAddress): string {
  return hex(sha256(utf8([endpoint, bucket, key].join("\0")))).slice(0, 16)
}

export function uploadsDirectory(stateDirectory: string): string {
  return join(stateDirectory, "uploads")
}

export function journalPath(stateDirectory: string, id: string): string {
  return join(uploadsDirectory(stateDirectory), `${id}.jsonl`)
}

export function lockPath(stateDirectory: string, id: string): string {
  return join(uploadsDirectory(stateDirectory), `${id}.lock`)
}

/** A journal being written: lines are appended through one handle, in the order they were asked for. */
export class Journal {
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
   * Make a journal with its first line, on the disk before this returns.
   *
   * @throws {LocalIoError} if it cannot be written.
   */
  static async create(path: string, head: JournalHead): Promise<Journal> {
    await writeStateFile(path, encodeLine(head))
    try {
      return new Journal(path, await open(path, "a"))
    } catch (error) {
      throw localError("write", path, error)
    }
  }

  /**
   * Go on with a journal of an earlier run.
   *
   * @param bytes - of its whole lines; a torn one behind them is cut off.
   */
  static async reopen(path: string, bytes: number): Promise<Journal> {
    try {
      const file = await open(path, "a")
      await file.truncate(bytes)
      return new Journal(path, file)
    } catch (error) {
      throw localError("write", path, error)
    }
  }

  /** Note an attempt before it is sent; `sync` waits for the disk. */
  attempt(line: AttemptLine, sync: boolean): Promise<void> {
    return this.#append(encodeLine(line), sync)
  }

  /** Note a part the store has taken; on the disk when this returns. */
  part(line: PartLine): Promise<void> {
    return this.#append(encodeLine(line), true)
  }

  /** Note that another run goes on with this upload, or that Complete is about to be asked for. */
  mark(line: { readonly resumed: string } | { readonly completing: true }): Promise<void> {
    return this.#append(encodeLine(line), true)
  }

  /** Everything noted is on the disk when this returns. */
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

  #append(text: string, sync: boolean): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ text, sync, done, failed })
      this.#flushing ??= this.#flush()
    })
  }

  // Parts that finish together share one write and one sync.
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
    // In the same step as the last look at what waits: a line asked for in between would wait for ever.
    this.#flushing = undefined
  }
}

/** Remove a journal; one that is not there is fine. */
export function removeJournal(path: string): Promise<void> {
  return removeStateFile(path)
}
