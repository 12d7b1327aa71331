import { describe, expect, test } from "vitest"
import { KeyMissingError } from "../../../src/errors.ts"
import { kinds, memorySite, NOW, newKek } from "./rotation-site.ts"

test("objects open with the new KEK alone, and the bodies stay as they are", async () => {
  const site = await memorySite()
  for (const key of ["a", "b/c", "empty"]) await site.put(key, key === "empty" ? "" : `body of ${key}`)
  const before = ["a", "b/c", "empty"].map((key) => site.store.bytes(key))
  expect(kinds(await site.rotate())).toEqual({ a: "copy", "b/c": "copy", empty: "copy" })
  expect(["a", "b/c", "empty"].map((key) => site.store.bytes(key))).toEqual(before)
  expect(await site.read("b/c", [site.fresh])).toBe("body of b/c")
  await expect(site.read("b/c", [site.old])).rejects.toThrow(KeyMissingError)
  expect(site.store.calls.map(({ operation }) => operation)).not.toContain("uploadPart")
  expect(kinds(await site.rotate())).toEqual({ a: "current", "b/c": "current", empty: "current" })
})

test("nothing but the envelope changes", async () => {
  const site = await memorySite({ versioned: true })
  const settings = {
    metadata: { theirs: "kept", "x-y": "z" },
    contentType: "text/plain",
    cacheControl: "max-age=1",
    contentDisposition: "inline",
    contentEncoding: "br",
    contentLanguage: "de",
    expires: "0",
    websiteRedirect: "/there",
    storageClass: "STANDARD_IA",
    tags: { a: "b", c: "d e" },
    grants: [
      { grantee: { kind: "user", id: "memory" }, permission: "FULL_CONTROL" },
      { grantee: { kind: "user", id: "them" }, permission: "WRITE" },
    ],
    encryption: { kind: "sse-kms", keyId: "key-1", bucketKey: true },
    retention: { mode: "GOVERNANCE", until: new Date(NOW + 1000) },
    legalHold: true,
  } as const
  await site.put("all", "x", settings)
  const { head, acl, tags } = await allOf(site, "all")
  expect(kinds(await site.rotate())).toEqual({ all: "copy" })
  const after = await allOf(site, "all")
  const { metadata: m1, versionId: v1, ...others } = head
  const { metadata: m2, versionId: v2, ...same } = after.head
  expect(same).toEqual(others)
  expect(v2).not.toBe(v1)
  expect(theirsIn(m2)).toEqual(theirsIn(m1))
  expect(m2["s3ep-kek-fingerprint"]).toBe(site.fresh.id)
  expect(m1["s3ep-kek-fingerprint"]).toBe(site.old.id)
  expect({ acl: after.acl, tags: after.tags }).toEqual({ acl, tags })
})

test("a retention that is over is left behind", async () => {
  const site = await memorySite({ versioned: true })
  await site.put("once", "x", { retention: { mode: "COMPLIANCE", until: new Date(NOW - 1) } })
  expect(kinds(await site.rotate())).toEqual({ once: "copy" })
  expect((await site.store.head({ bucket: "vault", key: "once" })).retention).toBeUndefined()
})

test("private metadata stay readable", async () => {
  const site = await memorySite()
  await site.put("named", "x")
  await site.rotate()
  const { inspectObject } = await import("../../../src/transfer/inspect.ts")
  const found = await inspectObject(site.context(), { bucket: "vault", key: "named" })
  expect(found.private).toEqual({ name: "original.txt" })
})

test("several KEKs become the recipients, and the same again change nothing", async () => {
  const site = await memorySite()
  const third = newKek("third")
  await site.put("shared", "x")
  const to = [site.fresh, third]
  expect(kinds(await site.rotate({ to }))).toEqual({ shared: "copy" })
  expect(await site.read("shared", [third])).toBe("x")
  expect(await site.read("shared", [site.fresh])).toBe("x")
  expect(kinds(await site.rotate({ to: to.toReversed() }))).toEqual({ shared: "current" })
  expect(kinds(await site.rotate({ to: [third] }))).toEqual({ shared: "copy" })
  await expect(site.read("shared", [site.fresh])).rejects.toThrow(KeyMissingError)
})

