import { appendFile, readFile, writeFile } from "node:fs/promises"
import { beforeEach, describe, expect, test } from "vitest"
import { fromUserMetadata } from "../../../src/envelope/metadata.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import type { TransferContext } from "../../../src/transfer/context.ts"
import { journalId, journalPath } from "../../../src/transfer/journal.ts"
import { encodeLine } from "../../../src/transfer/journal-lines.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import type { UploadRequest } from "../../../src/transfer/upload-request.ts"
import { faulty } from "../../support/faults.ts"
import { callsOf, keysOf, newKek, noise, opened, openSite, PART, type Site, thrown } from "./upload-site.ts"

const content = noise(5 * PART + 100)
const PARTS = 6
let site: Site
let path: string
beforeEach(async () => {
  site = await openSite()
  path = await site.file("a.bin", content)
  return () => site[Symbol.asyncDispose]()
})

/** Upload until part 4 fails. @returns the numbers of the parts that were sent. */
async function interrupted(over: Partial<UploadRequest> = {}): Promise<number[]> {
  const store = faulty(site.store, { call: 4, operation: "uploadPart", moment: "before" })
  await thrown(uploadFile(site.context({ store }), site.request(path, { concurrency: 1, ...over })))
  return sentParts()
}

function sentParts(): number[] {
  return callsOf(site.store, "uploadPart").flatMap(({ partNumber }) => partNumber ?? [])
}

function journal(): string {
  return journalPath(site.context().stateDirectory, journalId("memory:", { bucket: "vault", key: "a.bin" }))
}

/** Some services make ETags of nothing that we know. */
function withOpaqueEtags(): void {
  for (const { parts } of site.store.uploads.values()) {
    for (const [number, part] of parts) parts.set(number, { ...part, etag: `opaque-${number}` })
  }
}

function wrappedDek(): string | undefined {
  const [upload] = site.store.uploads.values()
  return fromUserMetadata(upload?.settings.metadata ?? {})?.recipients[0]?.ct
}

async function finish(over: Partial<UploadRequest> = {}, context: Partial<TransferContext> = {}) {
  return uploadFile(site.context(context), site.request(path, over))
}

/** The object is whole, and nothing else is left. */
async function expectWhole(expected = content): Promise<void> {
  expect(await opened(site.store, site.kek)).toEqual(expected)
  expect(site.store.uploads.size).toBe(0)
  expect(await readFile(journal()).catch(() => null)).toBeNull()
}

test("the next run sends what is missing, under the same DEK", async () => {
  expect(await interrupted()).toEqual([1, 2, 3])
  const dek = wrappedDek()
  expect(await finish()).toMatchObject({ parts: PARTS, resumedParts: 3 })
  expect(sentParts().toSorted()).toEqual([1, 2, 3, 4, 5, 6])
  expect(fromUserMetadata(site.store.settings("a.bin").metadata)?.recipients[0]?.ct).toBe(dek)
  expect(site.events).toContainEqual(expect.objectContaining({ type: "started", doneBytes: 3 * PART }))
  await expectWhole()
})

describe("it starts over, under a new DEK and with a notice,", () => {
  test.each<[string, () => Promise<Partial<UploadRequest>>, string]>([
    [
      "when the file changed",
      async () => {
        await writeFile(path, noise(content.length, 9))
        return {}
      },
      "not the file it began with",
    ],
    [
      "when the journal is damaged",
      async () => {
        const text = await readFile(journal(), "utf8")
        await writeFile(journal(), text.replace('"part":2', '"part":3'))
        return {}
      },
      "line",
    ],
    [
      "when other settings are asked for",
      async () => ({ settings: { metadata: {}, storageClass: "GLACIER" } }),
      "settings",
    ],
    ["when another part size is asked for", async () => ({ partBytes: 2 * PART }), "size"],
    ["when another checksum is asked for", async () => ({ checksum: "sha256" as const }), "checksums"],
    ["when it is not to be resumed", async () => ({ resume: false }), "resumed"],
    [
      "when the store does not know it any more",
      async () => {
        site.store.loseUploads()
        return {}
      },
      "does not know",
    ],
  ])("%s", async (_, change, notice) => {
    await interrupted()
    const dek = wrappedDek()
    const request = await change()
    expect(await finish(request)).toMatchObject({ resumedParts: 0 })
    expect(fromUserMetadata(site.store.settings("a.bin").metadata)?.recipients[0]?.ct).not.toBe(dek)
    expect(site.notices()).toEqual([expect.stringContaining(notice)])
    await expectWhole(new Uint8Array(await readFile(path)))
  })

  test("when it is to be encrypted to another key", async () => {
    await interrupted()
    const other = newKek("other")
    const keys = { ...keysOf(site.kek, other), writers: [other] }
    expect(await finish({}, { keys })).toMatchObject({ resumedParts: 0, kek: [other.id] })
  })

  test("and in one request, when the file has become small", async () => {
    await interrupted()
    await writeFile(path, noise(10))
    expect(await finish()).toMatchObject({ parts: 1, bytes: 10 })
    await expectWhole(noise(10))
  })
})

