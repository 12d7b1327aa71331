import { describe, expect, test } from "vitest"
import {
  IntegrityError,
  KeyMissingError,
  NotFoundError,
  PreconditionError,
  UnavailableError,
  UsageError,
} from "../../../src/errors.ts"
import type { ObjectAddress, ObjectStore } from "../../../src/store/store.ts"
import { uploadStream } from "../../../src/transfer/upload-stream.ts"
import { noise, PART, slices, thrown } from "../transfer/upload-site.ts"
import { type MigrateSite, openMigrateSite } from "./migrate-site.ts"

const content = noise(3 * PART + 100)
const elsewhere = { target: { bucket: "vault", key: "out/" } }
const outcomes = (items: readonly { outcome: string }[]) => items.map(({ outcome }) => outcome)

describe("in place", () => {
  test.each([
    ["Complete checks conditions", {}],
    ["nothing checks conditions", { conditionalPut: false, conditionalComplete: false }],
  ])("an object is replaced by one of our format, and nothing is left beside: %s", async (_, limits) => {
    await using site = await openMigrateSite({ limits, now: () => new Date("2025-05-05T05:05:05.500Z") })
    const settings = {
      metadata: { owner: "anna" },
      contentType: "text/plain",
      cacheControl: "no-store",
      tags: { project: "x", level: "a b" },
    }
    await site.put("in/a.bin", content, settings)
    const [item] = await site.run()
    expect(item).toMatchObject({ outcome: "migrated", bytes: content.length })
    expect(item?.facts?.format).toBe("harpocrates-agcm-v1")
    expect(item?.facts?.findings.map(({ code }) => code)).toEqual(["nonce-reuse", "unproven-end"])
    expect(await site.opened("in/a.bin")).toEqual(content)
    const { metadata, ...others } = site.site.store.settings("in/a.bin")
    expect(others).toMatchObject({ contentType: "text/plain", cacheControl: "no-store", tags: settings.tags })
    expect(metadata["owner"]).toBe("anna")
    expect(await site.private("in/a.bin")).toEqual({
      mtime: "2025-05-05T05:05:05.500000000Z",
      type: "text/plain",
    })
    expect(await site.keys()).toEqual(["in/a.bin"])
    expect([...site.site.store.uploads]).toEqual([])
    expect(await site.journals()).toEqual([])
  })

  test.each([0, 1, 4096, PART - 1, PART, PART + 1])("of %i bytes", async (bytes) => {
    await using site = await openMigrateSite()
    await site.put("in/a.bin", noise(bytes))
    expect(outcomes(await site.run())).toEqual(["migrated"])
    expect(await site.opened("in/a.bin")).toEqual(noise(bytes))
  })

  test("what is of our format already is left alone", async () => {
    await using site = await openMigrateSite()
    await site.put("in/a.bin", content)
    await site.run()
    const before = site.site.store.bytes("in/a.bin")
    expect(outcomes(await site.run())).toEqual(["skipped"])
    expect(site.site.store.bytes("in/a.bin")).toEqual(before)
    expect(await site.journals()).toEqual([])
  })

  test("where the bucket keeps versions the original stays below, and nothing else does", async () => {
    await using site = await openMigrateSite({ versioned: true })
    await site.put("in/a.bin", content)
    await site.run()
    expect(await site.opened("in/a.bin")).toEqual(content)
    expect(await site.keys()).toEqual(["in/a.bin", "in/a.bin"])
  })

  test("directories, s3ep's own objects and what is filtered out are not touched", async () => {
    await using site = await openMigrateSite()
    for (const key of ["in/", "in/sub/", "in/.s3ep/keyring.json", "in/not.me"]) {
      await site.putRaw(key, key.endsWith("/") ? new Uint8Array(0) : content)
    }
    const include = (relative: string) => relative !== "not.me"
    expect(await site.run({ include })).toEqual([])
    expect(site.site.store.bytes("in/not.me")).toEqual(content)
  })
})

