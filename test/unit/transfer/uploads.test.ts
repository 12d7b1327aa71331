import { utimes, writeFile } from "node:fs/promises"
import { beforeEach, describe, expect, test } from "vitest"
import { DeniedError } from "../../../src/errors.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { journalId, journalPath } from "../../../src/transfer/journal.ts"
import { encodeLine } from "../../../src/transfer/journal-lines.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { abortUpload, cleanUploads, listUploads, resumeUpload } from "../../../src/transfer/uploads.ts"
import { faulty } from "../../support/faults.ts"
import { keysOf, newKek, noise, opened, openSite, PART, type Site, thrown } from "./upload-site.ts"

const DAY = 24 * 60 * 60 * 1000
const now = Date.UTC(2026, 2, 1)
const content = noise(4 * PART)
const id = journalId("memory:", { bucket: "vault", key: "a.bin" })
let site: Site
let path: string
beforeEach(async () => {
  site = await openSite({ now: () => new Date(now - 10 * DAY) })
  path = await site.file("a.bin", content)
  return () => site[Symbol.asyncDispose]()
})

/** Leave an upload with two parts of four, ten days old. */
async function interrupted(): Promise<void> {
  const store = faulty(site.store, { call: 3, operation: "uploadPart", moment: "before" })
  await thrown(uploadFile(site.context({ store }), site.request(path, { concurrency: 1 })))
  await utimes(
    journalPath(site.context().stateDirectory, id),
    (now - 10 * DAY) / 1000,
    (now - 10 * DAY) / 1000,
  )
}

/** Leave an upload that only the store knows. */
async function foreign(): Promise<string> {
  const address = { bucket: "vault", key: "other" }
  const uploadId = await site.store.createUpload(address, { settings: { metadata: {} } })
  await site.store.uploadPart(address, uploadId, 1, noise(1000), {})
  return uploadId
}

describe("the list", () => {
  test("has journals with their progress, and what only the store knows with its bytes", async () => {
    await interrupted()
    const uploadId = await foreign()
    const [own, other, ...more] = await listUploads(site.context())
    expect(own).toMatchObject({
      id,
      address: { bucket: "vault", key: "a.bin" },
      lastActive: new Date(now - 10 * DAY),
      local: {
        path,
        state: "resumable",
        plaintextBytes: 4 * PART,
        doneBytes: 2 * PART,
        parts: 4,
        doneParts: 2,
      },
      remote: { parts: 2 },
    })
    expect(own?.remote?.bytes).toBe(own?.local?.storedBytes)
    expect(other).toMatchObject({ id: uploadId, local: null, remote: { bytes: 1000, parts: 1 } })
    expect(more).toEqual([])
  })

  test("asks no store when no bucket is to be asked, and is empty at first", async () => {
    expect(await listUploads(site.context())).toEqual([])
    await interrupted()
    const before = site.store.calls.length
    expect(await listUploads(site.context(), { buckets: [] })).toHaveLength(1)
    expect(site.store.calls).toHaveLength(before)
  })

  test("does without a bucket nobody named that may not be asked", async () => {
    await interrupted()
    const store = faulty(site.store, {
      operation: "listUploads",
      moment: "before",
      error: new DeniedError("no"),
    })
    expect(await listUploads(site.context({ store }))).toMatchObject([{ id, remote: null }])
    expect(site.notices()).toHaveLength(1)
    expect(await thrown(listUploads(site.context({ store }), { buckets: ["vault"] }))).toBeInstanceOf(
      DeniedError,
    )
  })

  test("has damaged journals, and those of a newer s3ep", async () => {
    await interrupted()
    const journal = journalPath(site.context().stateDirectory, id)
    await writeFile(journal, "x\n")
    expect(await listUploads(site.context())).toMatchObject([
      { id, address: null, local: { state: "damaged" } },
    ])
    await writeFile(journal, encodeLine({ v: 2 }))
    expect(await listUploads(site.context())).toMatchObject([
      { id, address: null, local: { state: "newer" } },
    ])
  })

  test("says of which a process is at it", async () => {
    let seen: unknown
    const store: ObjectStore = {
      ...faulty(site.store, { call: 0, moment: "before" }),
      uploadPart: async (...args) => {
        seen ??= await listUploads(site.context())
        return site.store.uploadPart(...args)
      },
    }
    await uploadFile(site.context({ store }), site.request(path))
    expect(seen).toMatchObject([{ id, local: { state: "running" } }])
  })
})

