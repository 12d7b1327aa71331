import { describe, expect, test } from "vitest"
import { IntegrityError, KeyMissingError, NotFoundError, UnavailableError } from "../../../src/errors.ts"
import { inspectObject, NotEncryptedError } from "../../../src/transfer/inspect.ts"
import { type Listed, listObjects } from "../../../src/transfer/list.ts"
import { verifyObject } from "../../../src/transfer/verify.ts"
import { faulty } from "../../support/faults.ts"
import { kekOf, makeSite, plaintextOf, putSealed, type Site, windowBytes } from "./download-fixture.ts"

const address = { bucket: "vault", key: "a/file.bin" }

describe("inspecting an object", () => {
  test("takes one request for 80 bytes and tells all there is to know", async () => {
    const site = await makeSite()
    const privateMetadata = { name: "file.bin", size: 70_000, mode: 0o644 }
    await putSealed(site.store, address.key, plaintextOf(70_000), { privateMetadata })
    site.store.calls.length = 0
    const found = await inspectObject(site.context, address)
    expect(found).toMatchObject({
      address,
      format: { id: "agcm2", verdict: "sound" },
      private: privateMetadata,
      kek: { id: kekOf(1).id, name: "key-1" },
      layout: { plaintextBytes: 70_000, chunkBytes: 4096, chunksPerSegment: 4, segments: 5 },
    })
    expect(found.recipients).toHaveLength(1)
    expect(site.store.calls).toEqual([
      { operation: "get", bucket: "vault", key: address.key, range: { start: 0, end: 80 } },
    ])
  })

  test("works without a key, but for what is private", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(10), {
      kek: kekOf(2),
      privateMetadata: { name: "n" },
    })
    expect(await inspectObject(site.context, address)).toMatchObject({
      private: null,
      kek: null,
      layout: { plaintextBytes: 10 },
    })
  })

  test("names what is missing, foreign or damaged", async () => {
    const site = await makeSite()
    await expect(inspectObject(site.context, address)).rejects.toThrow(NotFoundError)
    await site.store.put(address, plaintextOf(500), { settings: { metadata: {} } })
    await expect(inspectObject(site.context, address)).rejects.toThrow(NotEncryptedError)
    await site.store.put(address, plaintextOf(500), { settings: { metadata: { "s3ep-format": "agcm9" } } })
    await expect(inspectObject(site.context, address)).rejects.toThrow(
      /^cannot open s3:\/\/vault\/a\/file.bin: /,
    )
    await putSealed(site.store, address.key, plaintextOf(10))
    site.store.tamper(address.key, (data) => data.subarray(0, 100))
    await expect(inspectObject(site.context, address)).rejects.toThrow("too short")
  })

  test("refuses the envelope of a local file, which would open under any key", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(10), { bind: "none" })
    await expect(inspectObject(site.context, address)).rejects.toThrow(IntegrityError)
    await expect(verifyObject(site.context, { address })).rejects.toThrow("bound to no key")
  })
})

describe("verifying an object", () => {
  test.each([0, 100, 150_000])("of %i bytes reads all of it", async (bytes) => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(bytes))
    const storedBytes = site.store.bytes(address.key).length
    expect(await verifyObject(site.context, { address, windowBytes })).toMatchObject({
      address,
      bytes,
      storedBytes,
      kek: { name: "key-1" },
    })
  })

  test.each([0, 90, 70_000, 150_000])("finds one bit at %i", async (at) => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(150_000))
    site.store.tamper(address.key, (data) => data.fill((data[at] ?? 0) ^ 1, at, at + 1))
    await expect(verifyObject(site.context, { address, windowBytes })).rejects.toThrow(IntegrityError)
  })

  test("needs the key", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(10), { kek: kekOf(2) })
    await expect(verifyObject(site.context, { address })).rejects.toThrow(KeyMissingError)
  })
})

describe("listing", () => {
  async function makeBucket(): Promise<Site> {
    const site = await makeSite()
    for (let i = 0; i < 30; i++) {
      await putSealed(site.store, `many/${String(i).padStart(2, "0")}`, plaintextOf(i * 1000))
    }
    await putSealed(site.store, "others", plaintextOf(5), { kek: kekOf(2) })
    await site.store.put({ bucket: "vault", key: "foreign" }, plaintextOf(500), {
      settings: { metadata: {} },
    })
    await site.store.put({ bucket: "vault", key: "empty" }, plaintextOf(0), { settings: { metadata: {} } })
    await putSealed(site.store, "damaged", plaintextOf(5))
    site.store.tamper("damaged", (data) => data.fill(0))
    return site
  }

  async function listed(items: AsyncIterable<Listed>): Promise<Listed[]> {
    const found: Listed[] = []
    for await (const item of items) found.push(item)
    return found
  }

  test("one level, with sizes, in order, each object with what is wrong with it", async () => {
    const site = await makeBucket()
    const found = await listed(listObjects(site.context, "vault", "", { plaintextSizes: true }))
    expect(found).toMatchObject([
      { kind: "object", key: "damaged", bytes: null, encrypted: null, problem: expect.any(IntegrityError) },
      { kind: "object", key: "empty", bytes: null, encrypted: false, problem: null, storedBytes: 0 },
      { kind: "object", key: "foreign", bytes: null, encrypted: false, problem: null, storedBytes: 500 },
      { kind: "prefix", key: "many/" },
      { kind: "object", key: "others", bytes: 5, encrypted: true, problem: null },
    ])
  })

  test("a whole tree, a few requests at once", async () => {
    const site = await makeBucket()
    const request = { plaintextSizes: true, recursive: true, concurrency: 4 }
    const found = await listed(listObjects(site.context, "vault", "many/", request))
    expect(found.map((item) => (item.kind === "object" ? item.bytes : null))).toEqual(
      Array.from({ length: 30 }, (_, i) => i * 1000),
    )
  })

  test("without sizes no object is looked at", async () => {
    const site = await makeBucket()
    site.store.calls.length = 0
    const found = await listed(listObjects(site.context, "vault", "", { recursive: true }))
    expect(found).toHaveLength(34)
    expect(
      found.every((item) => item.kind === "object" && item.bytes === null && item.encrypted === null),
    ).toBe(true)
    expect(site.store.calls.map((call) => call.operation)).toEqual(["list"])
  })

  test("a store that is gone ends it", async () => {
    const site = await makeBucket()
    const store = faulty(site.store, { operation: "get", moment: "before", call: 3 })
    const request = { plaintextSizes: true, recursive: true }
    await expect(listed(listObjects(site.with({ store }), "vault", "", request))).rejects.toThrow(
      UnavailableError,
    )
    await expect(listed(listObjects(site.context, "nowhere", ""))).rejects.toThrow(NotFoundError)
  })
})