describe("to another prefix", () => {
  test("the source stays, and a second run takes only what is new or changed", async () => {
    await using site = await openMigrateSite()
    await site.put("in/a.bin", content)
    await site.put("in/sub/b.bin", noise(10))
    expect(outcomes(await site.run(elsewhere))).toEqual(["migrated", "migrated"])
    const source = site.site.store.bytes("in/a.bin")
    expect(await site.opened("out/a.bin")).toEqual(content)
    expect(await site.opened("out/sub/b.bin")).toEqual(noise(10))

    expect(outcomes(await site.run(elsewhere))).toEqual(["skipped", "skipped"])
    await site.put("in/sub/b.bin", noise(11))
    await site.put("in/c.bin", noise(12))
    expect(outcomes(await site.run(elsewhere))).toEqual(["skipped", "migrated", "migrated"])
    expect(await site.opened("out/sub/b.bin")).toEqual(noise(11))
    expect(site.site.store.bytes("in/a.bin")).toEqual(source)
    expect(await site.keys()).toEqual(
      ["in/a.bin", "in/c.bin", "in/sub/b.bin", "out/a.bin", "out/c.bin", "out/sub/b.bin"].sort(),
    )
  })

  test("what is there already is never overwritten", async () => {
    await using site = await openMigrateSite()
    await site.put("in/a.bin", content)
    await site.put("in/b.bin", content)
    await site.putRaw("out/a.bin", noise(5))
    const [a, b] = await site.run(elsewhere)
    expect(a?.error).toBeInstanceOf(PreconditionError)
    expect(b?.outcome).toBe("migrated")
    expect(site.site.store.bytes("out/a.bin")).toEqual(noise(5))
  })

  test("nor is what was changed there since", async () => {
    await using site = await openMigrateSite()
    await site.put("in/a.bin", content)
    await site.run(elsewhere)
    await site.putRaw("out/a.bin", noise(5))
    expect(outcomes(await site.run(elsewhere))).toEqual(["skipped"])
    await site.put("in/a.bin", noise(9))
    const [item] = await site.run(elsewhere)
    expect(item?.error).toBeInstanceOf(PreconditionError)
    expect(site.site.store.bytes("out/a.bin")).toEqual(noise(5))
  })

  test("an object of our format goes along, with what is known of the file, and opens at its new place", async () => {
    await using site = await openMigrateSite()
    await uploadStream(site.context(), {
      address: { bucket: "vault", key: "in/a.bin" },
      source: slices(content),
      settings: { metadata: {} },
      name: "original.bin",
    })
    const [item] = await site.run(elsewhere)
    expect(item).toMatchObject({ outcome: "migrated", facts: { format: "agcm2" } })
    expect(await site.opened("out/a.bin")).toEqual(content)
    expect(await site.private("out/a.bin")).toEqual({ name: "original.bin" })
  })

  test.each(["", "i", "in/../"])("a target that holds the source is refused: %j", async (key) => {
    await using site = await openMigrateSite()
    const request = { source: { bucket: "vault", key: `${key}in/` }, target: { bucket: "vault", key } }
    expect(await thrown(site.run(request))).toBeInstanceOf(UsageError)
  })

  test("a target below the source is not taken for a source", async () => {
    await using site = await openMigrateSite()
    await site.put("in/a.bin", content)
    const below = { target: { bucket: "vault", key: "in/new/" } }
    await site.run(below)
    expect(outcomes(await site.run(below))).toEqual(["skipped"])
    expect(await site.keys()).toEqual(["in/a.bin", "in/new/a.bin"])
  })
})

describe("a single object", () => {
  const one = {
    recursive: false,
    source: { bucket: "vault", key: "in/a.bin" },
    target: { bucket: "vault", key: "b.bin" },
  }

  test("goes to another name", async () => {
    await using site = await openMigrateSite()
    await site.put("in/a.bin", content)
    await site.run(one)
    expect(await site.opened("b.bin")).toEqual(content)
  })

  test("throws what it fails with", async () => {
    await using site = await openMigrateSite()
    expect(await thrown(site.run(one))).toBeInstanceOf(NotFoundError)
    await site.putRaw("in/a.bin", noise(100))
    expect(await thrown(site.run(one))).toBeInstanceOf(IntegrityError)
  })

  test.each([
    ["as long as expected", { bytes: content.length }, true],
    ["shorter than expected", { bytes: content.length + 1 }, false],
    ["longer than expected", { bytes: content.length - 1 }, false],
    ["not of the expected digest", { sha256: new Uint8Array(32) }, false],
  ])("that is %s", async (_, expect_, good) => {
    await using site = await openMigrateSite()
    await site.put("in/a.bin", content)
    const run = site.run({ ...one, expect: expect_ })
    if (good) expect(outcomes(await run)).toEqual(["migrated"])
    else {
      expect(await thrown(run)).toBeInstanceOf(IntegrityError)
      expect(await site.keys()).toEqual(["in/a.bin"])
    }
  })
})

describe("one failure does not stop the rest", () => {
  test("of objects that are in no known format, damaged, or sealed with a key that is not there", async () => {
    await using site = await openMigrateSite()
    await site.putRaw("in/1-plain", noise(100))
    await site.put("in/2-good", content)
    await site.put("in/3-damaged", content)
    site.site.store.tamper("in/3-damaged", (data) => flip(data, 2000))
    await site.put("in/4-other-key", content)
    site.site.store.tamper("in/4-other-key", (data) => flip(data, 9))
    const items = await site.run()
    expect(outcomes(items)).toEqual(["failed", "migrated", "failed", "failed"])
    expect(items.map(({ error }) => error?.constructor)).toEqual([
      expect.toSatisfy((type) => type.prototype instanceof IntegrityError),
      undefined,
      expect.toSatisfy((type) => type === IntegrityError || type.prototype instanceof IntegrityError),
      KeyMissingError,
    ])
    expect(await site.keys()).toEqual(["in/1-plain", "in/2-good", "in/3-damaged", "in/4-other-key"])
    expect(await site.journals()).toEqual([])
  })

  test("what is not encrypted goes along if that is asked for", async () => {
    await using site = await openMigrateSite()
    await site.putRaw("in/a.txt", noise(100), { metadata: { owner: "anna" } })
    expect(outcomes(await site.run({}, undefined, { plaintext: true }))).toEqual(["migrated"])
    expect(await site.opened("in/a.txt")).toEqual(noise(100))
  })
})