test("--from moves only what that KEK opens, by KEK or by id", async () => {
  const site = await memorySite()
  await site.put("a", "x")
  await site.rotate()
  await site.put("b", "x")
  const other = newKek("other")
  const from = { keks: [other], ids: [] }
  expect(kinds(await site.rotate({ from }))).toEqual({ a: "other", b: "other" })
  const byId = { keks: [], ids: [site.old.id.slice(0, 10)] }
  expect(kinds(await site.rotate({ from: byId }))).toEqual({ a: "other", b: "copy" })
})

describe("what cannot be moved is told, and left as it is", () => {
  test.each([
    ["archived", { storageClass: "DEEP_ARCHIVE" }],
    ["locked", { legalHold: true }],
    ["locked", { retention: { mode: "COMPLIANCE", until: new Date(NOW + 1) } as const }],
  ])("%s: %j", async (obstacle, settings) => {
    const site = await memorySite()
    await site.put("it", "x", settings)
    const before = await site.store.head({ bucket: "vault", key: "it" })
    expect(kinds(await site.rotate())).toEqual({ it: `failed: ${obstacle}` })
    expect(await site.store.head({ bucket: "vault", key: "it" })).toEqual(before)
  })

  test("no key, foreign, damaged, housekeeping", async () => {
    const site = await memorySite()
    await site.put("it", "x")
    const { metadata } = site.store.settings("it")
    const at = (key: string) => ({ bucket: "vault", key })
    await site.store.put(at("readme"), Buffer.from("hello"), { settings: { metadata: {} } })
    await site.store.put(at(".s3ep/keyring.json"), Buffer.from("{}"), { settings: { metadata: {} } })
    await site.store.put(at("broken"), Buffer.from("x"), {
      settings: { metadata: { "s3ep-format": "agcm2" } },
    })
    await site.store.put(at("moved"), site.store.bytes("it"), { settings: { metadata } })
    const stranger = newKek("stranger")
    const keys = { readers: [stranger], writers: [stranger], [Symbol.dispose]: () => undefined }
    expect(kinds(await site.rotate({}, { keys }))).toMatchObject({ it: "failed: no-key" })
    expect(kinds(await site.rotate())).toEqual({
      readme: "foreign",
      broken: "failed: damaged",
      moved: "failed: damaged",
      it: "copy",
    })
  })

  test("an envelope that grows too large beside what others keep", async () => {
    const site = await memorySite()
    await site.put("full", "x", { metadata: { theirs: "y".repeat(1300) } })
    const to = [site.fresh, newKek("b"), newKek("c")]
    expect(kinds(await site.rotate({ to }))).toEqual({ full: "failed: metadata" })
    expect(await site.read("full", [site.old])).toBe("x")
  })
})

describe("an object that changes meanwhile", () => {
  test("is looked at again, and the new one is moved", async () => {
    const site = await memorySite()
    await site.put("busy", "first")
    let changes = 0
    const store = overriding(site.store, async () => {
      if (changes++ < 2) await site.put("busy", `change ${changes}`)
    })
    expect(kinds(await site.rotate({}, { store }))).toEqual({ busy: "copy" })
    expect(await site.read("busy", [site.fresh])).toBe("change 2")
  })

  test("is left if it goes on changing", async () => {
    const site = await memorySite()
    await site.put("busy", "first")
    let changes = 0
    const store = overriding(site.store, () => site.put("busy", `change ${++changes}`))
    const [outcome] = await site.rotate({}, { store })
    expect(outcome).toMatchObject({ kind: "failed", obstacle: null, error: { exitCode: 8 } })
    expect(await site.read("busy", [site.old])).toBe(`change ${changes}`)
  })

  test("is not made again if it was deleted", async () => {
    const site = await memorySite()
    await site.put("gone", "first")
    const store = overriding(site.store, () => site.store.delete({ bucket: "vault", key: "gone" }))
    expect(kinds(await site.rotate({}, { store }))).toEqual({ gone: "gone" })
    await expect(site.store.head({ bucket: "vault", key: "gone" })).rejects.toThrow()
  })
})

