import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { IntegrityError } from "../../../src/errors.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { settleCreations } from "../../../src/transfer/late-creations.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { faulty } from "../../support/faults.ts"
import { callsOf, noise, opened, openSite, PART, type Site, thrown } from "./upload-site.ts"

const content = noise(4 * PART + 100)
const PARTS = 5
/** After which nothing can come any more of a request without an answer. */
const SETTLED_MS = 120_000
// 1 head (settling) or create, then the parts, Complete, and what follows a failed Complete.
const calls = Array.from({ length: PARTS + 4 }, (_, index) => index + 1)

/** @returns whether the run with the fault failed. */
async function uploadTwice(site: Site, path: string, store: ObjectStore): Promise<boolean> {
  const request = site.request(path, { concurrency: 2 })
  const failed = await uploadFile(site.context({ store }), request).then(
    () => false,
    () => true,
  )
  if (failed) await uploadFile(site.context(), request)
  return failed
}

describe.each(["before", "after"] as const)("connection lost %s the store acts", (moment) => {
  test.each(calls)("at call %i, the next run completes the object", async (call) => {
    await using site = await openSite()
    const path = await site.file("a.bin", content)
    await uploadTwice(site, path, faulty(site.store, { call, moment }))
    expect(await opened(site.store, site.kek)).toEqual(content)
    expect([...site.store.uploads.values()]).toEqual([])
    const { clock } = site.context()
    await settleCreations(site.context({ clock: { ...clock, now: () => clock.now() + SETTLED_MS } }))
    expect(await readdir(join(site.directory, "state", "uploads"))).toEqual([])
  })

  test.each([1, 2, 3, 4, 5])("while part %i is sent, no finished part is sent again", async (part) => {
    await using site = await openSite()
    const path = await site.file("a.bin", content)
    const store = faulty(site.store, { call: part, operation: "uploadPart", moment })
    expect(await uploadTwice(site, path, store)).toBe(true)
    const sent = callsOf(site.store, "uploadPart").map((call) => call.partNumber)
    expect(sent.toSorted()).toEqual([...new Set(sent)].toSorted())
    expect(await opened(site.store, site.kek)).toEqual(content)
  })
})

test("a lost answer to Complete is settled by looking, without a second run", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  const store = faulty(site.store, { operation: "completeUpload", moment: "after" })
  const result = await uploadFile(site.context({ store }), site.request(path))
  expect(result).toMatchObject({ bytes: content.length, parts: PARTS })
  expect(callsOf(site.store, "abortUpload")).toEqual([])
})

test("Complete is asked for again when the object is not there", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  const store = faulty(site.store, { call: 1, operation: "completeUpload", moment: "before" })
  await uploadFile(site.context({ store }), site.request(path))
  expect(await opened(site.store, site.kek)).toEqual(content)
})

test("a run that never learns that Complete succeeded leaves it to the next one, which sends nothing", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  const lost = faulty(faulty(site.store, { operation: "completeUpload", moment: "after" }), {
    operation: "head",
    moment: "before",
  })
  await thrown(uploadFile(site.context({ store: lost }), site.request(path)))
  const etag = (await site.store.head({ bucket: "vault", key: "a.bin" })).etag
  const sent = callsOf(site.store, "uploadPart").length
  const result = await uploadFile(site.context(), site.request(path))
  expect(result).toMatchObject({ etag, parts: PARTS, resumedParts: PARTS })
  expect(callsOf(site.store, "uploadPart")).toHaveLength(sent)
})

test("what Complete says when it is no doubt is passed on, and the upload stays", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  const error = new IntegrityError("a part arrived damaged")
  const store = faulty(site.store, { operation: "completeUpload", moment: "before", error })
  expect(await thrown(uploadFile(site.context({ store }), site.request(path)))).toBe(error)
  expect(site.store.uploads.size).toBe(1)
})

test.each([1, 2, PARTS])(
  "part %i of a killed run that arrives after that of the next one is sent again",
  async (part) => {
    await using site = await openSite()
    const path = await site.file("a.bin", content)
    const request = site.request(path, { concurrency: 1 })
    let arrive = async (): Promise<unknown> => undefined
    const lost = faulty(site.store, { operation: "uploadPart", call: part, moment: "before" })
    const killed: ObjectStore = {
      ...lost,
      uploadPart: async (address, uploadId, partNumber, body, options) => {
        const late = { ...options, signal: undefined }
        const bytes = body instanceof Uint8Array ? body.slice() : body
        if (partNumber === part) {
          arrive = () => site.store.uploadPart(address, uploadId, partNumber, bytes, late)
        }
        return lost.uploadPart(address, uploadId, partNumber, body, options)
      },
    }
    await thrown(uploadFile(site.context({ store: killed }), request))
    const overtaken: ObjectStore = {
      ...faulty(site.store, { call: 0, moment: "before" }),
      completeUpload: async (...args) => {
        await arrive()
        arrive = async () => undefined
        return site.store.completeUpload(...args)
      },
    }
    await uploadFile(site.context({ store: overtaken }), request)
    expect(await opened(site.store, site.kek)).toEqual(content)
    expect([...site.store.uploads.values()]).toEqual([])
    expect(await readdir(join(site.directory, "state", "uploads"))).toEqual([])
  },
)

test("an upload that vanishes in the middle starts over", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  let parts = 0
  const store: ObjectStore = {
    ...faulty(site.store, { call: 0, moment: "before" }),
    uploadPart: (...args) => {
      if (++parts === 3) site.store.loseUploads()
      return site.store.uploadPart(...args)
    },
  }
  await uploadFile(site.context({ store }), site.request(path, { concurrency: 1 }))
  expect(await opened(site.store, site.kek)).toEqual(content)
  expect(site.notices()).toEqual([expect.stringContaining("starts over")])
})

test("a journal that cannot be written leaves no upload behind", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  const context = site.context({ stateDirectory: `${path}/state` })
  expect(await thrown(uploadFile(context, site.request(path)))).toMatchObject({ code: "S3EP_LOCAL_IO" })
  expect(site.store.uploads.size).toBe(0)
})
