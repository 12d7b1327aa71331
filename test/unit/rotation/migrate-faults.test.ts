import { describe, expect, test } from "vitest"
import { UnavailableError } from "../../../src/errors.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { faulty } from "../../support/faults.ts"
import { noise, PART, thrown } from "../transfer/upload-site.ts"
import { type MigrateSite, openMigrateSite } from "./migrate-site.ts"

const small = noise(100)
const large = noise(3 * PART + 100)
/** As many as a run over both objects makes. */
const calls = Array.from({ length: 26 }, (_, index) => index + 1)

const places = {
  "in place": { bucket: "vault", key: "in/" },
  "to another prefix": { bucket: "vault", key: "out/" },
} as const

/** Both objects, whichever format they are in: never neither. */
async function checkNothingLost(site: MigrateSite, target: string): Promise<void> {
  for (const [name, content] of [
    ["a.bin", small],
    ["b.bin", large],
  ] as const) {
    if (target === "out/") continue // the sources are never touched
    const migrated = "s3ep-format" in site.site.store.settings(`in/${name}`).metadata
    if (migrated) expect(await site.opened(`in/${name}`)).toEqual(content)
    else expect(site.site.store.bytes(`in/${name}`).subarray(0, 5)).toEqual(Uint8Array.of(65, 71, 67, 77, 1))
  }
}

async function checkDone(site: MigrateSite, target: string): Promise<void> {
  expect(await site.opened(`${target}a.bin`)).toEqual(small)
  expect(await site.opened(`${target}b.bin`)).toEqual(large)
  const keys = ["a.bin", "b.bin"].map((name) => `in/${name}`)
  expect(await site.keys()).toEqual([...new Set([...keys, `${target}a.bin`, `${target}b.bin`])].sort())
  expect([...site.site.store.uploads]).toEqual([])
}

/** From that call on, nothing reaches the store, and nothing that it did is heard of. */
function dyingAt(store: ObjectStore, call: number, moment: "before" | "after"): ObjectStore {
  const dead = faulty(store, { moment: "before" })
  const first = faulty(store, { call, moment })
  let count = 0
  return new Proxy(store, {
    get(_, name) {
      const counted = name !== "limits" && name !== "close" && name !== "endpoint"
      if (counted) count++
      return Reflect.get(count > call ? dead : first, name)
    },
  })
}

describe.each(Object.entries(places))("%s", (_, target) => {
  describe.each(["before", "after"] as const)("connection lost %s the store acts", (moment) => {
    test.each(calls)("at call %i, the next run completes both objects", async (call) => {
      await using site = await openMigrateSite()
      await site.put("in/a.bin", small)
      await site.put("in/b.bin", large)
      await site.run({ target }, faulty(site.site.store, { call, moment })).catch(expectLost)
      await checkNothingLost(site, target.key)
      const items = await site.run({ target })
      expect(items.map(({ error }) => error)).toEqual([null, null])
      await checkDone(site, target.key)
    })

    // Elsewhere the sources stay, and what matters is tried above.
    const killed = target.key === "in/" ? calls : []
    test.each(killed)("for good from call %i on, the next run completes both objects", async (call) => {
      await using site = await openMigrateSite()
      await site.put("in/a.bin", small)
      await site.put("in/b.bin", large)
      await site.run({ target }, dyingAt(site.site.store, call, moment)).catch(expectLost)
      await checkNothingLost(site, target.key)
      const items = await site.run({ target })
      expect(items.map(({ error }) => error)).toEqual([null, null])
      await checkDone(site, target.key)
    })
  })
})

test("what was written beside and read back is not written again", async () => {
  await using site = await openMigrateSite()
  await site.put("in/b.bin", large)
  const { store } = site.site
  await site.run({}, faulty(store, { operation: "completeUpload", call: 1, moment: "before" }))
  const before = store.calls.length
  const [item] = await site.run()
  expect(item?.outcome).toBe("migrated")
  expect(await site.opened("in/b.bin")).toEqual(large)
  const operations = store.calls.slice(before).map(({ operation }) => operation)
  expect(operations).not.toContain("putStream")
  expect(operations).not.toContain("put")
})

test("an interruption keeps what was done, and leaves the object as it was", async () => {
  await using site = await openMigrateSite()
  await site.put("in/b.bin", large)
  const { store } = site.site
  const before = store.bytes("in/b.bin")
  const stop = new AbortController()
  const reason = new Error("stopped by the test")
  const context = site.context({ signal: stop.signal })
  const { migrate } = await import("../../../src/rotation/migrate.ts")
  const stopping: ObjectStore = new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (name === "createUpload") stop.abort(reason)
      return typeof member === "function" ? member.bind(target) : member
    },
  })
  const request = { source: places["in place"], target: places["in place"], recursive: true }
  expect(await thrown(migrate({ ...context, store: stopping }, request))).toBe(reason)
  expect(store.bytes("in/b.bin")).toEqual(before)
  expect(await site.run()).toMatchObject([{ outcome: "migrated" }])
  expect(await site.opened("in/b.bin")).toEqual(large)
  expect(await site.keys()).toEqual(["in/b.bin"])
})

function expectLost(error: unknown): void {
  expect(error).toBeInstanceOf(UnavailableError)
}
