import { execFileSync } from "node:child_process"
import { rmSync } from "node:fs"
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import {
  IntegrityError,
  InterruptedError,
  LocalIoError,
  NotFoundError,
  PreconditionError,
  UnavailableError,
  UsageError,
} from "../../../src/errors.ts"
import type { GetOptions, ObjectAddress } from "../../../src/store/store.ts"
import type { ProgressEvent } from "../../../src/transfer/context.ts"
import { downloadFile } from "../../../src/transfer/download.ts"
import { type DownloadTreeItem, downloadTree } from "../../../src/transfer/download-tree.ts"
import { acquireLock } from "../../../src/transfer/lock.ts"
import { faulty } from "../../support/faults.ts"
import { journals, makeSite, plaintextOf, putSealed, type Site, windowBytes } from "./download-fixture.ts"

async function makeTree(): Promise<Site> {
  const site = await makeSite()
  for (const [key, bytes] of [
    ["docs/a.txt", 10],
    ["docs/deep/er/b.txt", 5000],
    ["docs/deep/c", 0],
    ["docs-not/d", 20],
    ["e", 30],
  ] as const) {
    await putSealed(site.store, key, plaintextOf(bytes, key))
  }
  return site
}

// Not readdir's own recursion, which follows symbolic links from Node 26 on.
async function filesIn(directory: string, below = ""): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
    const name = join(below, entry.name)
    if (entry.isFile()) found.push(name)
    if (entry.isDirectory()) found.push(...(await filesIn(directory, name)))
  }
  return found.sort()
}

test.each(["docs", "docs/"])("gets what lies below %j and nothing else", async (prefix) => {
  const site = await makeTree()
  const items: DownloadTreeItem[] = []
  const result = await downloadTree(site.context, {
    bucket: "vault",
    prefix,
    target: join(site.targets, "new"),
    onItem: (item) => items.push(item),
  })
  expect(result).toEqual({ done: 3, skipped: 0, failed: [], bytes: 5010 })
  expect(await filesIn(join(site.targets, "new"))).toEqual(["a.txt", "deep/c", "deep/er/b.txt"])
  expect(new Uint8Array(await readFile(join(site.targets, "new/deep/er/b.txt")))).toEqual(
    plaintextOf(5000, "docs/deep/er/b.txt"),
  )
  expect(items.map(({ address, outcome, bytes }) => [address.key, outcome, bytes]).sort()).toEqual([
    ["docs/a.txt", "done", 10],
    ["docs/deep/c", "done", 0],
    ["docs/deep/er/b.txt", "done", 5000],
  ])
})

test("an object that comes with one answer is asked for whole, one without bytes too", async () => {
  const site = await makeTree()
  const request = { bucket: "vault", prefix: "docs", target: join(site.targets, "new"), concurrency: 1 }
  await downloadTree(site.context, request)
  const asked = site.store.calls.filter(({ operation }) => operation === "get" || operation === "head")
  expect(asked.map(({ operation, key, range }) => [operation, key, range])).toEqual([
    ["get", "docs/a.txt", undefined],
    ["get", "docs/deep/c", undefined],
    ["get", "docs/deep/er/b.txt", undefined],
  ])
})

test("gets a whole bucket, or what is wanted of it", async () => {
  const site = await makeTree()
  const include = (relative: string) => !relative.startsWith("docs/deep/")
  await downloadTree(site.context, { bucket: "vault", prefix: "", target: site.targets, include })
  expect(await filesIn(site.targets)).toEqual(["docs-not/d", "docs/a.txt", "e"])
})

test("a dry run names what it would get, and makes nothing", async () => {
  const site = await makeTree()
  await writeFile(join(site.targets, "e"), "mine")
  site.store.calls.length = 0
  const result = await downloadTree(site.context, {
    bucket: "vault",
    prefix: "",
    target: site.targets,
    dryRun: true,
    existing: "skip",
  })
  expect(result).toEqual({ done: 4, skipped: 1, failed: [], bytes: 0 })
  expect(await filesIn(site.targets)).toEqual(["e"])
  expect(site.store.calls.map((call) => call.operation)).toEqual(["list"])
})