describe("an object that changes meanwhile", () => {
  const changing = async (site: MigrateSite, times: number) => {
    let changes = 0
    await site.put("in/a.bin", content)
    return disturbed(site.site.store, "completeUpload", async () => {
      if (++changes <= times) await site.put("in/a.bin", noise(20 + changes))
    })
  }

  test("once is migrated as it is then", async () => {
    await using site = await openMigrateSite()
    const items = await site.run({}, await changing(site, 1))
    expect(outcomes(items)).toEqual(["migrated"])
    expect(await site.opened("in/a.bin")).toEqual(noise(21))
    expect(await site.keys()).toEqual(["in/a.bin"])
  })

  test("again and again is left as it is", async () => {
    await using site = await openMigrateSite()
    const [item] = await site.run({}, await changing(site, 100))
    expect(item?.error).toBeInstanceOf(PreconditionError)
    expect(await site.keys()).toEqual(["in/a.bin"])
    expect([...site.site.store.uploads]).toEqual([])
    // The next run finds it quiet.
    expect(outcomes(await site.run())).toEqual(["migrated"])
    expect(await site.opened("in/a.bin")).toEqual(noise(22))
  })
})

test("an object that does not read back as it was written does not replace anything", async () => {
  await using site = await openMigrateSite()
  await site.put("in/a.bin", content)
  const { store } = site.site
  const before = store.bytes("in/a.bin")
  const lying = disturbed(store, "get", async ({ key }) => {
    if (key.includes(".s3ep/")) store.tamper(key, (data) => flip(data, 500))
  })
  const [item] = await site.run({}, lying)
  expect(item?.error).toBeInstanceOf(IntegrityError)
  expect(store.bytes("in/a.bin")).toEqual(before)
  expect(await site.keys()).toEqual(["in/a.bin"])
})

test.each(["never dies", "dies before it looks after them"])(
  "tags survive a service that forgets them with an upload, and a run that %s",
  async (how) => {
    await using site = await openMigrateSite()
    const tags = { project: "x" }
    await site.put("in/a.bin", content, { tags })
    const { store } = site.site
    const forgetful: ObjectStore = new Proxy(store, {
      get(target, name) {
        if (name === "createUpload") {
          return (...[address, options]: Parameters<ObjectStore["createUpload"]>) =>
            target.createUpload(address, { ...options, settings: { ...options.settings, tags: undefined } })
        }
        const member: unknown = Reflect.get(target, name)
        if (name === "putTags" && how !== "never dies") return () => Promise.reject(lost())
        return typeof member === "function" ? member.bind(target) : member
      },
    })
    const lost = () =>
      new UnavailableError("the connection was reset (by the test)", { transient: "network" })
    await site.run({}, forgetful)
    if (how !== "never dies") expect(store.settings("in/a.bin").tags).toBeUndefined()
    await site.run()
    expect(store.settings("in/a.bin").tags).toEqual(tags)
    expect(await site.keys()).toEqual(["in/a.bin"])
  },
)

test("a dry run looks at everything, writes nothing, and says what would fail", async () => {
  await using site = await openMigrateSite()
  await site.put("in/a.bin", content)
  await site.putRaw("in/b.bin", noise(100))
  const before = site.site.store.calls.length
  const items = await site.run({ dryRun: true })
  expect(items.map(({ outcome, bytes }) => [outcome, bytes])).toEqual([
    ["planned", content.length],
    ["failed", 0],
  ])
  const asked = site.site.store.calls.slice(before).map(({ operation }) => operation)
  expect([...new Set(asked)].sort()).toEqual(["get", "list"])
})

/** Calls `change` before each call of the operation that it names. */
function disturbed(
  store: ObjectStore,
  operation: keyof ObjectStore,
  change: (address: ObjectAddress) => Promise<void>,
): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== "function") return member
      if (name !== operation) return member.bind(target)
      return async (address: ObjectAddress, ...others: unknown[]) => {
        await change(address)
        return await member.apply(target, [address, ...others])
      }
    },
  })
}

function flip(data: Uint8Array, at: number): Uint8Array {
  data[at] = (data[at] ?? 0) ^ 1
  return data
}
