import { createHash } from "node:crypto"
import {
  NotFoundError,
  PreconditionError,
  S3epError,
  type TransientCause,
  UnavailableError,
} from "../errors.ts"
import { listedAgain } from "./retry-list.ts"
import type {
  GetOptions,
  ObjectAddress,
  ObjectBody,
  ObjectStore,
  PartOptions,
  PutOptions,
  StoredObject,
} from "./store.ts"

export interface RetryPolicy {
  /** How often a request is sent in all. */
  readonly attempts: number
  /** The longest first wait; it doubles with each attempt. */
  readonly baseMs: number
  /** No wait is longer, unless the service asks for it. */
  readonly capMs: number
}

export interface RetryEvent {
  /** The request, in a few words: "upload part 3 of s3://vault/a.tar". */
  readonly what: string
  readonly cause: TransientCause
  /** How often it was sent so far. */
  readonly attempt: number
  readonly delayMs: number
}

export interface RetryDependencies {
  /** Waits, or rejects with the signal's reason. */
  readonly delay: (ms: number, signal: AbortSignal | undefined) => Promise<void>
  /** At least 0, less than 1. */
  readonly random: () => number
  readonly onRetry?: ((event: RetryEvent) => void) | undefined
  readonly policy?: Partial<RetryPolicy> | undefined
}

const defaultPolicy: RetryPolicy = { attempts: 10, baseMs: 1000, capMs: 30_000 }
// A service that asks for more patience than this is as good as gone.
const LONGEST_RETRY_AFTER_S = 300

/**
 * A store that sends a request again when that may help, with the bytes it has. Waits are drawn at random up to a
 * limit that doubles ("full jitter", AWS Architecture Blog, "Exponential Backoff and Jitter"); a broken connection is
 * tried again at once the first time.
 *
 * Not sent again: streamed parts, which only their maker can start over; and a Complete that was not answered,
 * which may have taken effect: the caller has to look.
 *
 * @throws {UnavailableError} naming the attempts, once they are used up.
 */
export function withRetry(store: ObjectStore, dependencies: RetryDependencies): ObjectStore {
  const policy = { ...defaultPolicy, ...dependencies.policy }
  const again = new Again(policy, dependencies)
  const wrapped: ObjectStore = {
    endpoint: store.endpoint,
    limits: (bucket, options) =>
      again.run(`ask s3://${bucket}`, options?.signal, () => store.limits(bucket, options)),
    head: (address, options) =>
      again.run(`look at ${name(address)}`, options?.signal, () => store.head(address, options)),
    get: (address, options) => getAgain(store, again, address, options),
    put: (address, body, options) => putAgain(store, again, address, body, options),
    putStream: (address, body, options) =>
      store.putStream(address, body, { ...options, through: options.through ?? wrapped }),
    delete: (address, options) =>
      again.run(`delete ${name(address)}`, options?.signal, () => store.delete(address, options)),
    list: (bucket, options) => listedAgain.objects(store, again, bucket, options),
    createUpload: (address, options) =>
      again.run(`start an upload of ${name(address)}`, options.signal, () =>
        store.createUpload(address, options),
      ),
    uploadPart(address, uploadId, partNumber, body, options) {
      if (!(body instanceof Uint8Array)) return store.uploadPart(address, uploadId, partNumber, body, options)
      const what = `upload part ${partNumber} of ${name(address)}`
      const { takeBack, ...counted } = countedSending(options)
      return again.run(what, options.signal, (attempt) => {
        if (attempt > 1) takeBack()
        return store.uploadPart(address, uploadId, partNumber, body, counted)
      })
    },
    listParts: (address, uploadId, options) => listedAgain.parts(store, again, address, uploadId, options),
    completeUpload: (address, uploadId, parts, options) =>
      again.run(
        `complete the upload of ${name(address)}`,
        options.signal,
        () => store.completeUpload(address, uploadId, parts, options),
        (error) => error.transient === "throttled" || error.transient === "credentials",
      ),
    abortUpload: (address, uploadId, options) =>
      again.run(`abort the upload of ${name(address)}`, options?.signal, async (attempt) => {
        await store.abortUpload(address, uploadId, options).catch((error: unknown) => {
          // An earlier attempt may have done it, its answer lost.
          if (attempt === 1 || !(error instanceof NotFoundError && error.what === "upload")) throw error
        })
      }),
    listUploads: (bucket, options) => listedAgain.uploads(store, again, bucket, options),
    close: () => store.close(),
  }
  return wrapped
}

/** The loop around one request. */
export class Again {
  readonly #policy: RetryPolicy
  readonly #dependencies: RetryDependencies

  constructor(policy: RetryPolicy, dependencies: RetryDependencies) {
    this.#policy = policy
    this.#dependencies = dependencies
  }