test("what fails does not stop the rest, and is named", async () => {
  const site = await makeTree()
  site.store.tamper("docs/a.txt", (data) => data.fill(0, 100))
  await site.store.put({ bucket: "vault", key: "docs/foreign" }, plaintextOf(9), {
    settings: { metadata: {} },
  })
  await putSealed(site.store, "docs/../../escape", plaintextOf(1))
  await putSealed(site.store, "docs//empty", plaintextOf(1))
  await symlink(site.directory, join(site.targets, "link"))
  await putSealed(site.store, "docs/link/through", plaintextOf(1))
  const result = await downloadTree(site.context, { bucket: "vault", prefix: "docs/", target: site.targets })
  expect(result).toMatchObject({ done: 2, bytes: 5000 })
  const failed = new Map(result.failed.map(({ item, error }) => [item, error]))
  expect([...failed.keys()].sort()).toEqual([
    "s3://vault/docs/../../escape",
    "s3://vault/docs//empty",
    "s3://vault/docs/a.txt",
    "s3://vault/docs/foreign",
    "s3://vault/docs/link/through",
  ])
  expect(failed.get("s3://vault/docs/a.txt")).toBeInstanceOf(IntegrityError)
  expect(failed.get("s3://vault/docs/foreign")).toBeInstanceOf(IntegrityError)
  expect(failed.get("s3://vault/docs/link/through")).toBeInstanceOf(UsageError)
  expect(await filesIn(site.targets)).toEqual(["deep/c", "deep/er/b.txt"])
  expect(await readdir(site.directory)).not.toContain("escape")
  expect(await readdir(site.directory)).not.toContain("through")
})

test("a key that is a file and a directory at once fails for one of the two", async () => {
  const site = await makeSite()
  await putSealed(site.store, "both", plaintextOf(1))
  await putSealed(site.store, "both/below", plaintextOf(1))
  const result = await downloadTree(site.context, { bucket: "vault", prefix: "", target: site.targets })
  expect(result.done).toBe(1)
  expect(result.failed).toHaveLength(1)
})

test("a key that ends in a slash is a directory", async () => {
  const site = await makeSite()
  await site.store.put({ bucket: "vault", key: "t/empty/" }, new Uint8Array(), { settings: { metadata: {} } })
  await site.store.put({ bucket: "vault", key: "t/" }, new Uint8Array(), { settings: { metadata: {} } })
  await site.store.put({ bucket: "vault", key: "t/../" }, new Uint8Array(), { settings: { metadata: {} } })
  const result = await downloadTree(site.context, { bucket: "vault", prefix: "t", target: site.targets })
  expect(result.failed.map(({ item }) => item)).toEqual(["s3://vault/t/../"])
  expect(await readdir(site.targets)).toEqual(["empty"])
})

test.each([
  ["replace", { done: 1, skipped: 0 }],
  ["skip", { done: 0, skipped: 1 }],
  ["fail", { done: 0, skipped: 0 }],
] as const)("files that are there: %s", async (existing, counts) => {
  const site = await makeSite()
  await putSealed(site.store, "e", plaintextOf(30))
  await writeFile(join(site.targets, "e"), "mine")
  const result = await downloadTree(site.context, {
    bucket: "vault",
    prefix: "",
    target: site.targets,
    existing,
  })
  expect(result).toMatchObject(counts)
  if (existing === "fail") expect(result.failed[0]?.error).toBeInstanceOf(PreconditionError)
  expect((await readFile(join(site.targets, "e"))).length).toBe(existing === "replace" ? 30 : 4)
})

test.each(["replace", "skip", "fail"] as const)(
  "a pipe is not replaced, nor written to: %s",
  async (existing) => {
    const site = await makeSite()
    await putSealed(site.store, "e", plaintextOf(30))
    execFileSync("mkfifo", [join(site.targets, "e")])
    const request = { bucket: "vault", prefix: "", target: site.targets, existing }
    const { skipped, failed } = await downloadTree(site.context, request)
    if (existing === "skip") expect(skipped).toBe(1)
    else expect(failed[0]?.error).toBeInstanceOf(PreconditionError)
    expect((await stat(join(site.targets, "e"))).isFIFO()).toBe(true)
  },
)