describe("resuming by id", () => {
  test("goes on as the command that began it", async () => {
    await interrupted()
    expect(await resumeUpload(site.context(), id)).toMatchObject({ parts: 4, resumedParts: 2 })
    expect(await opened(site.store, site.kek)).toEqual(content)
  })

  test("keeps the keys it began with, whoever writes now", async () => {
    await interrupted()
    const keys = { ...keysOf(site.kek, newKek("other")), writers: [newKek("third")] }
    expect(await resumeUpload(site.context({ keys }), id)).toMatchObject({
      resumedParts: 2,
      kek: [site.kek.id],
    })
  })

  test("does not start over for other keys", async () => {
    await interrupted()
    await writeFile(path, noise(4 * PART, 5))
    const keys = { ...keysOf(site.kek), writers: [newKek("third")] }
    expect(await thrown(resumeUpload(site.context({ keys }), id))).toMatchObject({
      code: "S3EP_PRECONDITION",
    })
    expect(site.store.uploads.size).toBe(1)
    expect(await resumeUpload(site.context(), id)).toMatchObject({ resumedParts: 0 })
  })

  test("needs a journal, and its endpoint", async () => {
    expect(await thrown(resumeUpload(site.context(), id))).toMatchObject({ what: "upload" })
    await interrupted()
    const store = { ...faulty(site.store, { call: 0, moment: "before" }), endpoint: "elsewhere" }
    const error = await thrown(resumeUpload(site.context({ store }), id))
    expect(error).toMatchObject({ code: "S3EP_USAGE", hint: expect.stringContaining("memory:") })
  })

  test("needs the customer's key again, which is kept nowhere", async () => {
    const key = { bytes: noise(32) }
    const settings = { metadata: {}, encryption: { kind: "sse-c", key } } as const
    const store = faulty(site.store, { call: 3, operation: "uploadPart", moment: "before" })
    await thrown(uploadFile(site.context({ store }), site.request(path, { concurrency: 1, settings })))
    expect(await thrown(resumeUpload(site.context(), id))).toMatchObject({ code: "S3EP_USAGE" })
    expect(await resumeUpload(site.context(), id, { customerKey: key })).toMatchObject({ resumedParts: 2 })
  })
})

describe("aborting", () => {
  test("drops the parts and the journal", async () => {
    await interrupted()
    await abortUpload(site.context(), id)
    expect(site.store.uploads.size).toBe(0)
    expect(await listUploads(site.context())).toEqual([])
    expect(await thrown(abortUpload(site.context(), id))).toMatchObject({ what: "upload" })
  })

  test("works for what is gone, and for what only the store knows", async () => {
    await interrupted()
    site.store.loseUploads()
    await abortUpload(site.context(), id)
    await foreign()
    for (const upload of await listUploads(site.context(), { buckets: ["vault"] })) {
      await abortUpload(site.context(), upload)
    }
    expect(site.store.uploads.size).toBe(0)
  })

  test("is refused while a process is at it", async () => {
    let refused: unknown
    const store: ObjectStore = {
      ...faulty(site.store, { call: 0, moment: "before" }),
      uploadPart: async (...args) => {
        refused ??= await thrown(abortUpload(site.context(), id))
        return site.store.uploadPart(...args)
      },
    }
    await uploadFile(site.context({ store }), site.request(path))
    expect(refused).toMatchObject({ code: "S3EP_PRECONDITION" })
  })
})

describe("cleaning", () => {
  test("gives up what is older, here and there, and says what that frees", async () => {
    await interrupted()
    await foreign()
    const dry = await cleanUploads(site.context(), { olderThanMs: 7 * DAY, dryRun: true })
    expect(dry.removed).toHaveLength(2)
    expect(site.store.uploads.size).toBe(2)
    const held = [...site.store.uploads.values()].flatMap((upload) => [...upload.parts.values()])
    const result = await cleanUploads(site.context(), { olderThanMs: 7 * DAY })
    expect(result.bytes).toBe(held.reduce((sum, part) => sum + part.bytes, 0))
    expect(result).toEqual(dry)
    expect(site.store.uploads.size).toBe(0)
    expect(await listUploads(site.context())).toEqual([])
  })

  test("keeps what is younger, and says why", async () => {
    await interrupted()
    const result = await cleanUploads(site.context(), { olderThanMs: 11 * DAY })
    expect(result).toMatchObject({
      removed: [],
      kept: [{ upload: { id }, why: "it is not that old" }],
      bytes: 0,
    })
    expect(site.store.uploads.size).toBe(1)
  })

  test("goes on when one fails", async () => {
    await interrupted()
    await foreign()
    const store = faulty(site.store, {
      call: 1,
      operation: "abortUpload",
      moment: "before",
      error: new DeniedError("no"),
    })
    const result = await cleanUploads(site.context({ store }), { olderThanMs: DAY })
    expect(result).toMatchObject({ failed: [{ upload: { id } }], removed: [{ local: null }] })
  })
})
