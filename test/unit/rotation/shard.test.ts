import { describe, expect, test } from "vitest"
import { UsageError } from "../../../src/errors.ts"
import { ShardResults } from "../../../src/rotation/results.ts"
import { fallsTo, parseShard } from "../../../src/rotation/shard.ts"
import { memorySite } from "./rotation-site.ts"

test("every key falls to exactly one shard, in about even numbers", () => {
  const keys = Array.from({ length: 3000 }, (_, index) => `photos/${index}.jpg`)
  const counts = [0, 1, 2].map((index) => keys.filter((key) => fallsTo(key, { index, count: 3 })).length)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3000)
  for (const count of counts) expect(count).toBeGreaterThan(900)
})

describe("which shard this is", () => {
  const batch = { AWS_BATCH_JOB_ARRAY_INDEX: "3", AWS_BATCH_JOB_ARRAY_SIZE: "8" }
  const kubernetes = { JOB_COMPLETION_INDEX: "2" }

  test.each([
    ["0/4", {}, { index: 0, count: 4 }],
    ["3/4", kubernetes, { index: 3, count: 4 }],
    ["auto", batch, { index: 3, count: 8 }],
    ["auto/8", batch, { index: 3, count: 8 }],
    ["auto/5", kubernetes, { index: 2, count: 5 }],
  ])("%s in %j", (given, env, shard) => {
    expect(parseShard(given, env)).toEqual(shard)
  })

  test.each([
    ["4/4", {}],
    ["1/0", {}],
    ["", {}],
    ["two", {}],
    ["2", kubernetes],
    ["-1/4", {}],
    ["auto", {}],
    ["auto/4", {}],
    ["auto", kubernetes],
    ["auto/4", batch],
    ["auto/2", kubernetes],
  ])("%s in %j is refused", (given, env) => {
    expect(() => parseShard(given, env)).toThrow(UsageError)
  })
})

describe("results of shards", () => {
  const started = "2026-03-01T00:00:00.000Z"
  const ended = "2026-03-01T01:00:00.000Z"
  const done = (counts: Record<string, number>) => ({ state: "finished", started, ended, counts }) as const

  test("all finished", async () => {
    const site = await memorySite()
    const results = new ShardResults(site.context(), site.request())
    await results.write({ index: 0, count: 2 }, done({ moved: 3 }))
    await results.write({ index: 1, count: 2 }, done({ moved: 4, current: 1 }))
    expect(await results.merge(2)).toEqual({
      shards: 2,
      complete: true,
      missing: [],
      running: [],
      failed: [],
      counts: { moved: 7, current: 1 },
      started,
      ended,
    })
    await results.remove(2)
    expect(await results.merge(2)).toMatchObject({ complete: false, missing: [0, 1] })
  })

  test("missing, running, failed, of another number, too old, nonsense", async () => {
    const site = await memorySite()
    const results = new ShardResults(site.context(), site.request())
    const count = 6
    await results.write({ index: 0, count }, done({ moved: 1 }))
    await results.write({ index: 1, count }, { state: "running", started, ended: null, counts: {} })
    await results.write({ index: 2, count }, done({ failed: 1 }))
    await results.write({ index: 3, count: 7 }, done({ moved: 1 }))
    await results.write({ index: 4, count }, { ...done({ moved: 9 }), started: "2025-12-01T00:00:00.000Z" })
    const [key = ""] = site.store.calls.flatMap(({ operation, key }) =>
      operation === "put" && key ? [key] : [],
    )
    const nonsense = { bucket: "vault", key: key.replace("0-of-6", "5-of-6") }
    await site.store.put(nonsense, Buffer.from("{}"), { settings: { metadata: {} } })
    expect(await results.merge(count)).toMatchObject({
      complete: false,
      missing: [3, 4, 5],
      running: [1],
      failed: [2],
      counts: { moved: 1, failed: 1 },
    })
  })

  test("they are of one tree, and of one kind of rotation", async () => {
    const site = await memorySite()
    const object = { kind: "object", address: { bucket: "vault", key: "a" } } as const
    expect(() => new ShardResults(site.context(), site.request({ targets: [object] }))).toThrow(UsageError)
    await new ShardResults(site.context(), site.request()).write({ index: 0, count: 1 }, done({}))
    const other = new ShardResults(site.context(), site.request({ reencrypt: true }))
    expect(await other.merge(1)).toMatchObject({ missing: [0] })
  })

  test("what shards leave in the bucket is no object of a rotation", async () => {
    const site = await memorySite()
    await new ShardResults(site.context(), site.request()).write({ index: 0, count: 1 }, done({}))
    expect(await site.rotate()).toEqual([])
  })
})
