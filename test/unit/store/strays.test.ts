import { describe, expect, test } from "vitest"
import { DeniedError, UnavailableError } from "../../../src/errors.ts"
import type { ListedUpload, ObjectStore } from "../../../src/store/store.ts"
import { abortStrays, mayHaveActed } from "../../../src/store/strays.ts"
import { faulty } from "../../support/faults.ts"
import { MemoryStore } from "../../support/memory-store.ts"

const address = { bucket: "vault", key: "a" }
const settings = { metadata: {} }
/** The service's clock is hours ahead of ours. */
const SKEW = 5 * 3_600_000

/** Makes uploads at moments of our clock, and knows which are left. */
function openSite() {
  let now = 0
  const memory = new MemoryStore({ now: () => new Date(now + SKEW) })
  const begin = async (at: number, key = "a") => {
    now = at
    return memory.createUpload({ bucket: "vault", key }, { settings })
  }
  const part = (uploadId: string) =>
    memory.uploadPart(address, uploadId, 1, new Uint8Array(10), { checksum: "none" })
  return { memory, begin, part, left: () => [...memory.uploads.keys()] }
}

describe("what a request without an answer left", () => {
  test("is aborted, each of several, whatever the service's clock says", async () => {
    const { memory, begin, left } = openSite()
    await begin(1_000)
    await begin(1_000_000)
    const own = { uploadId: await begin(90_000_000), sentAt: 90_000_000 }
    await abortStrays(memory, address, own, [1_000, 1_000_000], {})
    expect(left()).toEqual([own.uploadId])
  })

  test("may be nothing, or gone by now", async () => {
    const { memory, begin, left } = openSite()
    const stray = await begin(1_000)
    const own = { uploadId: await begin(2_000), sentAt: 2_000 }
    const store = withStore(memory, {
      abortUpload: async (...args) => {
        memory.uploads.delete(stray)
        return memory.abortUpload(...args)
      },
    })
    await abortStrays(store, address, own, [1_000], {})
    await abortStrays(memory, address, own, [1_000], {})
    expect(left()).toEqual([own.uploadId])
  })
})

describe("an upload of somebody else is left alone", () => {
  test.each([
    ["of another key with the same beginning", 1_000, "ab"],
    ["begun long before", 1_000 - 61_000, "a"],
    ["begun long after", 1_000 + 61_000, "a"],
    ["begun after our own", 90_000_001, "a"],
  ])("%s", async (_, at, key) => {
    const { memory, begin, left } = openSite()
    const other = at > 90_000_000 ? undefined : await begin(at, key)
    const own = { uploadId: await begin(90_000_000), sentAt: 90_000_000 }
    const later = other ?? (await begin(at, key))
    await abortStrays(memory, address, own, [1_000, 89_999_000], {})
    expect(left()).toContain(later)
  })

  test("that has a part", async () => {
    const { memory, begin, part, left } = openSite()
    const other = await begin(1_000)
    await part(other)
    const own = { uploadId: await begin(2_000), sentAt: 2_000 }
    await abortStrays(memory, address, own, [1_000], {})
    expect(left()).toEqual([other, own.uploadId])
  })

  test("of another initiator", async () => {
    const { memory, begin, left } = openSite()
    const other = await begin(1_000)
    const own = { uploadId: await begin(2_000), sentAt: 2_000 }
    const store = listing(memory, (upload) => ({
      ...upload,
      initiator: upload.uploadId === other ? "somebody" : "me",
    }))
    await abortStrays(store, address, own, [1_000], {})
    expect(left()).toEqual([other, own.uploadId])
  })

  test("where it cannot be told from ours: both stay", async () => {
    const { memory, begin, left } = openSite()
    await begin(1_000)
    await begin(1_001)
    const own = { uploadId: await begin(2_000), sentAt: 2_000 }
    await abortStrays(memory, address, own, [1_000], {})
    expect(left()).toHaveLength(3)
  })

  test("where the service does not say when they were begun", async () => {
    const { memory, begin, left } = openSite()
    await begin(1_000)
    const own = { uploadId: await begin(2_000), sentAt: 2_000 }
    for (const silent of ["own", "other"]) {
      const store = listing(memory, (upload) =>
        (upload.uploadId === own.uploadId) === (silent === "own")
          ? { ...upload, initiated: undefined }
          : upload,
      )
      await abortStrays(store, address, own, [1_000], {})
    }
    expect(left()).toHaveLength(2)
  })

  test("where our own is not listed to compare with", async () => {
    const { memory, begin, left } = openSite()
    await begin(1_000)
    await abortStrays(memory, address, { uploadId: "gone", sentAt: 2_000 }, [1_000], {})
    expect(left()).toHaveLength(1)
  })
})

test.each([
  [new UnavailableError("reset", { transient: "network" }), true],
  [new UnavailableError("500", { transient: "server" }), true],
  [new TypeError("a bug"), true],
  [new UnavailableError("slow down", { transient: "throttled" }), true],
  [new UnavailableError("expired", { transient: "credentials" }), false],
  [new DeniedError("no"), false],
])("whether %s leaves open what became of the request: %s", (error, open) => {
  expect(mayHaveActed(error)).toBe(open)
})

function withStore(memory: MemoryStore, changes: Partial<ObjectStore>): ObjectStore {
  return { ...faulty(memory, { call: 0, moment: "before" }), ...changes }
}

function listing(memory: MemoryStore, change: (upload: ListedUpload) => ListedUpload): ObjectStore {
  return withStore(memory, {
    async *listUploads() {
      for await (const upload of memory.listUploads("vault")) yield change(upload)
    },
  })
}
