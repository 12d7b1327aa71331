import { describe, expect, test } from "vitest"
import { DeniedError } from "../../../src/errors.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { uploadStream } from "../../../src/transfer/upload-stream.ts"
import { faulty } from "../../support/faults.ts"
import { CHUNK, callsOf, noise, opened, openSite, PART, slices, thrown } from "./upload-site.ts"

const onlyNew = { ifNoneMatch: "*" } as const
const address = { bucket: "vault", key: "a.bin" }

describe.each([
  ["checks", true],
  ["ignores", false],
])("a service that %s conditions", (_, conditional) => {
  const limits = { conditionalPut: conditional, conditionalComplete: conditional }

  describe.each([
    ["one request", 10],
    ["parts", 3 * PART],
  ])("and an object of %s", (_, bytes) => {
    test("makes it where there is none, and says so if it could not promise that", async () => {
      await using site = await openSite({ limits })
      const path = await site.file("a.bin", noise(bytes))
      await uploadFile(site.context(), site.request(path, { conditions: onlyNew }))
      expect(await opened(site.store, site.kek)).toEqual(noise(bytes))
      expect(site.notices()).toHaveLength(conditional ? 0 : 1)
    })

    test("sends nothing where there is one", async () => {
      await using site = await openSite({ limits })
      await site.store.put(address, noise(5), { settings: { metadata: {} } })
      const path = await site.file("a.bin", noise(bytes))
      const error = await thrown(uploadFile(site.context(), site.request(path, { conditions: onlyNew })))
      expect(error).toMatchObject({ code: "S3EP_PRECONDITION" })
      expect(site.store.bytes("a.bin")).toEqual(noise(5))
      expect(callsOf(site.store, "createUpload")).toEqual([])
    })

    test("replaces the one that was named, and no other", async () => {
      await using site = await openSite({ limits })
      const { etag } = await site.store.put(address, noise(5), { settings: { metadata: {} } })
      const path = await site.file("a.bin", noise(bytes))
      const other = site.request(path, { conditions: { ifMatch: '"other"' } })
      expect(await thrown(uploadFile(site.context(), other))).toMatchObject({ code: "S3EP_PRECONDITION" })
      await uploadFile(site.context(), site.request(path, { conditions: { ifMatch: etag } }))
      expect(await opened(site.store, site.kek)).toEqual(noise(bytes))
    })
  })

  test("an object that appears while parts are sent stays, and the upload is aborted", async () => {
    await using site = await openSite({ limits })
    const path = await site.file("a.bin", noise(3 * PART))
    const store: ObjectStore = {
      ...faulty(site.store, { call: 0, moment: "before" }),
      uploadPart: async (...args) => {
        if (args[2] === 1) await site.store.put(address, noise(5), { settings: { metadata: {} } })
        return site.store.uploadPart(...args)
      },
    }
    const error = await thrown(
      uploadFile(site.context({ store }), site.request(path, { conditions: onlyNew })),
    )
    expect(error).toMatchObject({ code: "S3EP_PRECONDITION" })
    expect(site.store.bytes("a.bin")).toEqual(noise(5))
    expect(site.store.uploads.size).toBe(0)
  })

  test("a stream is not read where there is one", async () => {
    await using site = await openSite({ limits })
    await site.store.put(address, noise(5), { settings: { metadata: {} } })
    const source = slices(noise(3 * PART))
    const request = { source, address, settings: { metadata: {} }, partBytes: PART, chunkBytes: CHUNK }
    const error = await thrown(uploadStream(site.context(), { ...request, conditions: onlyNew }))
    expect(error).toMatchObject({ code: "S3EP_PRECONDITION" })
  })
})

test.each([10, 3 * PART])(
  "an object of %i bytes that meets itself, its answer lost, is done",
  async (bytes) => {
    await using site = await openSite()
    const path = await site.file("a.bin", noise(bytes))
    const inner = faulty(site.store, { call: 0, moment: "before" })
    const store: ObjectStore = {
      ...inner,
      // What a client sees that sends a request twice because the first answer was lost.
      put: async (...args) => {
        await inner.put(...args)
        return inner.put(...args)
      },
      completeUpload: async (...args) => {
        await inner.completeUpload(...args)
        return inner.completeUpload(...args)
      },
    }
    const result = await uploadFile(site.context({ store }), site.request(path, { conditions: onlyNew }))
    expect(result.bytes).toBe(bytes)
  },
)

test("whoever may write and not look relies on the service's check", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", noise(3 * PART))
  const error = new DeniedError("not allowed to read")
  const store = faulty(site.store, { operation: "head", moment: "before", error })
  await uploadFile(site.context({ store }), site.request(path, { conditions: onlyNew }))
  expect(await opened(site.store, site.kek)).toEqual(noise(3 * PART))
})
