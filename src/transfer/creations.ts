import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { S3epError, UnavailableError } from "../errors.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import { removeStateFile, writeStateFile } from "../files/state-file.ts"
import type { ObjectAddress } from "../store/store.ts"
import {
  abortLateStrays,
  abortStrays,
  isSettled,
  mayHaveActed,
  type OwnUpload,
  type Reference,
} from "../store/strays.ts"
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

/** Where a look found less than was asked for, and what the next one needs when the upload is done. */
interface Looked extends Reference {
  readonly endpoint: string
  readonly bucket: string
  readonly key: string
  readonly requesterPays?: boolean | undefined
}

interface CreationLine {
  readonly sent: readonly number[]
  readonly looked?: Looked | undefined
}

/**
 * The local record of requests to create an upload that may have made one without our learning its id: each is on
 * the disk before it is sent, and stays there until it is answered, what it left was found, or a look so much later
 * that nothing can come of it any more found nothing.
 */
export class Creations {
  readonly #path: string
  #sent: readonly number[]
  #looked: Looked | undefined

  private constructor(path: string, { sent, looked }: CreationLine) {
    this.#path = path
    this.#sent = sent
    this.#looked = looked
  }

  /** @throws {LocalIoError} if there is a record that cannot be read; one that is damaged says nothing. */
  static async open(path: string): Promise<Creations> {
    try {
      return new Creations(path, parse(await readFile(path, "utf8")))
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return new Creations(path, { sent: [] })
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
    const { address, requesterPays } = request
    const now = context.clock.now()
    await this.#look(context, async () => {
      const options = { signal: context.signal, requesterPays }
      const { reference, missing } = await abortStrays(context.store, address, own, this.#sent, options, now)
      if (!reference) return { sent: [] }
      const looked = { endpoint: context.store.endpoint, ...address, requesterPays, ...reference }
      return { sent: missing.filter((sentAt) => !isSettled(sentAt, now)), looked }
    })
  }

  /**
   * Whether `abortLateStrays` would do anything.
   *
   * @param forgetBefore - requests sent before are to be forgotten, even where nothing is known to look with.
   */
  isDue({ clock, store }: TransferContext, forgetBefore: number): boolean {
    const now = clock.now()
    const canLook = this.#looked?.endpoint === store.endpoint
    return this.#sent.some((sentAt) => sentAt < forgetBefore || (canLook && isSettled(sentAt, now)))
  }

  /**
   * Look again for what the look of an upload that is done since has missed, once that is certain to be there if it
   * ever will. To be called with the upload's lock held and no journal of it there. Fails as little as `abortStrays`.
   */
  async abortLateStrays(context: TransferContext, forgetBefore: number): Promise<void> {
    const { store, clock, signal } = context
    const now = clock.now()
    const looked = this.#looked
    if (looked?.endpoint === store.endpoint) {
      const { bucket, key, requesterPays, ...reference } = looked
      await this.#look(context, async () => {
        const options = { signal, requesterPays }
        const missing = await abortLateStrays(store, { bucket, key }, reference, this.#sent, options, now)
        return { sent: missing.filter((sentAt) => !isSettled(sentAt, now)), looked }
      })
    }
    const kept = this.#sent.filter((sentAt) => sentAt >= forgetBefore)
    if (kept.length < this.#sent.length) await this.#save(kept, looked)
  }

  async #look(context: TransferContext, look: () => Promise<CreationLine>): Promise<void> {
    let left: CreationLine = { sent: [] }
    try {
      left = await look()
    } catch (error) {
      context.signal.throwIfAborted()
      if (error instanceof UnavailableError) return
      if (!(error instanceof S3epError)) throw error
    }
    await this.#save(left.sent, left.looked)
  }

  async #save(sent: readonly number[], looked?: Looked): Promise<void> {
    if (sent.length === 0) await removeStateFile(this.#path)
    else await writeStateFile(this.#path, encodeLine({ v: 1, kind: "creating", sent, looked }))
    this.#sent = sent
    this.#looked = looked
  }
}

function parse(text: string): CreationLine {
  const { sent, looked }: { sent?: unknown; looked?: unknown } = decodeLine(text.trimEnd()) ?? {}
  if (!Array.isArray(sent) || !sent.every((at) => Number.isSafeInteger(at))) return { sent: [] }
  return isLooked(looked) ? { sent, looked } : { sent }
}

// The line's checksum holds, so it is what some version has written.
function isLooked(value: unknown): value is Looked {
  if (typeof value !== "object" || value === null) return false
  const found: Partial<Record<keyof Looked, unknown>> = value
  return (
    [found.endpoint, found.bucket, found.key].every((text) => typeof text === "string") &&
    [found.sentAt, found.begun].every((at) => Number.isSafeInteger(at))
  )
}

function without(sent: readonly number[], one: number): number[] {
  const at = sent.lastIndexOf(one)
  return sent.filter((_, index) => index !== at)
}