test("without the key it began with nothing is done, and nothing lost", async () => {
  await interrupted()
  const before = await readFile(journal(), "utf8")
  const keys = { ...keysOf(site.kek), readers: [] }
  const error = await thrown(finish({}, { keys }))
  expect(error).toMatchObject({ code: "S3EP_KEY", hint: expect.stringContaining("mp-upload abort") })
  expect(await readFile(journal(), "utf8")).toBe(before)
  await finish()
  await expectWhole()
})

test("what a newer s3ep began is refused and left alone", async () => {
  await interrupted()
  const newer = encodeLine({ v: 9, kind: "upload" })
  await writeFile(journal(), newer)
  expect(await thrown(finish())).toMatchObject({ code: "S3EP_USAGE" })
  expect(await readFile(journal(), "utf8")).toBe(newer)
})

test("while a process is at it, another one is refused", async () => {
  const attempts: Promise<unknown>[] = []
  const store: ObjectStore = {
    ...faulty(site.store, { call: 0, moment: "before" }),
    uploadPart: async (...args) => {
      if (attempts.length === 0) attempts.push(thrown(finish()))
      await attempts[0]
      return site.store.uploadPart(...args)
    },
  }
  await finish({}, { store })
  expect(await attempts[0]).toMatchObject({
    code: "S3EP_PRECONDITION",
    message: expect.stringContaining(`${process.pid}`),
  })
  await expectWhole()
})

