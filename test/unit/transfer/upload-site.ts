import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openStream } from "../../../src/agcm/stream.ts"
import { concat } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { openEnvelope } from "../../../src/envelope/envelope.ts"
import { fromUserMetadata } from "../../../src/envelope/metadata.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import type { Kek } from "../../../src/keys/kek.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import type { StoreLimits } from "../../../src/store/store.ts"
import type { ProgressEvent, TransferContext } from "../../../src/transfer/context.ts"
import type { UploadRequest } from "../../../src/transfer/upload-request.ts"
import { MemoryStore, type MemoryStoreOptions } from "../../support/memory-store.ts"

/** Small enough for many parts in a test: chunks of 4 KiB, parts of 16. */
export const CHUNK = 4096
export const PART = 4 * CHUNK
export const smallParts: Partial<StoreLimits> = { minPartBytes: CHUNK, maxParts: 100 }

/** Everything an upload works with, in a directory of its own. */
export interface Site extends AsyncDisposable {
  readonly store: MemoryStore
  readonly events: ProgressEvent[]
  readonly directory: string
  readonly kek: Kek
  context(over?: Partial<TransferContext>): TransferContext
  /** Make a file. @returns its path. */
  file(name: string, content: Uint8Array): Promise<string>
  request(path: string, over?: Partial<UploadRequest>): UploadRequest
  notices(): string[]
}

export async function openSite(options: MemoryStoreOptions = {}): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-upload-"))
  const store = new MemoryStore({ ...options, limits: { ...smallParts, ...options.limits } })
  const events: ProgressEvent[] = []
  const kek = newKek("default")
  return {
    store,
    events,
    directory,
    kek,
    context: (over = {}) => ({
      store,
      keys: keysOf(kek),
      random: systemRandom,
      clock: { now: () => Date.UTC(2026, 2, 1), delay: async (_, signal) => signal?.throwIfAborted() },
      stateDirectory: join(directory, "state"),
      onProgress: (event) => events.push(event),
      signal: new AbortController().signal,
      ...over,
    }),
    file: async (name, content) => {
      const path = join(directory, name)
      await writeFile(path, content)
      return path
    },
    request: (path, over = {}) => ({
      path,
      address: { bucket: "vault", key: "a.bin" },
      settings: { metadata: {} },
      partBytes: PART,
      chunkBytes: CHUNK,
      ...over,
    }),
    notices: () => events.flatMap((event) => (event.type === "notice" ? [event.message] : [])),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}

export function newKek(name: string): Kek {
  return aesKek(new SecretBytes(systemRandom(32)), name)
}

export function keysOf(...keks: Kek[]): TransferContext["keys"] {
  return { readers: keks, writers: keks, [Symbol.dispose]: () => undefined }
}

/** Bytes that differ from piece to piece, the same for the same seed. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = state >>> 16
  }
  return bytes
}

/** What a reader gets: the whole object opened, seal and all. */
export async function opened(store: MemoryStore, kek: Kek, key = "a.bin"): Promise<Uint8Array> {
  const envelope = fromUserMetadata(store.settings(key).metadata)
  if (!envelope) throw new Error("not an s3ep object")
  const { dek } = await openEnvelope(envelope, { objectKey: key, readers: [kek] })
  const chunks: Uint8Array[] = []
  for await (const chunk of openStream(dek, slices(store.bytes(key)))) chunks.push(chunk)
  return concat(...chunks)
}

export async function* slices(bytes: Uint8Array, sliceBytes = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes)
}

export function callsOf(store: MemoryStore, operation: string): MemoryStore["calls"] {
  return store.calls.filter((call) => call.operation === operation)
}

/** @returns what it threw. */
export async function thrown(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => {
      throw new Error("it was to fail and did not")
    },
    (error: unknown) => error,
  )
}
