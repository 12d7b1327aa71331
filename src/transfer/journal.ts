import { join } from "node:path"
import { hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import { AppendFile } from "../files/append-file.ts"
import { removeStateFile } from "../files/state-file.ts"
import type { ObjectAddress } from "../store/store.ts"
import { type AttemptLine, encodeLine, type JournalHead, type PartLine } from "./journal-lines.ts"

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

/** A journal being written. */
export class Journal {
  readonly #file: AppendFile

  private constructor(file: AppendFile) {
    this.#file = file
  }

  get path(): string {
    return this.#file.path
  }

  /**
   * Make a journal with its first line, on the disk before this returns.
   *
   * @throws {LocalIoError} if it cannot be written.
   */
  static async create(path: string, head: JournalHead): Promise<Journal> {
    return new Journal(await AppendFile.create(path, encodeLine(head)))
  }

  /**
   * Go on with a journal of an earlier run.
   *
   * @param bytes - of its whole lines; a torn one behind them is cut off.
   */
  static async reopen(path: string, bytes: number): Promise<Journal> {
    return new Journal(await AppendFile.reopen(path, bytes))
  }

  /** Note an attempt before it is sent; on the disk when this returns. */
  attempt(line: AttemptLine): Promise<void> {
    return this.#file.append(encodeLine(line), true)
  }

  /** Note a part the store has taken; on the disk when this returns. */
  part(line: PartLine): Promise<void> {
    return this.#file.append(encodeLine(line), true)
  }

  /** Note that another run goes on with this upload, or that Complete is about to be asked for. */
  mark(line: { readonly resumed: string } | { readonly completing: true }): Promise<void> {
    return this.#file.append(encodeLine(line), true)
  }

  /** Everything noted is on the disk when this returns. */
  close(): Promise<void> {
    return this.#file.close()
  }
}

/** Remove a journal; one that is not there is fine. */
export function removeJournal(path: string): Promise<void> {
  return removeStateFile(path)
}