describe("ListParts is believed, not the journal", () => {
  test.each<[string, (parts: Map<number, { etag: string; bytes: number }>) => void]>([
    ["does not have any more", (parts) => parts.delete(2)],
    [
      "has otherwise",
      (parts) => {
        const part = parts.get(2)
        if (part) parts.set(2, { ...part, etag: "another" })
      },
    ],
  ])("a part the store %s is sent again", async (_, change) => {
    await interrupted()
    for (const upload of site.store.uploads.values()) change(upload.parts)
    expect(await finish()).toMatchObject({ resumedParts: 2 })
    expect(sentParts().toSorted()).toEqual([1, 2, 2, 3, 4, 5, 6])
    await expectWhole()
  })

  test.each(["crc32", "none"] as const)(
    "a part the journal missed is kept (checksum: %s)",
    async (checksum) => {
      const store = faulty(site.store, { call: 4, operation: "uploadPart", moment: "after" })
      await thrown(finish({ concurrency: 1, checksum }, { store }))
      expect(await finish({ checksum })).toMatchObject({ resumedParts: 4 })
      expect(sentParts().toSorted()).toEqual([1, 2, 3, 4, 5, 6])
      await expectWhole()
    },
  )

  test.each(["crc32", "none"] as const)(
    "and so is one that a second run sent (checksum: %s)",
    async (checksum) => {
      await interrupted({ checksum })
      const store = faulty(site.store, { call: 2, operation: "uploadPart", moment: "after" })
      await thrown(finish({ concurrency: 1, checksum }, { store }))
      expect(await finish({ checksum })).toMatchObject({ resumedParts: 5 })
      await expectWhole()
    },
  )

  test("but not one of which the journal had lost the first attempt", async () => {
    const lost = () => faulty(site.store, { call: 1, operation: "uploadPart", moment: "after" })
    await thrown(finish({ checksum: "none", concurrency: 1 }, { store: lost() }))
    const [head] = (await readFile(journal(), "utf8")).split("\n")
    await writeFile(journal(), `${head}\n`)
    await thrown(finish({ checksum: "none", concurrency: 1 }, { store: lost() }))
    withOpaqueEtags()
    expect(await finish({ checksum: "none" })).toMatchObject({ resumedParts: 0 })
    await expectWhole()
  })

  test("a part is kept if its checksum says which of two attempts it is", async () => {
    await interrupted({ checksum: "crc32" })
    const stuck = faulty(site.store, { call: 2, operation: "uploadPart", moment: "before" })
    await thrown(finish({ concurrency: 1, checksum: "crc32" }, { store: stuck }))
    const lost = faulty(site.store, { call: 2, operation: "uploadPart", moment: "after" })
    await thrown(finish({ concurrency: 1, checksum: "crc32" }, { store: lost }))
    const sent = sentParts().length
    expect(await finish({ checksum: "crc32" })).toMatchObject({ parts: PARTS })
    expect(sentParts().slice(sent)).not.toContain(sentParts()[sent - 1])
    await expectWhole()
  })

  test.each([
    ["is kept if its ETag says which", "of MD5", 1],
    ["is sent again if its ETag says nothing", "opaque", 0],
  ])("without a checksum, a part of either of two attempts %s", async (_, etags, resumedParts) => {
    const failing = (moment: "before" | "after") =>
      faulty(site.store, { call: 1, operation: "uploadPart", moment })
    await thrown(finish({ checksum: "none", concurrency: 1 }, { store: failing("before") }))
    await thrown(finish({ checksum: "none", concurrency: 1 }, { store: failing("after") }))
    if (etags === "opaque") withOpaqueEtags()
    expect(await finish({ checksum: "none" })).toMatchObject({ resumedParts })
    await expectWhole()
  })

  test("a last part whose seal names another attempt is sealed and sent again", async () => {
    const never = faulty(site.store, { operation: "completeUpload", moment: "before" })
    await thrown(finish({}, { store: never }))
    for (const upload of site.store.uploads.values()) upload.parts.delete(1)
    // Dies after part 1 was sent again, and before the last one was.
    const dying = faulty(site.store, { call: 2, operation: "uploadPart", moment: "before" })
    await thrown(finish({}, { store: dying }))
    expect(await finish()).toMatchObject({ parts: PARTS, resumedParts: PARTS - 1 })
    expect(sentParts().toSorted()).toEqual([1, 1, 2, 3, 4, 5, 6, 6])
    expect(sentParts().slice(PARTS)).toEqual([1, 6])
    await expectWhole()
  })
})

test("a file that changes while it is read is not stored", async () => {
  const store: ObjectStore = {
    ...faulty(site.store, { call: 0, moment: "before" }),
    uploadPart: async (...args) => {
      await appendFile(path, "x")
      return site.store.uploadPart(...args)
    },
  }
  expect(await thrown(finish({}, { store }))).toMatchObject({ code: "S3EP_PRECONDITION" })
  expect(site.store.uploads.size).toBe(0)
  expect(await readFile(journal()).catch(() => null)).toBeNull()
})

test("a journal cut at any byte ends in the right object all the same", async () => {
  await interrupted()
  const [id, upload] = [...site.store.uploads][0] ?? []
  const text = await readFile(journal())
  const step = Math.max(1, Math.floor(text.length / 40))
  for (let length = 0; length <= text.length; length += step) {
    site.store.uploads.clear()
    if (id && upload) site.store.uploads.set(id, { ...upload, parts: new Map(upload.parts) })
    await writeFile(journal(), text.subarray(0, length))
    await finish()
    expect(await opened(site.store, site.kek)).toEqual(content)
  }
})

test("an interruption keeps everything, and its reason is what is thrown", async () => {
  const interrupt = new AbortController()
  const reason = new Error("stop")
  const store: ObjectStore = {
    ...faulty(site.store, { call: 0, moment: "before" }),
    uploadPart: async (...args) => {
      if (args[2] === 3) interrupt.abort(reason)
      return site.store.uploadPart(...args)
    },
  }
  const error = await thrown(finish({ concurrency: 2 }, { store, signal: interrupt.signal }))
  expect(error).toBe(reason)
  expect(callsOf(site.store, "abortUpload")).toEqual([])
  expect(site.store.uploads.size).toBe(1)
  const told = site.events.flatMap((event) => (event.type === "advanced" ? [event.bytes] : []))
  const result = await finish()
  expect(told.reduce((sum, bytes) => sum + bytes, 0)).toBe(result.resumedParts * PART)
  await expectWhole()
})
