import { copyFile, mkdir, open, stat } from "node:fs/promises"
import { join } from "node:path"
import { SecretBytes } from "../../src/crypto/secret.ts"
import { DeniedError, NotFoundError } from "../../src/errors.ts"
import { aesKek } from "../../src/keys/aes.ts"
import { systemRandom } from "../../src/keys/random.ts"
import { withRetry } from "../../src/store/retry.ts"
import { createS3Store } from "../../src/store/s3.ts"
import type { ListedPart, ObjectInfo, ObjectStore, PartBody, UploadedPart } from "../../src/store/store.ts"
import type { TransferContext } from "../../src/transfer/context.ts"
import { journalId, journalPath } from "../../src/transfer/journal.ts"
import { loadJournal } from "../../src/transfer/journal-lines.ts"
import { uploadFile } from "../../src/transfer/upload.ts"
import { memoryLimits } from "../support/memory-model.ts"

// What the largest cases take, each in a process of its own that says so in one line of JSON:
//   node test/bench/limits.ts upload DIRECTORY     the largest object there can be: planned, interrupted, resumed
//   node test/bench/limits.ts journal DIRECTORY    loading the journal that the upload left, 10,000 parts of it
//   node test/bench/limits.ts list ENDPOINT        listing whatever an endpoint says is in "vault"

const ADDRESS = { bucket: "vault", key: "disk.img" }
/** 10,000 parts of nearly 5 GiB: more does not fit what S3 takes of an object, sealed. */
export const LARGEST_BYTES = 49_900 * 1024 ** 3
const INTERRUPTED_AT = 9_990

/**
 * A store that keeps nothing but each part's number and length. Of a part it takes the first slice, which is sealed as
 * any, and skips the rest, which is sealed as it is pulled: sealing 50 TB would take a day. So everything is done for
 * every part but the middle of its bytes.
 */
class NullStore
  implements
    Pick<
      ObjectStore,
      | "endpoint"
      | "limits"
      | "head"
      | "createUpload"
      | "uploadPart"
      | "listParts"
      | "completeUpload"
      | "abortUpload"
      | "listUploads"
    >
{
  readonly endpoint = "null:"
  readonly parts = new Map<number, { etag: string; bytes: number }>()
  completed: { parts: number; bytes: number } | undefined
  failsAt = Number.POSITIVE_INFINITY
  sent = 0

  async limits() {
    return memoryLimits
  }

  async head(): Promise<ObjectInfo> {
    throw new NotFoundError("there is nothing", { what: "object" })
  }

  async createUpload(): Promise<string> {
    return "upload"
  }

  async uploadPart(_address: object, _id: string, partNumber: number, body: PartBody): Promise<UploadedPart> {
    if (partNumber >= this.failsAt) throw new DeniedError("interrupted")
    if (body instanceof Uint8Array) throw new TypeError("a part of that size is streamed")
    for await (const slice of body.stream) {
      if (slice.length > 0) break
    }
    this.sent += 1
    const part = { etag: `${partNumber}`, bytes: body.bytes }
    this.parts.set(partNumber, part)
    return { partNumber, ...part, checksum: undefined }
  }

  async *listParts(): AsyncGenerator<ListedPart> {
    for (const [partNumber, part] of [...this.parts].sort(([a], [b]) => a - b)) {
      yield { partNumber, ...part, checksum: undefined, lastModified: undefined }
    }
  }

  async completeUpload(_address: object, _id: string, parts: readonly UploadedPart[]) {
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
    this.completed = { parts: parts.length, bytes }
    return { etag: "whole", versionId: undefined }
  }

  async abortUpload(): Promise<void> {
    throw new Error("it was given up")
  }

  async *listUploads() {
    yield* []
  }
}

async function upload(directory: string): Promise<object> {
  const path = join(directory, "disk.img")
  const file = await open(path, "w")
  await file.truncate(LARGEST_BYTES)
  await file.close()
  const kek = aesKek(new SecretBytes(new Uint8Array(32).fill(1)), "bench")
  const store = new NullStore()
  const context: TransferContext = {
    store: store as unknown as ObjectStore,
    keys: { readers: [kek], writers: [kek], [Symbol.dispose]: () => undefined },
    random: systemRandom,
    clock: { now: Date.now, delay: async () => undefined },
    stateDirectory: directory,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  }
  const request = { path, address: ADDRESS, settings: { metadata: {} } }
  store.failsAt = INTERRUPTED_AT
  await uploadFile(context, request).catch((error: unknown) => {
    if (!(error instanceof DeniedError)) throw error
  })
  const first = store.sent
  const journal = journalPath(directory, journalId(store.endpoint, ADDRESS))
  await mkdir(join(directory, "kept"), { recursive: true })
  await copyFile(journal, join(directory, "kept/journal.jsonl"))
  store.failsAt = Number.POSITIVE_INFINITY
  const result = await uploadFile(context, request)
  const { allocated } = await stat(path).then(({ blocks }) => ({ allocated: blocks * 512 }))
  const { parts, resumedParts, bytes, storedBytes } = result
  return {
    bytes,
    storedBytes,
    parts,
    resumedParts,
    first,
    sent: store.sent,
    completed: store.completed,
    allocated,
  }
}

/** Of five times, the quickest: what else the machine does at the moment is not the journal's. */
async function journal(directory: string): Promise<object> {
  const times: number[] = []
  let parts = 0
  for (let time = 0; time < 5; time++) {
    const before = process.cpuUsage()
    const loaded = await loadJournal(join(directory, "kept/journal.jsonl"))
    const { user, system } = process.cpuUsage(before)
    times.push((user + system) / 1000)
    parts = loaded?.state === "whole" ? loaded.parts.size : 0
  }
  return { parts, firstCpuMs: times[0], cpuMs: Math.min(...times) }
}

async function list(endpoint: string): Promise<object> {
  const credentials = { accessKeyId: "bench", secretAccessKey: "bench" }
  const bare = createS3Store({
    endpoint,
    region: "us-east-1",
    credentials,
    service: "generic",
    onNotice: () => undefined,
  })
  const store = withRetry(bare, { delay: async () => undefined, random: Math.random })
  let [keys, bytes] = [0, 0]
  for await (const entry of store.list("vault")) {
    keys += 1
    if (entry.kind === "object") bytes += entry.bytes
  }
  store.close()
  return { keys, bytes }
}

const [what, where = ""] = process.argv.slice(2)
const work = { upload, journal, list }[what ?? ""]
if (!work) throw new Error("upload, journal or list?")
const outcome = await work(where)
const maxRssBytes = process.resourceUsage().maxRSS * 1024
process.stdout.write(`${JSON.stringify({ ...outcome, maxRssBytes })}\n`)