test("a directory that is taken away meanwhile is a failure of what was to be in it", async () => {
  const site = await makeTree()
  const result = await downloadTree(site.context, {
    bucket: "vault",
    prefix: "docs",
    target: site.targets,
    concurrency: 1,
    onItem: ({ address }) => {
      if (address.key === "docs/deep/c") rmSync(join(site.targets, "deep"), { recursive: true })
    },
  }).catch((error: unknown) => error)
  // The file that was there is gone with it, so the tree is not done.
  expect(result).toBeInstanceOf(LocalIoError)
  expect(await filesIn(site.targets)).toEqual(["a.txt"])
})

test("an interruption stops all of it", async () => {
  const site = await makeTree()
  const interrupt = new AbortController()
  const context = site.with({
    signal: interrupt.signal,
    onProgress: () => interrupt.abort(new InterruptedError("SIGTERM")),
  })
  await expect(
    downloadTree(context, { bucket: "vault", prefix: "", target: site.targets, concurrency: 1 }),
  ).rejects.toThrow(InterruptedError)
  expect(await filesIn(site.targets)).toEqual([])
})

describe("a download that was begun by itself", () => {
  const MIB = 1024 ** 2
  const address = { bucket: "vault", key: "b" }

  /** One that gets its first window, which takes two requests, and no other. */
  async function broken(site: Site, windowBytes?: number): Promise<void> {
    const store = faulty(site.store, { call: 3, moment: "before", operation: "get" })
    const request = { address, target: join(site.targets, "b"), windowBytes, concurrency: 1 }
    await expect(downloadFile(site.with({ store }), request)).rejects.toThrow(UnavailableError)
    expect(await journals(site)).toHaveLength(1)
  }

  test("before the tree is seen, and nothing is left of it", async () => {
    const site = await makeSite()
    await putSealed(site.store, "b", plaintextOf(150_000))
    await broken(site, windowBytes)
    const result = await downloadTree(site.context, { bucket: "vault", prefix: "", target: site.targets })
    expect(result).toMatchObject({ done: 1, failed: [] })
    expect(await readdir(site.targets)).toEqual(["b"])
    expect(await journals(site)).toEqual([])
  })

  test.each(["ended", "at work"])("while the tree was at another object, and is %s", async (state) => {
    const site = await makeSite()
    const content = Buffer.alloc(20 * MIB, 7)
    await putSealed(site.store, "a", plaintextOf(10))
    await putSealed(site.store, "b", content, { geometry: { chunkBytes: MIB, chunksPerSegment: 5 } })
    await using cleanup = new AsyncDisposableStack()
    const doneBytes: number[] = []
    const get = async (where: ObjectAddress, options: GetOptions) => {
      if (where.key === "a") {
        await broken(site)
        const [name = ""] = await journals(site)
        const lock = join(site.context.stateDirectory, "downloads", `${name}.lock`)
        if (state === "at work") cleanup.use(await acquireLock(lock, "it", site.context.random))
      }
      return site.store.get(where, options)
    }
    const store = Object.create(site.store, {
      endpoint: { value: site.store.endpoint },
      list: { value: site.store.list.bind(site.store) },
      get: { value: get },
    })
    const onProgress = (event: ProgressEvent) => {
      if (event.type === "started") doneBytes.push(event.doneBytes)
    }
    const result = await downloadTree(site.with({ store, onProgress }), {
      bucket: "vault",
      prefix: "",
      target: site.targets,
      concurrency: 1,
    })
    if (state === "ended") {
      expect(result).toMatchObject({ done: 2, failed: [] })
      expect(doneBytes).toEqual([0, 15 * MIB])
      expect(content.equals(await readFile(join(site.targets, "b")))).toBe(true)
      expect(await journals(site)).toEqual([])
    } else {
      expect(result).toMatchObject({ done: 1, failed: [{ error: expect.any(PreconditionError) }] })
      expect(await journals(site)).toHaveLength(1)
    }
  })
})

test("a bucket that is not there fails", async () => {
  const site = await makeTree()
  await mkdir(join(site.targets, "x"))
  await expect(
    downloadTree(site.context, { bucket: "nowhere", prefix: "", target: site.targets }),
  ).rejects.toThrow(NotFoundError)
})
