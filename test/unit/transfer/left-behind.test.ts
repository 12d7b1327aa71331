import { spawnSync } from "node:child_process"
import { cpSync } from "node:fs"
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import type { ObjectStore } from "../../../src/store/store.ts"
import { downloadFile } from "../../../src/transfer/download.ts"
import { downloadTree } from "../../../src/transfer/download-tree.ts"
import { acquireLock } from "../../../src/transfer/lock.ts"
import { uploadTree } from "../../../src/transfer/upload-tree.ts"
import { faulty } from "../../support/faults.ts"
import { CHUNK, noise, openSite, PART, type Site } from "./upload-site.ts"

// A kill between the last byte and the removal of journal and lock, made by putting both back.

const address = { bucket: "vault", key: "backup/large" }

/** What a state directory held at one moment, to be put back as if its process had ended then. */
class Snapshot {
  readonly #site: Site
  readonly #below: string

  constructor(site: Site, below: "uploads" | "downloads") {
    this.#site = site
    this.#below = join(site.directory, "state", below)
  }

  take(): void {
    cpSync(this.#below, join(this.#site.directory, "kept"), { recursive: true })
  }

  async putBack(only = /./): Promise<void> {
    const { pid } = spawnSync("true")
    const kept = join(this.#site.directory, "kept")
    for (const name of await readdir(kept)) {
      const text = await readFile(join(kept, name), "utf8")
      if (!only.test(name)) continue
      const left = name.endsWith(".lock") ? text.replace(/"pid":\d+/, `"pid":${pid}`) : text
      await writeFile(join(this.#below, name), left)
    }
    expect((await this.names()).length).toBeGreaterThan(0)
  }

  names(): Promise<string[]> {
    return readdir(this.#below)
  }
}

async function putTree(site: Site, over: Parameters<Site["context"]>[0] = {}) {
  const root = join(site.directory, "tree")
  await mkdir(root, { recursive: true })
  await site.file("tree/large", noise(3 * PART, 3))
  return uploadTree(site.context(over), {
    root,
    bucket: "vault",
    prefix: "backup",
    settings: { metadata: {} },
    partBytes: PART,
    chunkBytes: CHUNK,
    skipExisting: true,
  })
}

describe("an upload that was done when its process was killed", () => {
  async function killed(site: Site): Promise<Snapshot> {
    const snapshot = new Snapshot(site, "uploads")
    const store: ObjectStore = {
      ...faulty(site.store, { call: 0, moment: "before" }),
      completeUpload: async (...args) => {
        const stored = await site.store.completeUpload(...args)
        snapshot.take()
        return stored
      },
    }
    await putTree(site, { store })
    return snapshot
  }

  test.each([[/./], [/lock$/], [/jsonl$/]])("leaves nothing that skipping would keep (%s)", async (only) => {
    await using site = await openSite()
    const snapshot = await killed(site)
    await snapshot.putBack(only)
    expect(await putTree(site)).toMatchObject({ done: 0, skipped: 1, failed: [] })
    expect(await snapshot.names()).toEqual([])
  })

  test("is kept where the object is another", async () => {
    await using site = await openSite()
    const snapshot = await killed(site)
    await site.store.put(address, noise(3), { settings: { metadata: {} } })
    await snapshot.putBack(/jsonl$/)
    expect(await putTree(site)).toMatchObject({ skipped: 1 })
    expect(await snapshot.names()).toEqual([expect.stringMatching(/\.jsonl$/)])
  })

  test("is left alone while somebody is at it", async () => {
    await using site = await openSite()
    const snapshot = await killed(site)
    await snapshot.putBack(/jsonl$/)
    const [journal = ""] = await snapshot.names()
    const lock = join(site.directory, "state/uploads", journal.replace("jsonl", "lock"))
    await using _ = await acquireLock(lock, "it", site.context().random)
    expect(await putTree(site)).toMatchObject({ skipped: 1, failed: [] })
    expect(await snapshot.names()).toHaveLength(2)
  })
})

describe("a download that was done when its process was killed", () => {
  async function killed(site: Site): Promise<Snapshot> {
    await putTree(site)
    const snapshot = new Snapshot(site, "downloads")
    await mkdir(join(site.directory, "back"))
    await downloadFile(
      site.context({
        onProgress: ({ type }) => {
          if (type === "started") snapshot.take()
        },
      }),
      { address, target: join(site.directory, "back/large"), windowBytes: PART, concurrency: 1 },
    )
    return snapshot
  }

  const getTree = (site: Site, existing: "skip" | "fail" = "skip") =>
    downloadTree(site.context(), {
      bucket: "vault",
      prefix: "backup/",
      target: join(site.directory, "back"),
      existing,
    })

  test.each([
    ["skip", { done: 0, skipped: 1, failed: [] }],
    ["fail", { done: 0, skipped: 0, failed: [expect.anything()] }],
  ] as const)("leaves nothing that leaving the file alone would keep (%s)", async (existing, result) => {
    await using site = await openSite()
    const snapshot = await killed(site)
    await snapshot.putBack()
    expect(await snapshot.names()).toHaveLength(2)
    expect(await getTree(site, existing)).toMatchObject(result)
    expect(await snapshot.names()).toEqual([])
  })

  test("is kept while there is a file to go on with", async () => {
    await using site = await openSite()
    const snapshot = await killed(site)
    await snapshot.putBack(/jsonl$/)
    const [name = ""] = await snapshot.names()
    const [head = ""] = (await readFile(join(site.directory, "state/downloads", name), "utf8")).split("\n")
    const { path } = JSON.parse(head).temporary
    await writeFile(path, "half")
    expect(await getTree(site)).toMatchObject({ skipped: 1 })
    expect(await snapshot.names()).toEqual([name])
    await rm(path)
  })
})
