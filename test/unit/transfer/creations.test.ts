import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { DeniedError, UnavailableError } from "../../../src/errors.ts"
import { withRetry } from "../../../src/store/retry.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { Creations, creationsPath } from "../../../src/transfer/creations.ts"
import { journalId } from "../../../src/transfer/journal.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { uploadStream } from "../../../src/transfer/upload-stream.ts"
import { faulty } from "../../support/faults.ts"
import { openS3Fixture } from "../../support/s3-fixture.ts"
import { callsOf, noise, opened, openSite, PART, type Site, slices, thrown } from "./upload-site.ts"

const content = noise(3 * PART)
const address = { bucket: "vault", key: "a.bin" }
const settings = { metadata: {} }

const recordOf = (site: Site) =>
  creationsPath(join(site.directory, "state"), journalId(site.store.endpoint, address))

async function expectOnlyTheObject(site: Site): Promise<void> {
  expect(await opened(site.store, site.kek)).toEqual(content)
  expect([...site.store.uploads.keys()]).toEqual([])
  expect(await readdir(join(site.directory, "state", "uploads"))).toEqual([])
}

describe("an upload that was made and whose id never arrived", () => {
  const lost = (site: Site, calls: number): ObjectStore => {
    let store: ObjectStore = site.store
    for (let call = 1; call <= calls; call++) {
      store = faulty(store, { operation: "createUpload", call, moment: "after" })
    }
    return store
  }

  test.each([1, 2, 3])("is removed by the run that lost %i answers and went on", async (calls) => {
    await using site = await openSite()
    const path = await site.file("a.bin", content)
    const store = withRetry(lost(site, calls), { delay: async () => undefined, random: () => 0 })
    await uploadFile(site.context({ store }), site.request(path))
    expect(callsOf(site.store, "createUpload")).toHaveLength(calls + 1)
    await expectOnlyTheObject(site)
  })

  test("is removed by the next run, or the one after that", async () => {
    await using site = await openSite()
    const path = await site.file("a.bin", content)
    const request = site.request(path, { concurrency: 1 })
    await thrown(uploadFile(site.context({ store: lost(site, 1) }), request))
    await thrown(uploadFile(site.context({ store: lost(site, 1) }), request))
    const broken = faulty(site.store, { operation: "uploadPart", call: 2, moment: "before" })
    await thrown(uploadFile(site.context({ store: broken }), request))
    expect(site.store.uploads.size).toBe(3)
    await uploadFile(site.context(), request)
    await expectOnlyTheObject(site)
  })

  test("stays if the service cannot be asked, until it can", async () => {
    await using site = await openSite()
    const path = await site.file("a.bin", content)
    await thrown(uploadFile(site.context({ store: lost(site, 1) }), site.request(path)))
    const deaf = faulty(site.store, { operation: "listUploads", moment: "before" })
    await uploadFile(site.context({ store: deaf }), site.request(path))
    expect(site.store.uploads.size).toBe(1)
    await uploadFile(site.context(), site.request(path))
    await expectOnlyTheObject(site)
  })

  test("stays for good if the service does not let us look", async () => {
    await using site = await openSite()
    const path = await site.file("a.bin", content)
    await thrown(uploadFile(site.context({ store: lost(site, 1) }), site.request(path)))
    const error = new DeniedError("no s3:ListBucketMultipartUploads")
    const blind = faulty(site.store, { operation: "listUploads", moment: "before", error })
    await uploadFile(site.context({ store: blind }), site.request(path))
    expect(await readdir(join(site.directory, "state", "uploads"))).toEqual([])
  })

  test("is removed after a stream too, which has no record", async () => {
    await using s3 = await openS3Fixture()
    await using site = await openSite()
    const action = { reset: true } as const
    s3.server.faults.add({ when: { operation: "CreateMultipartUpload" }, moment: "after", action })
    const store = withRetry(s3.store, { delay: async () => undefined, random: () => 0 })
    const source = slices(noise(6 * 1024 ** 2), 1024 ** 2)
    await uploadStream(site.context({ store }), { address, settings, source, partBytes: 5 * 1024 ** 2 })
    expect(s3.operations().filter((name) => name === "CreateMultipartUpload")).toHaveLength(2)
    const left: string[] = []
    for await (const { uploadId } of s3.store.listUploads("vault")) left.push(uploadId)
    expect(left).toEqual([])
  })
})

test("a request that was answered is not on record any more, and nothing is looked for", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  const refused = faulty(site.store, {
    operation: "createUpload",
    moment: "before",
    error: new DeniedError("no"),
  })
  await thrown(uploadFile(site.context({ store: refused }), site.request(path)))
  const expired = faulty(site.store, {
    operation: "createUpload",
    call: 1,
    moment: "before",
    error: new UnavailableError("renewed", { transient: "credentials" }),
  })
  const store = withRetry(expired, { delay: async () => undefined, random: () => 0 })
  await uploadFile(site.context({ store }), site.request(path))
  expect(callsOf(site.store, "listUploads")).toEqual([])
  await expectOnlyTheObject(site)
})

test("a crash between the journal's beginning and the note of it does not count the answer as lost", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  const request = site.request(path)
  const store = faulty(site.store, { operation: "uploadPart", moment: "before" })
  const at = site.context().clock.now()
  let record = ""
  const remember: ObjectStore = {
    ...store,
    createUpload: async (...args) => {
      record = await readFile(recordOf(site), "utf8")
      return site.store.createUpload(...args)
    },
  }
  await thrown(uploadFile(site.context({ store: remember }), request))
  await writeFile(recordOf(site), record)
  expect((await Creations.open(recordOf(site))).unanswered).toEqual([at])
  const other = await site.store.createUpload(address, { settings })
  await uploadFile(site.context(), request)
  expect([...site.store.uploads.keys()]).toEqual([other])
  expect(await readdir(join(site.directory, "state", "uploads"))).toEqual([])
})

test("a record that is damaged, cut anywhere, says nothing", async () => {
  await using site = await openSite()
  const path = await site.file("a.bin", content)
  await thrown(
    uploadFile(
      site.context({ store: faulty(site.store, { operation: "createUpload", moment: "after" }) }),
      site.request(path),
    ),
  )
  const text = await readFile(recordOf(site), "utf8")
  for (let length = 0; length < text.length - 1; length++) {
    await writeFile(recordOf(site), text.slice(0, length))
    expect((await Creations.open(recordOf(site))).unanswered).toEqual([])
  }
  await writeFile(recordOf(site), text)
  expect((await Creations.open(recordOf(site))).unanswered).toHaveLength(1)
})
