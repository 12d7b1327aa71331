import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { expect } from "vitest"
import { SecretBytes } from "../../src/crypto/secret.ts"
import { aesKek } from "../../src/keys/aes.ts"
import { systemRandom } from "../../src/keys/random.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import type { TransferContext } from "../../src/transfer/context.ts"
import { downloadFile } from "../../src/transfer/download.ts"
import { downloadTree } from "../../src/transfer/download-tree.ts"
import { settleCreations } from "../../src/transfer/late-creations.ts"
import { uploadFile } from "../../src/transfer/upload.ts"
import { uploadStream } from "../../src/transfer/upload-stream.ts"
import { uploadTree } from "../../src/transfer/upload-tree.ts"
import { faulty } from "./faults.ts"

/** Where a scenario takes place. */
export interface FaultPlace {
  readonly bucket: string
  /** The store without any fault. */
  readonly store: ObjectStore
  /** Plaintext bytes of a part, as small as the service allows. */
  readonly partBytes: number
}

/** One command of the program, with everything it needs, in a directory and under a prefix of its own. */
export interface FaultCommand extends AsyncDisposable {
  /** Run it against a store. @throws what the program would end with. */
  run(store: ObjectStore): Promise<void>
  /** That its outcome is there, whole, and that nothing else is. */
  expectOutcome(): Promise<void>
}

export type FaultScenario = (place: FaultPlace) => Promise<FaultCommand>

const CHUNK = 4096
const WINDOW = 2 * (80 + 4 * (CHUNK + 16))
/** After which nothing can come any more of a request without an answer. */
const SETTLED_MS = 120_000

class Place implements AsyncDisposable {
  readonly directory: string
  readonly prefix = `${Buffer.from(systemRandom(6)).toString("hex")}/`
  readonly place: FaultPlace
  readonly #kek = aesKek(new SecretBytes(systemRandom(32)), "default")

  constructor(place: FaultPlace, directory: string) {
    this.place = place
    this.directory = directory
  }

  static async open(place: FaultPlace): Promise<Place> {
    return new Place(place, await mkdtemp(join(tmpdir(), "s3ep-fault-")))
  }

