import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { DialectFile } from "../../../src/store/dialect.ts"

let directory: string
let nowMs: number
const open = (name = "state/dialects.json") => new DialectFile(join(directory, name), () => nowMs)

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "s3ep-dialect-"))
  nowMs = 1_000_000_000
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const ceph = { service: "ceph", features: { "put-if-none-match": true, "put-if-match": false } } as const

test("what was found out is remembered for each endpoint", async () => {
  expect(await open().load("http://one")).toEqual({ features: {} })
  await open().save("http://one", ceph)
  await open().save("http://two", { features: { trailers: true } })
  expect(await open().load("http://one")).toMatchObject(ceph)
  expect(await open().load("http://two")).toMatchObject({ features: { trailers: true } })
})

test("the file is its owner's alone, and nothing is left beside it", async () => {
  await open().save("http://one", ceph)
  const state = join(directory, "state")
  expect((await stat(join(state, "dialects.json"))).mode & 0o777).toBe(0o600)
  expect((await stat(state)).mode & 0o777).toBe(0o700)
  expect(await readdir(state)).toEqual(["dialects.json"])
})

test("what a killed process left beside it is removed, and nothing else", async () => {
  const state = join(directory, "state")
  await open().save("http://one", ceph)
  const dead = `dialects.json.${spawnSync("true").pid}.${randomUUID()}`
  const others = [`dialects.json.${process.pid}.${randomUUID()}`, "dialects.json.mine", "another.json"]
  for (const name of [dead, ...others]) await writeFile(join(state, name), "{")
  await open().save("http://two", ceph)
  expect((await readdir(state)).sort()).toEqual(["dialects.json", ...others].sort())
})

test("after a month it is asked again", async () => {
  await open().save("http://one", ceph)
  nowMs += 29 * 86_400_000
  expect(await open().load("http://one")).toMatchObject(ceph)
  nowMs += 2 * 86_400_000
  expect(await open().load("http://one")).toEqual({ features: {} })
})

test.each([
  "",
  "{",
  "null",
  "[]",
  '{"version":2,"endpoints":{"http://one":{"at":1e9,"features":{"trailers":true}}}}',
  '{"version":1,"endpoints":[]}',
  '{"version":1,"endpoints":{"http://one":{"at":"x"}}}',
])("a damaged file is ignored and written anew: %s", async (text) => {
  const file = join(directory, "dialects.json")
  await writeFile(file, text)
  expect(await open("dialects.json").load("http://one")).toEqual({ features: {} })
  await open("dialects.json").save("http://one", ceph)
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({
    version: 1,
    endpoints: { "http://one": ceph },
  })
})

test("only known answers are taken from the file", async () => {
  const features = { trailers: true, "put-if-match": "yes", surprise: true, constructor: true }
  const endpoints = { "http://one": { at: nowMs, service: "toaster", features } }
  await writeFile(join(directory, "dialects.json"), JSON.stringify({ version: 1, endpoints }))
  expect(await open("dialects.json").load("http://one")).toEqual({ at: nowMs, features: { trailers: true } })
})

test("without a file, or where none can be written, nothing is remembered and nothing fails", async () => {
  const none = new DialectFile(undefined, () => nowMs)
  await none.save("http://one", ceph)
  expect(await none.load("http://one")).toEqual({ features: {} })
  await writeFile(join(directory, "in-the-way"), "")
  await open("in-the-way/dialects.json").save("http://one", ceph)
  expect(await open("in-the-way/dialects.json").load("http://one")).toEqual({ features: {} })
})
