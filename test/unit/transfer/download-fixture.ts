import { createHash } from "node:crypto"
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { sealStream } from "../../../src/agcm/stream.ts"
import { concat } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { createEnvelope } from "../../../src/envelope/envelope.ts"
import { toUserMetadata } from "../../../src/envelope/metadata.ts"
import type { PrivateMetadata } from "../../../src/envelope/private-metadata.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import type { Kek } from "../../../src/keys/kek.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import type { ProgressEvent, TransferContext } from "../../../src/transfer/context.ts"
import { memoryLimits } from "../../support/memory-model.ts"
import { MemoryStore } from "../../support/memory-store.ts"

/** 4 KiB chunks, four to a segment: small objects then have everything that large ones have. */
export const geometry = { chunkBytes: 4096, chunksPerSegment: 4 }
/** A window of two segments. */
export const windowBytes = 2 * (80 + 4 * 4112)

export function kekOf(fill: number): Kek {
  return aesKek(new SecretBytes(new Uint8Array(32).fill(fill)), `key-${fill}`)
}

const made = new Map<string, Uint8Array>()

/** Bytes that repeat nowhere, so that anything misplaced shows; not to be changed. */
export function plaintextOf(bytes: number, seed = "plaintext"): Uint8Array {
  const name = `${bytes} ${seed}`
  const known = made.get(name)
  if (known) return known
  const plaintext = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at += 64) {
    const block = createHash("sha512").update(`${seed} ${at}`).digest()
    plaintext.set(block.subarray(0, Math.min(64, bytes - at)), at)
  }
  made.set(name, plaintext)
  return plaintext
}

export interface Sealing {
  readonly geometry?: { chunkBytes: number; chunksPerSegment: number }
  readonly privateMetadata?: PrivateMetadata
  readonly kek?: Kek
  readonly bind?: "key" | "none"
}

/** Put an object into the store as an upload does. */
export async function putSealed(
  store: ObjectStore,
  key: string,
  plaintext: Uint8Array,
  sealing: Sealing = {},
): Promise<void> {
  using dek = new SecretBytes(systemRandom(32))
  const pieces: Uint8Array[] = []
  const source = (async function* () {
    yield plaintext
  })()
  for await (const piece of sealStream(dek, sealing.geometry ?? geometry, source, () => systemRandom(24))) {
    pieces.push(piece)
  }
  const envelope = await createEnvelope({
    dek,
    bind: sealing.bind ?? "key",
    objectKey: key,
    writers: [sealing.kek ?? kekOf(1)],
    privateMetadata: sealing.privateMetadata,
    random: systemRandom,
  })
  const metadata = toUserMetadata(envelope, memoryLimits)
  await store.put({ bucket: "vault", key }, concat(...pieces), { settings: { metadata } })
}

export interface Site {
  readonly store: MemoryStore
  readonly context: TransferContext
  readonly events: ProgressEvent[]
  readonly directory: string
  /** Where downloads go; nothing else is in it. */
  readonly targets: string
  readonly target: string
  /** The context with something else in it. */
  with(changes: Partial<TransferContext>): TransferContext
}

/** A store, a key and directories of its own, gone when the test is over. */
export async function makeSite(options: ConstructorParameters<typeof MemoryStore>[0] = {}): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-download-"))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const targets = join(directory, "targets")
  await mkdir(targets)
  const events: ProgressEvent[] = []
  const kek = kekOf(1)
  const store = new MemoryStore({ sliceBytes: 5000, ...options })
  const context: TransferContext = {
    store,
    keys: { readers: [kek], writers: [kek], [Symbol.dispose]: () => kek[Symbol.dispose]() },
    random: systemRandom,
    clock: { now: () => 0, delay: async () => undefined },
    stateDirectory: join(directory, "state"),
    onProgress: (event) => events.push(event),
    signal: new AbortController().signal,
  }
  return {
    store,
    context,
    events,
    directory,
    targets,
    target: join(targets, "file"),
    with: (changes) => ({ ...context, ...changes }),
  }
}

/** Journals of unfinished downloads, without locks. */
export async function journals({ context }: Site): Promise<string[]> {
  const names = await readdir(join(context.stateDirectory, "downloads")).catch(() => [])
  return names.filter((name) => name.endsWith(".jsonl"))
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const chunk of chunks) pieces.push(chunk)
  return concat(...pieces)
}
