import { expect, test } from "vitest"
import { fromUserMetadata } from "../../../src/envelope/metadata.ts"
import { KeyMissingError, S3epError } from "../../../src/errors.ts"
import { faulty } from "../../support/faults.ts"
import { kinds, memorySite } from "./rotation-site.ts"

const limits = { minPartBytes: 4096, maxPutBytes: 20_000 }
const cut = { chunkBytes: 4096, partBytes: 16_384 }
const body = Buffer.from(Array.from({ length: 50_000 }, (_, index) => index % 251))
const text = body.toString()

test.each([0, 1, 4096, 16_384, 50_000])(
  "an object of %i bytes gets a new DEK and a new body",
  async (bytes) => {
    const site = await memorySite({ limits, cut })
    const tags = { a: "b" }
    await site.put("it", body.subarray(0, bytes), {
      metadata: { theirs: "kept" },
      contentType: "text/x",
      tags,
    })
    const before = site.store.bytes("it")
    expect(kinds(await site.rotate({ reencrypt: true }))).toEqual({ it: "reencrypt" })
    expect(site.store.bytes("it").length).toBe(before.length)
    expect(Buffer.compare(site.store.bytes("it"), before)).not.toBe(0)
    expect(await site.read("it", [site.fresh])).toBe(body.subarray(0, bytes).toString())
    await expect(site.read("it", [site.old])).rejects.toThrow(KeyMissingError)
    const info = await site.store.head({ bucket: "vault", key: "it" })
    expect(info).toMatchObject({ contentType: "text/x", metadata: { theirs: "kept" } })
    expect(await site.store.getTags({ bucket: "vault", key: "it" })).toEqual(tags)
    const { inspectObject } = await import("../../../src/transfer/inspect.ts")
    const found = await inspectObject(site.context(), { bucket: "vault", key: "it" })
    expect(found.private).toEqual({ name: "original.txt", type: "text/x" })
  },
)

test("an interrupted one goes on with the parts it had sent", async () => {
  const site = await memorySite({ limits, cut })
  await site.put("it", body)
  const failing = faulty(site.store, { operation: "uploadPart", call: 3, moment: "before" })
  await expect(site.rotate({ reencrypt: true }, { store: failing })).rejects.toThrow(S3epError)
  expect(await site.read("it", [site.old])).toBe(text)
  const sent = () => site.store.calls.filter(({ operation }) => operation === "uploadPart").length
  const before = sent()
  expect(before).toBeGreaterThan(1)
  expect(kinds(await site.rotate({ reencrypt: true }))).toEqual({ it: "reencrypt" })
  expect(sent() - before).toBeLessThan(4)
  expect(await site.read("it", [site.fresh])).toBe(text)
  expect(site.store.uploads.size).toBe(0)
})

test("it is not finished on top of what somebody wrote meanwhile", async () => {
  const site = await memorySite({ limits, cut })
  await site.put("it", body)
  const failing = faulty(site.store, { operation: "uploadPart", call: 3, moment: "before" })
  await expect(site.rotate({ reencrypt: true }, { store: failing })).rejects.toThrow(S3epError)
  await site.put("it", "newer")
  expect(kinds(await site.rotate({ reencrypt: true }))).toEqual({ it: "reencrypt" })
  expect(await site.read("it", [site.fresh])).toBe("newer")
  expect(site.store.uploads.size).toBe(0)
})

test("a damaged body is refused, and stays as it is", async () => {
  const site = await memorySite({ limits, cut })
  await site.put("it", body)
  site.store.tamper("it", (data) => {
    data[30_000] = (data[30_000] ?? 0) ^ 1
    return data
  })
  const envelope = () => fromUserMetadata(site.store.settings("it").metadata)
  const before = envelope()
  expect(kinds(await site.rotate({ reencrypt: true }))).toEqual({ it: "failed: damaged" })
  expect(envelope()).toEqual(before)
})

test("a body whose last segment was put in another's place is refused by its seal", async () => {
  const site = await memorySite({ limits, cut })
  await site.put("it", body)
  site.store.tamper("it", (data) => {
    data[data.length - 1] = (data.at(-1) ?? 0) ^ 1
    return data
  })
  expect(kinds(await site.rotate({ reencrypt: true }))).toEqual({ it: "failed: damaged" })
})
