import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { S3epError, UnavailableError } from "../errors.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import { removeStateFile, writeStateFile } from "../files/state-file.ts"
import type { ObjectAddress } from "../store/store.ts"
import { abortStrays, mayHaveActed, type OwnUpload } from "../store/strays.ts"
import type { TransferContext } from "./context.ts"
import { uploadsDirectory } from "./journal.ts"
import { decodeLine, encodeLine } from "./journal-lines.ts"

export function creationsPath(stateDirectory: string, id: string): string {
  return join(uploadsDirectory(stateDirectory), `${id}.creating`)
}

/** What is uploaded, and what with. */
export interface CreationJob {
  readonly context: TransferContext
  readonly request: { readonly address: ObjectAddress; readonly requesterPays?: boolean | undefined }
}

/**
 * The local record of requests to create an upload that may have made one without our learning its id: each is on
 * the disk before it is sent, and stays there until it is answered or what it may have left was looked for.
 */
export class Creations {
  readonly #path: string
  #sent: readonly number[]

  private constructor(path: string, sent: readonly number[]) {
    this.#path = path
    this.#sent = sent
  }

  /** @throws {LocalIoError} if there is a record that cannot be read; one that is damaged says nothing. */
  static async open(path: string): Promise<Creations> {
    try {
      return new Creations(path, parse(await readFile(path, "utf8")))
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return new Creations(path, [])
      throw localError("read", path, error)
    }
  }

  /** When the requests were sent, in milliseconds since 1970. */
  get unanswered(): readonly number[] {
    return this.#sent
  }

  /**
   * Create an upload.
   *
   * @returns its id, and when the request that was answered had been sent.
   * @throws as `ObjectStore.createUpload`.
   */
  async create(
    job: Pick<CreationJob, "context">,
    send: (onRepeat: (failure: UnavailableError) => Promise<void>) => Promise<string>,
  ): Promise<OwnUpload> {
    const { clock, signal } = job.context
    // No two at the same time, or one could be taken for the other.
    const now = () => Math.max(clock.now(), 1 + Math.max(0, ...this.#sent))
    let sentAt = now()
    await this.#save([...this.#sent, sentAt])
    try {
      const uploadId = await send(async (failure) => {
        const before = mayHaveActed(failure) ? this.#sent : without(this.#sent, sentAt)
        sentAt = now()
        await this.#save([...before, sentAt])
      })
      return { uploadId, sentAt }
    } catch (error) {
      // Who was stopped does not know what became of the request.
      if (!signal.aborted && !mayHaveActed(error)) await this.answered(sentAt)
      throw error
    }
  }

  /** The request sent then was answered, and a journal has the upload it made. */
  async answered(sentAt: number): Promise<void> {
    if (this.#sent.includes(sentAt)) await this.#save(without(this.#sent, sentAt))
  }

  /**
   * Abort what the others have left, as far as it can be told from what others have begun. To be called while the
   * service still has `own`, and as late as that: an upload that still has no parts by then is nobody's.
   *
   * Whatever it fails with is no reason to fail the upload: if the service cannot be reached, the next upload of
   * this object looks again.
   */
  async abortStrays(job: CreationJob, own: OwnUpload): Promise<void> {
    if (this.#sent.length === 0) return
    const { context, request } = job
    try {
      await abortStrays(context.store, request.address, own, this.#sent, {
        signal: context.signal,
        requesterPays: request.requesterPays,
      })
    } catch (error) {
      context.signal.throwIfAborted()
      if (error instanceof UnavailableError) return
      if (!(error instanceof S3epError)) throw error
    }
    await this.#save([])
  }

  async #save(sent: readonly number[]): Promise<void> {
    if (sent.length === 0) await removeStateFile(this.#path)
    else await writeStateFile(this.#path, encodeLine({ v: 1, kind: "creating", sent }))
    this.#sent = sent
  }
}

function parse(text: string): readonly number[] {
  const line = decodeLine(text.trimEnd())
  const sent = line && "sent" in line ? line.sent : undefined
  return Array.isArray(sent) && sent.every((at) => Number.isSafeInteger(at)) ? sent : []
}

function without(sent: readonly number[], one: number): number[] {
  const at = sent.lastIndexOf(one)
  return sent.filter((_, index) => index !== at)
}
