import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { PreconditionError } from "../../../src/errors.ts"
import { rotationId, rotationPaths } from "../../../src/rotation/journal.ts"
import { acquireLock } from "../../../src/transfer/lock.ts"
import { faulty } from "../../support/faults.ts"
import { memorySite, NOW } from "./rotation-site.ts"

type Site = Awaited<ReturnType<typeof memorySite>>

const COUNT = 40
const noteEvery = 4
const keys = Array.from({ length: COUNT }, (_, index) => `k${String(index).padStart(4, "0")}`)

/** A run that broke off after about half of the objects. */
async function brokenOff(): Promise<Site> {
  const site = await memorySite()
  for (const key of keys) await site.put(key, key)
  const store = faulty(site.store, { operation: "copy", call: 25, moment: "before" })
  await expect(site.rotate({ concurrency: 4, noteEvery }, { store })).rejects.toThrow("reset")
  site.store.calls.length = 0
  return site
}

const headed = (site: Site) => site.store.calls.filter(({ operation }) => operation === "head").length

test("a run goes on where the one before it stopped", async () => {
  const site = await brokenOff()
  const outcomes = await site.rotate()
  expect(outcomes.length).toBeLessThan(COUNT)
  expect(headed(site)).toBeLessThan(COUNT)
  expect(site.events.filter(({ type }) => type === "notice")).toHaveLength(1)
  expect((await site.rotate()).every(({ kind }) => kind === "current")).toBe(true)
  expect(headed(site)).toBeGreaterThanOrEqual(COUNT)
  expect(await readdir(join(site.directory, "state", "rotations"))).toEqual([])
})

test("to other KEKs, or a week later, it begins anew", async () => {
  const site = await brokenOff()
  const late = { now: () => NOW + 8 * 86_400_000, delay: async () => undefined }
  expect(await site.rotate({}, { clock: late })).toHaveLength(COUNT)
  const other = await brokenOff()
  expect(await other.rotate({ to: [other.old, other.fresh] })).toHaveLength(COUNT)
})

test("a damaged journal costs looking again, and nothing else", async () => {
  const site = await brokenOff()
  const { journal } = rotationPaths(join(site.directory, "state"), rotationId("memory:", site.request()))
  const text = await readFile(journal, "utf8")
  await writeFile(journal, text.replace("reached", "retched"))
  expect(await site.rotate()).toHaveLength(COUNT)
  await writeFile(journal, "no journal at all\n")
  expect(await site.rotate()).toHaveLength(COUNT)
})

test("two runs of the same targets exclude each other", async () => {
  const site = await memorySite()
  const { lock } = rotationPaths(join(site.directory, "state"), rotationId("memory:", site.request()))
  await using _ = await acquireLock(lock, "it", site.context().random)
  await expect(site.rotate()).rejects.toThrow(PreconditionError)
})

test("no key gets into the journal", async () => {
  const site = await brokenOff()
  const { journal } = rotationPaths(join(site.directory, "state"), rotationId("memory:", site.request()))
  const raw = await site.old.raw?.()
  const text = await readFile(journal, "utf8")
  expect(text).toContain(site.fresh.id)
  if (raw?.type !== "aes") throw new Error("no raw key")
  const bytes = Buffer.from(raw.key.bytes)
  for (const encoding of ["hex", "base64", "base64url"] as const) {
    expect(text).not.toContain(bytes.toString(encoding))
  }
})
