import { rmSync } from "node:fs"
import { mkdir, symlink } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { UnavailableError } from "../../../src/errors.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { type UploadTreeItem, type UploadTreeRequest, uploadTree } from "../../../src/transfer/upload-tree.ts"
import { faulty } from "../../support/faults.ts"
import { CHUNK, callsOf, noise, opened, openSite, PART, type Site, thrown } from "./upload-site.ts"

async function treeOf(site: Site): Promise<UploadTreeRequest> {
  await mkdir(join(site.directory, "tree/sub"), { recursive: true })
  await site.file("tree/a", noise(10, 2))
  await site.file("tree/sub/b", noise(3 * PART, 3))
  await site.file("tree/sub.txt", noise(0))
  const root = join(site.directory, "tree")
  return {
    root,
    bucket: "vault",
    prefix: "backup",
    settings: { metadata: {} },
    partBytes: PART,
    chunkBytes: CHUNK,
  }
}

test("every file of a tree gets a key below the prefix", async () => {
  await using site = await openSite()
  const items: UploadTreeItem[] = []
  const request = { ...(await treeOf(site)), onItem: (item: UploadTreeItem) => items.push(item) }
  expect(await uploadTree(site.context(), request)).toEqual({
    done: 3,
    skipped: 0,
    failed: [],
    bytes: 10 + 3 * PART,
  })
  expect(items.map((item) => item.address.key).toSorted()).toEqual([
    "backup/a",
    "backup/sub.txt",
    "backup/sub/b",
  ])
  expect(await opened(site.store, site.kek, "backup/sub/b")).toEqual(noise(3 * PART, 3))
  expect(await opened(site.store, site.kek, "backup/sub.txt")).toEqual(noise(0))
})

test("one failure does not stop the rest", async () => {
  await using site = await openSite()
  const request = await treeOf(site)
  const inner = faulty(site.store, { call: 0, moment: "before" })
  const store: ObjectStore = {
    ...inner,
    put: async (address, body, options) => {
      if (address.key === "backup/a") throw new UnavailableError("no answer", { transient: "network" })
      return inner.put(address, body, options)
    },
  }
  const result = await uploadTree(site.context({ store }), request)
  expect(result).toMatchObject({ done: 2, failed: [{ item: join(request.root, "a") }] })
})

test.each([false, true])(
  "a file that vanished since it was found is its failure (dry run: %s)",
  async (dryRun) => {
    await using site = await openSite()
    const request = { ...(await treeOf(site)), concurrency: 1, dryRun }
    const vanishing = join(request.root, "sub.txt")
    const onItem = () => rmSync(vanishing, { force: true })
    const result = await uploadTree(site.context(), { ...request, onItem })
    expect(result).toMatchObject({ done: 2, failed: [{ item: vanishing }] })
    expect(result.failed[0]?.error.message).toBe(`cannot read ${vanishing}: no such file or directory`)
  },
)

test("what is stored already is skipped, by one listing", async () => {
  await using site = await openSite()
  const request = { ...(await treeOf(site)), skipExisting: true }
  await uploadTree(site.context(), { ...request, include: ["b", "sub.txt"] })
  const heads = callsOf(site.store, "head").length
  expect(await uploadTree(site.context(), request)).toMatchObject({ done: 1, skipped: 2, bytes: 10 })
  expect(callsOf(site.store, "list")).toHaveLength(2)
  expect(callsOf(site.store, "head")).toHaveLength(heads)
})

test("a dry run says what it would put and puts nothing", async () => {
  await using site = await openSite()
  const result = await uploadTree(site.context(), { ...(await treeOf(site)), dryRun: true })
  expect(result).toMatchObject({ done: 3, bytes: 10 + 3 * PART })
  expect(site.store.calls).toEqual([])
})

test("links are left out with a notice, and counted", async () => {
  await using site = await openSite()
  const request = await treeOf(site)
  await symlink("a", join(request.root, "link"))
  expect(await uploadTree(site.context(), request)).toMatchObject({ done: 3, skipped: 1 })
  expect(site.notices()).toEqual([expect.stringContaining("link is left out")])
})

test("a key too long for the store is that file's failure", async () => {
  await using site = await openSite()
  const request = { ...(await treeOf(site)), prefix: "p".repeat(1020) }
  expect((await uploadTree(site.context(), request)).failed).toHaveLength(2)
})

test("a missing bucket is one failure", async () => {
  await using site = await openSite()
  const request = { ...(await treeOf(site)), bucket: "none" }
  expect(await thrown(uploadTree(site.context(), request))).toMatchObject({ what: "bucket" })
})

test("an interruption stops the tree with its reason", async () => {
  await using site = await openSite()
  const interrupt = new AbortController()
  const request = {
    ...(await treeOf(site)),
    concurrency: 1,
    onItem: () => interrupt.abort(new Error("stop")),
  }
  const error = await thrown(uploadTree(site.context({ signal: interrupt.signal }), request))
  expect(error).toMatchObject({ message: "stop" })
  expect(callsOf(site.store, "put")).toHaveLength(1)
})
