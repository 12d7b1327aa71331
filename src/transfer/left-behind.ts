import { readdir, realpath } from "node:fs/promises"
import { layoutOfPlaintext } from "../agcm/layout.ts"
import { S3epError } from "../errors.ts"
import { lstatIfAny } from "../files/calls.ts"
import type { ObjectAddress } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import {
  downloadJournalId,
  downloadJournalPath,
  downloadsDirectory,
  loadDownloadJournal,
} from "./download-journal.ts"
import { journalId, journalPath, lockPath, removeJournal, uploadsDirectory } from "./journal.ts"
import { loadJournal } from "./journal-lines.ts"
import { acquireLock } from "./lock.ts"
import { findOwnObject } from "./stored-object.ts"
import type { UploadOptions } from "./upload-request.ts"

/**
 * What runs that were killed have left in the state directory for transfers that are not to be done again, since
 * what they were to make is there: a kill may come between the last byte and the removal of the journal, or of the
 * lock. The directory is read once for a whole tree.
 */
export class LeftBehind {
  readonly #context: TransferContext
  readonly #ids: ReadonlySet<string>

  private constructor(context: TransferContext, ids: ReadonlySet<string>) {
    this.#context = context
    this.#ids = ids
  }

  static ofUploads(context: TransferContext): Promise<LeftBehind> {
    return LeftBehind.#below(context, uploadsDirectory(context.stateDirectory))
  }

  static ofDownloads(context: TransferContext): Promise<LeftBehind> {
    return LeftBehind.#below(context, downloadsDirectory(context.stateDirectory))
  }

  static async #below(context: TransferContext, directory: string): Promise<LeftBehind> {
    const names = await readdir(directory).catch(() => [])
    return new LeftBehind(context, new Set(names.map((name) => name.slice(0, name.indexOf(".")))))
  }

  /**
   * Whether there was an unfinished upload of an object already; it may be gone. One that begins later is found by its
   * lock, or, by who puts the object with one request, not at all: it stays to be resumed or aborted.
   */
  hasUpload(address: ObjectAddress): boolean {
    return this.#ids.size > 0 && this.#ids.has(journalId(this.#context.store.endpoint, address))
  }

  /** Whether there was an unfinished download already, and still is. One that begins later is found by its lock. */
  async hasDownload(idOf: () => string): Promise<boolean> {
    if (this.#ids.size === 0) return false
    const id = idOf()
    if (!this.#ids.has(id)) return false
    return lstatIfAny(downloadJournalPath(this.#context.stateDirectory, id)).then(
      (found) => found !== null,
      () => false,
    )
  }

  /** Forget the upload that made this object. An unfinished one, which would make another, is kept. */
  async forgetUpload(request: UploadOptions): Promise<void> {
    const { stateDirectory, store } = this.#context
    const id = journalId(store.endpoint, request.address)
    const journal = journalPath(stateDirectory, id)
    await this.#locked(id, lockPath(stateDirectory, id), async () => {
      const loaded = await loadJournal(journal)
      if (loaded?.state !== "whole" || !loaded.completing) return
      const { envelope, plaintextBytes, geometry } = loaded.head
      const storedBytes = layoutOfPlaintext(plaintextBytes, geometry).ciphertextBytes
      if (await findOwnObject(this.#context, request, { envelope, storedBytes })) await removeJournal(journal)
    })
  }

  /** Forget the download that made this file: its temporary file has become it. */
  async forgetDownload(address: ObjectAddress, versionId: string | undefined, target: string): Promise<void> {
    const { stateDirectory, store } = this.#context
    if (this.#ids.size === 0) return
    const id = downloadJournalId(
      store.endpoint,
      address,
      versionId,
      await realpath(target).catch(() => target),
    )
    const journal = downloadJournalPath(stateDirectory, id)
    await this.#locked(id, `${journal}.lock`, async () => {
      const loaded = await loadDownloadJournal(journal)
      if (loaded && (await isGone(loaded.temporary.path))) await removeJournal(journal)
    })
  }

  // Taking a lock removes what the dead have left of it. Whatever is in the way, this is nobody's reason to fail.
  async #locked(id: string, path: string, work: () => Promise<void>): Promise<void> {
    if (!this.#ids.has(id)) return
    const { random, signal } = this.#context
    try {
      await using _ = await acquireLock(path, "what an earlier run left", random)
      await work()
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof S3epError)) throw error
    }
  }
}

async function isGone(path: string): Promise<boolean> {
  return lstatIfAny(path).then(
    (found) => found === null,
    () => false,
  )
}