describe("copies in parts", () => {
  const MiB = 1024 ** 2

  test("keep bytes, parts and everything beside them", async () => {
    const site = await memorySite({ limits: { minPartBytes: MiB, maxPutBytes: 3 * MiB } })
    const body = Buffer.alloc(5 * MiB, "x")
    await site.put("large", body, { tags: { a: "b" }, contentType: "text/x", metadata: { theirs: "1" } })
    const address = { bucket: "vault", key: "large" }
    const before = await site.store.head(address)
    const parts = await site.store.partSizes(address, before)
    expect(kinds(await site.rotate())).toEqual({ large: "copy-in-parts" })
    const after = await site.store.head(address)
    expect({ ...after, metadata: {} }).toEqual({
      ...before,
      metadata: {},
      lastModified: after.lastModified,
      parts: after.parts,
      etag: after.etag,
    })
    if (parts) expect(await site.store.partSizes(address, after)).toEqual(parts)
    expect(await site.store.getTags(address)).toEqual({ a: "b" })
    expect((await site.read("large", [site.fresh])).length).toBe(body.length)
    expect(site.store.uploads.size).toBe(0)
    expect(site.store.calls.filter(({ operation }) => operation === "get")).toHaveLength(
      site.store.calls.filter(({ operation, range }) => operation === "get" && range !== undefined).length,
    )
  })

  test("are given up if the object changes", async () => {
    const site = await memorySite({ limits: { minPartBytes: MiB, maxPutBytes: 3 * MiB } })
    await site.put("large", Buffer.alloc(5 * MiB, "x"))
    let changes = 0
    const store = overriding(
      site.store,
      async () => {
        if (changes++ === 0) await site.put("large", "small now")
      },
      "completeUpload",
    )
    expect(kinds(await site.rotate({}, { store }))).toEqual({ large: "copy" })
    expect(await site.read("large", [site.fresh])).toBe("small now")
    expect(site.store.uploads.size).toBe(0)
  })
})

test("shards share the work, and leave nothing out", async () => {
  const site = await memorySite()
  const keys = Array.from({ length: 40 }, (_, index) => `object ${index}`)
  for (const key of keys) await site.put(key, key)
  const moved: string[] = []
  for (const index of [0, 1, 2]) {
    const outcomes = await site.rotate({ shard: { index, count: 3 } })
    expect(outcomes.every(({ kind }) => kind === "moved")).toBe(true)
    expect(outcomes.length).toBeGreaterThan(4)
    moved.push(...outcomes.map(({ address }) => address.key))
  }
  expect(moved.sort()).toEqual(keys.sort())
})

type Site = Awaited<ReturnType<typeof memorySite>>

async function allOf({ store }: Site, key: string) {
  const address = { bucket: "vault", key }
  const [head, acl, tags] = [
    await store.head(address),
    await store.getAcl(address),
    await store.getTags(address),
  ]
  return { head, acl, tags }
}

function theirsIn(metadata: Readonly<Record<string, string>>) {
  return Object.entries(metadata).filter(([name]) => !name.startsWith("s3ep-"))
}

/** The store, with something that happens right before it writes. */
function overriding(
  store: Site["store"],
  before: () => Promise<void>,
  operation: "copy" | "completeUpload" = "copy",
): Site["store"] {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== "function") return member
      if (name !== operation) return member.bind(target)
      return async (...args: unknown[]) => {
        await before()
        return Reflect.apply(member, target, args)
      }
    },
  })
}
