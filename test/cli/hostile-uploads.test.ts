import { readdir, readFile, writeFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { DeniedError } from "../../src/errors.ts"
import type { ListedPart } from "../../src/store/store.ts"
import { faulty } from "../support/faults.ts"
import type { MemoryStore } from "../support/memory-store.ts"
import { openCliSite } from "./cli-site.ts"

// An upload is resumed with what the store says it has. Whatever it says: the object is whole, or there is an error.

const PART = 16 * 1024
const CONTENT = Buffer.alloc(10 * PART + 77, "the parts of an upload;")
const PUT = [
  "put",
  "a.bin",
  "s3://vault/a.bin",
  "--part-size",
  "16KiB",
  "--chunk-size",
  "4KiB",
  "--no-progress",
]

async function interrupted() {
  const site = await openCliSite({ limits: { minPartBytes: 4096 } })
  await writeFile(site.home.path("a.bin"), CONTENT)
  const error = new DeniedError("stopped by the test")
  const store = faulty(site.store, { operation: "uploadPart", call: 6, moment: "before", error })
  expect((await site.run(PUT, { store })).status).toBe(7)
  return site
}

function listing(store: MemoryStore, list: (parts: ListedPart[]) => Iterable<ListedPart>): MemoryStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === "listParts") {
        return async function* (...given: Parameters<MemoryStore["listParts"]>) {
          const parts: ListedPart[] = []
          for await (const part of target.listParts(...given)) parts.push(part)
          yield* list(parts)
        }
      }
      const member: unknown = Reflect.get(target, name)
      return typeof member === "function" ? member.bind(target) : member
    },
  })
}

const lies: [string, (parts: ListedPart[]) => Iterable<ListedPart>][] = [
  ["that it has nothing", () => []],
  ["that it has every part", (parts) => numbered(11, parts)],
  ["that it has parts that there cannot be", (parts) => [...parts, ...numbered(5000, parts).slice(11)]],
  ["that parts are of other bytes", (parts) => parts.map((part) => ({ ...part, etag: "0".repeat(32) }))],
  ["that parts are of another length", (parts) => parts.map((part) => ({ ...part, bytes: part.bytes + 1 }))],
  [
    "that parts are in each other's place",
    (parts) => parts.map((part, at) => ({ ...part, etag: parts.at(-1 - at)?.etag ?? "" })),
  ],
  [
    "that parts have no ETag and no length",
    (parts) => parts.map((part) => ({ ...part, etag: "", bytes: Number.NaN })),
  ],
  [
    "nonsense",
    () => [{ partNumber: Number.NaN, etag: "", bytes: -1, checksum: undefined, lastModified: undefined }],
  ],
]

test.each(lies)("a store that says %s", async (_, list) => {
  const site = await interrupted()
  const { status, stderr } = await site.run(PUT, {
    store: listing(site.store, list),
    delay: async () => undefined,
  })
  expect([0, 4, 8], stderr).toContain(status)
  expect(stderr).not.toContain("this is a bug")
  if (status !== 0) expect((await site.run(PUT)).status).toBe(0)
  await site.succeed(["get", "s3://vault/a.bin", "back"])
  expect((await readFile(site.home.path("back"))).equals(CONTENT)).toBe(true)
  expect(await readdir(site.home.path("state/s3ep/uploads"))).toEqual([])
  expect(site.store.uploads.size).toBe(0)
})

test("a store that swaps the parts of an upload makes no object that can be read", async () => {
  const site = await interrupted()
  for (const upload of site.store.uploads.values()) {
    const [first, second] = [upload.parts.get(1), upload.parts.get(2)]
    if (!first || !second) throw new Error("two parts were sent")
    upload.parts.set(1, { ...first, data: second.data })
    upload.parts.set(2, { ...second, data: first.data })
  }
  await site.succeed(PUT) // nobody but a reader can see it
  for (const argv of [
    ["get", "s3://vault/a.bin", "back"],
    ["verify", "s3://vault/a.bin"],
  ]) {
    expect((await site.run(argv)).status).toBe(4)
  }
  expect(await readdir(site.home.directory)).not.toContain("back")
})

function numbered(count: number, parts: readonly ListedPart[]): ListedPart[] {
  return Array.from({ length: count }, (_, at) => {
    const like = parts[at] ?? parts[0]
    return { etag: "", bytes: 0, checksum: undefined, lastModified: undefined, ...like, partNumber: at + 1 }
  })
}
