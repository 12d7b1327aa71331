import { rmSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { dirname, join } from "node:path"
import { afterEach, describe, expect, test, vi } from "vitest"
import { InterruptedError, LocalIoError } from "../../../src/errors.ts"
import * as files from "../../../src/files/sync-directory.ts"
import { DirectorySyncs } from "../../../src/transfer/directory-syncs.ts"
import { downloadFile } from "../../../src/transfer/download.ts"
import { downloadTree } from "../../../src/transfer/download-tree.ts"
import { makeSite, plaintextOf, putSealed, type Site } from "./download-fixture.ts"

vi.mock("../../../src/files/sync-directory.ts", { spy: true })

afterEach(() => void vi.mocked(files.syncDirectory).mockReset())

const synced = () => vi.mocked(files.syncDirectory).mock.calls.map(([path]) => path)
const failing = (where: string) =>
  vi.mocked(files.syncDirectory).mockImplementation(async (path) => {
    if (path === where) throw Object.assign(new Error("by the test"), { code: "EIO" })
  })

describe("directories", () => {
  test("are synced once for all their names, and again for those that come later", async () => {
    const site = await makeSite()
    const syncs = new DirectorySyncs()
    for (let name = 0; name < 1000; name++) await syncs.add(site.targets)
    await syncs.add(site.directory)
    expect(synced()).toEqual([])
    await syncs.flush()
    expect(synced()).toEqual([site.targets, site.directory])
    await syncs.flush()
    expect(synced()).toHaveLength(2)
    await syncs.add(site.targets)
    await syncs.flush()
    expect(synced()).toHaveLength(3)
  })

  test("do not wait in any number", async () => {
    const site = await makeSite()
    const syncs = new DirectorySyncs()
    const paths = Array.from({ length: 300 }, (_, at) => join(site.targets, String(at)))
    for (const path of paths) {
      await mkdir(path)
      await syncs.add(path)
    }
    expect(synced()).toHaveLength(256)
    await syncs.flush()
    expect(synced()).toEqual(paths)
  })

  test("that fail once are never said to be on the disk", async () => {
    const syncs = new DirectorySyncs()
    failing("/b")
    for (const path of ["/a", "/b", "/c"]) await syncs.add(path)
    await expect(syncs.flush()).rejects.toThrow("cannot write /b: the device failed")
    expect(synced()).toEqual(["/a", "/b", "/c"])
    await expect(syncs.flush()).rejects.toThrow(LocalIoError)
  })
})

describe("a tree", () => {
  const names = ["a/1", "a/2", "a/3", "b/1", "b/c/1", "b/c/2", "top"]

  async function makeTree(): Promise<Site> {
    const site = await makeSite()
    for (const name of names) await putSealed(site.store, name, plaintextOf(100, name))
    return site
  }

  const inTargets = (site: Site) => synced().filter((path) => path.startsWith(site.targets))

  test("syncs each directory once, when all files are there", async () => {
    const site = await makeTree()
    const done: string[] = []
    await downloadTree(site.context, {
      bucket: "vault",
      prefix: "",
      target: site.targets,
      onItem: ({ address }) => {
        expect(inTargets(site)).toEqual([])
        done.push(address.key)
      },
    })
    expect(done.sort()).toEqual(names)
    const directories = new Set(names.map((name) => join(site.targets, dirname(name))))
    expect(inTargets(site).sort()).toEqual([...directories].sort())
  })

  test("is not done if one of them cannot be", async () => {
    const site = await makeTree()
    failing(join(site.targets, "b"))
    await expect(
      downloadTree(site.context, { bucket: "vault", prefix: "", target: site.targets }),
    ).rejects.toThrow(LocalIoError)
  })

  test("is not done if one of them is gone", async () => {
    const site = await makeTree()
    const target = join(site.targets, "new")
    const tree = downloadTree(site.context, {
      bucket: "vault",
      prefix: "b/c",
      target,
      concurrency: 1,
      onItem: ({ address }) => {
        if (address.key === "b/c/2") rmSync(target, { recursive: true })
      },
    })
    await expect(tree).rejects.toThrow(/cannot write .*new: no such file or directory/)
  })

  test("that is interrupted syncs what it has", async () => {
    const site = await makeTree()
    const interrupt = new AbortController()
    const tree = downloadTree(site.with({ signal: interrupt.signal }), {
      bucket: "vault",
      prefix: "",
      target: site.targets,
      concurrency: 1,
      onItem: ({ address }) => {
        if (address.key === "a/2") interrupt.abort(new InterruptedError("SIGINT"))
      },
    })
    await expect(tree).rejects.toThrow(InterruptedError)
    expect(inTargets(site)).toContain(join(site.targets, "a"))
    expect(inTargets(site)).not.toContain(join(site.targets, "b"))
  })
})

test("a file by itself is synced at once", async () => {
  const site = await makeSite()
  await putSealed(site.store, "a", plaintextOf(100))
  failing(site.targets)
  const address = { bucket: "vault", key: "a" }
  await expect(downloadFile(site.context, { address, target: site.target })).rejects.toThrow(LocalIoError)
  expect(synced()).toContain(site.targets)
})