  address(name: string): { bucket: string; key: string } {
    return { bucket: this.place.bucket, key: this.prefix + name }
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  context(store: ObjectStore): TransferContext {
    return {
      store,
      keys: { readers: [this.#kek], writers: [this.#kek], [Symbol.dispose]: () => undefined },
      random: systemRandom,
      clock: { now: Date.now, delay: async (_, signal) => signal?.throwIfAborted() },
      stateDirectory: this.path("state"),
      onProgress: () => undefined,
      signal: new AbortController().signal,
    }
  }

  async write(name: string, content: Uint8Array): Promise<string> {
    await mkdir(dirname(this.path(name)), { recursive: true })
    await writeFile(this.path(name), content)
    return this.path(name)
  }

  async put(name: string, path: string, store = this.place.store): Promise<void> {
    await uploadFile(this.context(store), {
      path,
      address: this.address(name),
      settings: { metadata: {} },
      partBytes: this.place.partBytes,
      chunkBytes: CHUNK,
      concurrency: 2,
    })
  }

  async get(name: string, target: string, store = this.place.store): Promise<void> {
    const address = this.address(name)
    await downloadFile(this.context(store), { address, target, windowBytes: WINDOW, concurrency: 2 })
  }

  /** That an object is what was put, and that neither an upload nor a file is left over. */
  async expectStored(name: string, content: Uint8Array): Promise<void> {
    const target = this.path("read-back")
    await this.get(name, target)
    expect((await readFile(target)).equals(content)).toBe(true)
    await rm(target)
  }

  async expectNothingLeft(): Promise<void> {
    const { store, bucket } = this.place
    const context = this.context(store)
    const later = { ...context.clock, now: () => Date.now() + SETTLED_MS }
    await settleCreations({ ...context, clock: later })
    const uploads: string[] = []
    for await (const { address } of store.listUploads(bucket, { prefix: this.prefix }))
      uploads.push(address.key)
    expect(uploads).toEqual([])
    const entries = await readdir(this.directory, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
    expect(files.filter((name) => /\.part$|\.jsonl|\.lock|\.creating|\.new$/.test(name))).toEqual([])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
    const { store, bucket } = this.place
    for await (const { key } of store.list(bucket, { prefix: this.prefix }))
      await store.delete({ bucket, key })
  }
}

function command(place: Place, parts: Omit<FaultCommand, typeof Symbol.asyncDispose>): FaultCommand {
  return { ...parts, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() }
}

/** A file of three parts goes up. */
const upload: FaultScenario = async (where) => {
  const place = await Place.open(where)
  const content = bytesOf(2 * where.partBytes + 5000)
  const path = await place.write("source", content)
  return command(place, {
    run: (store) => place.put("object", path, store),
    expectOutcome: async () => {
      await place.expectStored("object", content)
      await place.expectNothingLeft()
    },
  })
}

/** The same after a run that was lost with one part behind it. */
const resumedUpload: FaultScenario = async (where) => {
  const place = await Place.open(where)
  const content = bytesOf(2 * where.partBytes + 5000)
  const path = await place.write("source", content)
  const broken = faulty(where.store, { operation: "uploadPart", call: 2, moment: "before" })
  await expect(place.put("object", path, broken)).rejects.toThrow("reset")
  return command(place, {
    run: (store) => place.put("object", path, store),
    expectOutcome: async () => {
      await place.expectStored("object", content)
      await place.expectNothingLeft()
    },
  })
}

/** A file that one request carries, on condition that nothing is there. */
const smallUpload: FaultScenario = async (where) => {
  const place = await Place.open(where)
  const content = bytesOf(5000)
  const path = await place.write("source", content)
  let runs = 0
  return command(place, {
    async run(store) {
      runs += 1
      const settings = { metadata: {} }
      const conditions = { ifNoneMatch: "*" } as const
      const request = { path, address: place.address("object"), settings, conditions }
      await uploadFile(place.context(store), request).catch((error) => {
        // Where the first run's answer was lost for good, the second one finds that an object is there.
        if (runs === 1 || error.code !== "S3EP_PRECONDITION") throw error
      })
    },
    expectOutcome: async () => {
      await place.expectStored("object", content)
      await place.expectNothingLeft()
    },
  })
}

/** Standard input: nothing of a run that fails is left, and the next one begins anew. */
const stream: FaultScenario = async (where) => {
  const place = await Place.open(where)
  // lib-storage takes no smaller parts than S3 does.
  const partBytes = Math.max(where.partBytes, 5 * 1024 ** 2)
  const content = bytesOf(partBytes + 5000)
  return command(place, {
    async run(store) {
      await uploadStream(place.context(store), {
        source: (async function* () {
          for (let at = 0; at < content.length; at += 1024 ** 2) yield content.slice(at, at + 1024 ** 2)
        })(),
        address: place.address("object"),
        settings: { metadata: {} },
        partBytes,
        concurrency: 2,
      })
    },
    expectOutcome: async () => {
      await place.expectStored("object", content)
      await place.expectNothingLeft()
    },
  })
}

/** An object of four windows comes down. */
const download: FaultScenario = async (where) => {
  const place = await Place.open(where)
  const content = bytesOf(100_000)
  await place.put("object", await place.write("source", content))
  const target = place.path("target")
  return command(place, {
    run: (store) => place.get("object", target, store),
    expectOutcome: async () => {
      expect((await readFile(target)).equals(content)).toBe(true)
      await place.expectNothingLeft()
    },
  })
}

/** The same after a run that was lost with some windows behind it. */
const resumedDownload: FaultScenario = async (where) => {
  const place = await Place.open(where)
  const content = bytesOf(100_000)
  await place.put("object", await place.write("source", content))
  const target = place.path("target")
  const broken = faulty(where.store, { operation: "get", call: 4, moment: "before" })
  await expect(place.get("object", target, broken)).rejects.toThrow("reset")
  return command(place, {
    run: (store) => place.get("object", target, store),
    expectOutcome: async () => {
      expect((await readFile(target)).equals(content)).toBe(true)
      await place.expectNothingLeft()
    },
  })
}

const tree = (where: FaultPlace) =>
  new Map([
    ["a", bytesOf(10)],
    ["deep/er/b", bytesOf(CHUNK + 1)],
    ["empty", bytesOf(0)],
    ["large", bytesOf(where.partBytes + 5000)],
  ])

const treeUp: FaultScenario = async (where) => {
  const place = await Place.open(where)
  const files = tree(where)
  for (const [name, content] of files) await place.write(`tree/${name}`, content)
  return command(place, {
    async run(store) {
      const { failed } = await uploadTree(place.context(store), {
        root: place.path("tree"),
        bucket: where.bucket,
        prefix: place.prefix,
        settings: { metadata: {} },
        partBytes: where.partBytes,
        chunkBytes: CHUNK,
        concurrency: 2,
        skipExisting: true,
      })
      if (failed[0]) throw failed[0].error
    },
    expectOutcome: async () => {
      for (const [name, content] of files) await place.expectStored(name, content)
      await place.expectNothingLeft()
    },
  })
}

const treeDown: FaultScenario = async (where) => {
  const place = await Place.open(where)
  const files = tree(where)
  for (const [name, content] of files) await place.put(name, await place.write(`tree/${name}`, content))
  const target = place.path("target")
  return command(place, {
    async run(store) {
      const request = { bucket: where.bucket, prefix: place.prefix, target, concurrency: 2 }
      const { failed } = await downloadTree(place.context(store), request)
      if (failed[0]) throw failed[0].error
    },
    expectOutcome: async () => {
      for (const [name, content] of files) {
        expect((await readFile(join(target, name))).equals(content)).toBe(true)
      }
      await place.expectNothingLeft()
    },
  })
}

export const scenarios: Readonly<
  Record<
    string,
    {
      readonly open: FaultScenario /** Whether its store retries; either if not given. */
      readonly retried?: boolean
    }
  >
> = {
  upload: { open: upload },
  "resumed upload": { open: resumedUpload },
  "small upload": { open: smallUpload },
  // Nothing of it is on record: a run that is given up cannot say what a lost answer to Create left.
  stream: { open: stream, retried: true },
  download: { open: download },
  "resumed download": { open: resumedDownload },
  "tree up": { open: treeUp },
  "tree down": { open: treeDown },
}

function bytesOf(length: number): Buffer {
  return Buffer.from(systemRandom(length))
}
