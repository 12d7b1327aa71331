import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import type { Kek } from "../../../src/keys/kek.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import type { Outcome, RotationRequest } from "../../../src/rotation/request.ts"
import { rotate } from "../../../src/rotation/rotate.ts"
import type { ObjectSettings, ObjectStore } from "../../../src/store/store.ts"
import type { ProgressEvent, TransferContext } from "../../../src/transfer/context.ts"
import { downloadStream } from "../../../src/transfer/download-stream.ts"
import { uploadStream } from "../../../src/transfer/upload-stream.ts"
import { MemoryStore, type MemoryStoreOptions } from "../../support/memory-store.ts"

export const NOW = Date.UTC(2026, 2, 1)

/** A store with objects under an old KEK, and a new KEK to move them to. */
export interface RotationSite<S extends ObjectStore> {
  readonly store: S
  readonly bucket: string
  readonly old: Kek
  readonly fresh: Kek
  readonly events: ProgressEvent[]
  readonly directory: string
  /** Reads with both KEKs, writes with the old one. */
  context(over?: Partial<TransferContext>): TransferContext
  /** All of the bucket, to the new KEK. */
  request(over?: Partial<RotationRequest>): RotationRequest
  put(key: string, body: Uint8Array | string, settings?: Partial<ObjectSettings>): Promise<void>
  /** What a reader with these KEKs gets. */
  read(key: string, keks: readonly Kek[], versionId?: string): Promise<string>
  rotate(over?: Partial<RotationRequest>, context?: Partial<TransferContext>): Promise<Outcome[]>
}

/** @param bytes - 32 of them, copied; random ones if not given. */
export function newKek(name: string, bytes: Uint8Array = systemRandom(32)): Kek {
  return aesKek(new SecretBytes(Uint8Array.from(bytes)), name)
}

/** How what is put is cut. */
export interface Cut {
  readonly chunkBytes: number
  readonly partBytes: number
}

export async function memorySite({
  cut,
  ...options
}: MemoryStoreOptions & { cut?: Cut } = {}): Promise<RotationSite<MemoryStore>> {
  return openRotationSite(new MemoryStore({ now: () => new Date(NOW), ...options }), "vault", "", cut)
}

export async function openRotationSite<S extends ObjectStore>(
  store: S,
  bucket: string,
  prefix = "",
  cut: Partial<Cut> = {},
  [old, fresh]: readonly [Kek, Kek] = [newKek("old"), newKek("fresh")],
): Promise<RotationSite<S>> {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-rotation-"))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const events: ProgressEvent[] = []
  const keysOf = (readers: readonly Kek[], writers: readonly Kek[]) => ({
    readers,
    writers,
    [Symbol.dispose]: () => undefined,
  })
  const context = (over: Partial<TransferContext> = {}): TransferContext => ({
    store,
    keys: keysOf([old, fresh], [old]),
    random: systemRandom,
    clock: { now: () => NOW, delay: async (_, signal) => signal?.throwIfAborted() },
    stateDirectory: join(directory, "state"),
    onProgress: (event) => events.push(event),
    signal: new AbortController().signal,
    ...over,
  })
  const request = (over: Partial<RotationRequest> = {}): RotationRequest => ({
    targets: [{ kind: "tree", bucket, prefix }],
    to: [fresh],
    ...over,
  })
  return {
    store,
    bucket,
    old,
    fresh,
    events,
    directory,
    context,
    request,
    async put(key, body, settings = {}) {
      await uploadStream(context(), {
        address: { bucket, key: prefix + key },
        source: once(Buffer.from(body)),
        settings: { metadata: {}, ...settings },
        name: "original.txt",
        ...cut,
      })
    },
    async read(key, keks, versionId) {
      const pieces: Uint8Array[] = []
      const address = { bucket, key: prefix + key }
      const reading = context({ keys: keysOf(keks, []) })
      for await (const piece of downloadStream(reading, { address, versionId })) pieces.push(piece)
      return Buffer.concat(pieces).toString()
    },
    async rotate(over, context_) {
      const outcomes: Outcome[] = []
      await rotate(context(context_), request(over), (outcome) => outcomes.push(outcome))
      return outcomes
    },
  }
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

/** What became of objects, by key. */
export function kinds(outcomes: readonly Outcome[]): Record<string, string> {
  const found = outcomes.map((one) => [
    one.address.key,
    one.kind === "failed" ? `failed: ${one.obstacle}` : one.kind === "moved" ? one.how : one.kind,
  ])
  return Object.fromEntries(found)
}