  /** @param send - is given the number of the attempt, from 1. */
  async run<T>(
    what: string,
    signal: AbortSignal | undefined,
    send: (attempt: number) => Promise<T>,
    mayRepeat: (error: UnavailableError) => boolean = () => true,
  ): Promise<T> {
    const failures = this.failures(what, signal)
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted()
      try {
        return await send(attempt)
      } catch (error) {
        if (!(error instanceof UnavailableError && mayRepeat(error))) throw error
        await failures.wait(error)
      }
    }
  }

  /** Counts the failures of one request, and waits after each. */
  failures(what: string, signal: AbortSignal | undefined): { wait(error: UnavailableError): Promise<void> } {
    const { attempts } = this.#policy
    const { delay, onRetry } = this.#dependencies
    let count = 0
    let renewals = 0
    return {
      wait: async (error) => {
        signal?.throwIfAborted()
        count += 1
        if (error.transient === "credentials") renewals += 1
        if (count >= attempts || renewals > 1) throw gaveUp(error, count)
        const delayMs = this.#delayMs(error, count)
        onRetry?.({ what, cause: error.transient, attempt: count, delayMs })
        if (delayMs > 0) await delay(delayMs, signal)
      },
    }
  }

  #delayMs({ transient, retryAfterSeconds }: UnavailableError, count: number): number {
    const { baseMs, capMs } = this.#policy
    const atOnce = transient === "credentials" || (transient === "network" && count === 1)
    const doublings = transient === "network" ? count - 2 : count - 1
    const jitterMs = atOnce ? 0 : this.#dependencies.random() * Math.min(capMs, baseMs * 2 ** doublings)
    return Math.max(jitterMs, 1000 * Math.min(retryAfterSeconds ?? 0, LONGEST_RETRY_AFTER_S))
  }
}

function gaveUp(error: UnavailableError, attempts: number): UnavailableError {
  if (attempts === 1) return error
  return new UnavailableError(`${error.message} (gave up after ${attempts} attempts)`, {
    cause: error,
    hint: error.hint,
    transient: error.transient,
    retryAfterSeconds: error.retryAfterSeconds,
  })
}

/** A condition that fails on a second attempt may have been met by the first, whose answer was lost: look. */
async function putAgain(
  store: ObjectStore,
  again: Again,
  address: ObjectAddress,
  body: Uint8Array,
  options: PutOptions,
): Promise<StoredObject> {
  return again.run(`write ${name(address)}`, options.signal, async (attempt) => {
    try {
      return await store.put(address, body, options)
    } catch (error) {
      if (attempt === 1 || !(error instanceof PreconditionError)) throw error
      const stored = await ownObject(store, address, body, options)
      if (stored) return stored
      throw error
    }
  })
}

async function ownObject(
  store: ObjectStore,
  address: ObjectAddress,
  body: Uint8Array,
  { settings, signal, requesterPays }: PutOptions,
): Promise<StoredObject | null> {
  const customerKey = settings.encryption?.kind === "sse-c" ? settings.encryption.key : undefined
  const info = await store.head(address, { signal, requesterPays, customerKey }).catch((error: unknown) => {
    if (error instanceof S3epError && !(error instanceof UnavailableError)) return null
    throw error
  })
  if (info?.bytes !== body.length) return null
  // Where the ETag is no MD5, metadata tells: an envelope's wrapped DEK is in no other object.
  const names = Object.keys(settings.metadata)
  const sameMetadata =
    names.length > 0 && names.every((each) => info.metadata[each] === settings.metadata[each])
  const sameBytes = info.etag === createHash("md5").update(body).digest("hex")
  return sameBytes || sameMetadata ? { etag: info.etag, versionId: info.versionId } : null
}

function countedSending(options: PartOptions): PartOptions & { takeBack: () => void } {
  const { onSent } = options
  if (!onSent) return { ...options, takeBack: () => undefined }
  let sent = 0
  return {
    ...options,
    onSent(bytes) {
      sent += bytes
      onSent(bytes)
    },
    takeBack() {
      if (sent !== 0) onSent(-sent)
      sent = 0
    },
  }
}

async function getAgain(
  store: ObjectStore,
  again: Again,
  address: ObjectAddress,
  options: GetOptions = {},
): Promise<ObjectBody> {
  const what = `read ${name(address)}`
  const first = await again.run(what, options.signal, () => store.get(address, options))
  const { info } = first
  const pinned = { ...options, ifMatch: info.etag, versionId: options.versionId ?? info.versionId }
  const rest = (start: number) =>
    again.run(what, options.signal, () =>
      store.get(address, { ...pinned, range: { start, end: first.range.end } }),
    )

  async function* body(): AsyncGenerator<Uint8Array> {
    let position = first.range.start
    let failures = again.failures(what, options.signal)
    for (let current = first.body; ; ) {
      try {
        for await (const slice of current) {
          position += slice.length
          failures = again.failures(what, options.signal)
          yield slice
        }
        return
      } catch (error) {
        if (!(error instanceof UnavailableError) || info.etag === "") throw error
        await failures.wait(error)
        if (position >= first.range.end) return
        current = (await rest(position)).body
      }
    }
  }
  return { ...first, body: released(body(), first.body) }
}

/** Gives up the answer's connection even if nobody read from it. */
function released(
  slices: AsyncGenerator<Uint8Array>,
  first: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let started = false
  const iterator: AsyncIterator<Uint8Array> = {
    next() {
      started = true
      return slices.next()
    },
    async return() {
      if (!started) await first[Symbol.asyncIterator]().return?.()
      return slices.return(undefined)
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

function name({ bucket, key }: ObjectAddress): string {
  return `s3://${bucket}/${key}`
}
