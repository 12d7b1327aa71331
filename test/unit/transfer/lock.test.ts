import { createHash } from "node:crypto"
import { readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { systemRandom } from "../../../src/keys/random.ts"
import { acquireLock, type Lock, lockHolder, type ProcessTable } from "../../../src/transfer/lock.ts"
import { openSite, type Site, thrown } from "./upload-site.ts"

/** A machine's processes: pid to start time. */
function machine(
  pid: number,
  running: Record<number, string>,
  over: Partial<ProcessTable> = {},
): ProcessTable {
  return { pid, host: "here", boot: "boot-1", startOf: (other) => running[other] ?? null, ...over }
}

const both = { 1: "100", 2: "200" }
const lockOf = (site: Site): string => join(site.directory, "state/x.lock")
const acquire = (site: Site, processes: ProcessTable): Promise<Lock> =>
  acquireLock(lockOf(site), "the upload of s3://vault/a", systemRandom, processes)

test("a lock keeps others out until it is released", async () => {
  await using site = await openSite()
  const lock = await acquire(site, machine(1, both))
  const refused = await thrown(acquire(site, machine(2, both)))
  expect(refused).toMatchObject({ code: "S3EP_PRECONDITION", message: expect.stringContaining("process 1") })
  expect(await lockHolder(lockOf(site), machine(2, both))).toMatchObject({ pid: 1 })
  await lock[Symbol.asyncDispose]()
  await using _second = await acquire(site, machine(2, both))
  expect(await readdir(join(site.directory, "state"))).toEqual(["x.lock"])
  expect((await stat(lockOf(site))).mode & 0o777).toBe(0o600)
})

test("one process cannot take it twice", async () => {
  await using site = await openSite()
  await using _lock = await acquire(site, machine(1, both))
  expect(await thrown(acquire(site, machine(1, both)))).toMatchObject({ code: "S3EP_PRECONDITION" })
})

describe("a lock of a dead process is taken over", () => {
  test.each<[string, ProcessTable]>([
    ["that ended", machine(2, { 2: "200" })],
    ["whose number another one has", machine(2, { 1: "999", 2: "200" })],
    ["of before the last boot", machine(2, both, { boot: "boot-2" })],
  ])("%s", async (_, later) => {
    await using site = await openSite()
    await acquire(site, machine(1, both))
    expect(await lockHolder(lockOf(site), later)).toBeNull()
    await using lock = await acquire(site, later)
    expect(JSON.parse(await readFile(lockOf(site), "utf8"))).toEqual(lock.owner)
    expect(await readdir(join(site.directory, "state"))).toEqual(["x.lock"])
  })

  test("and what it left while taking it is removed; what a living one has is not", async () => {
    await using site = await openSite()
    await acquire(site, machine(1, both))
    const dead = await readFile(lockOf(site), "utf8")
    const alive = JSON.stringify({ ...JSON.parse(dead), pid: 3, started: "300" })
    await writeFile(`${lockOf(site)}.0123456789abcdef`, dead)
    await writeFile(`${lockOf(site)}.after-0123456789abcdef`, dead)
    await writeFile(`${lockOf(site)}.fedcba9876543210`, alive)
    await using _lock = await acquire(site, machine(2, { 2: "200", 3: "300" }))
    const left = await readdir(join(site.directory, "state"))
    expect(left.sort()).toEqual(["x.lock", "x.lock.fedcba9876543210"])
  })

  test("and what it died before the first byte of, which only its name tells", async () => {
    await using site = await openSite()
    await acquire(site, machine(1, both))
    const hostOf = (host: string) => createHash("sha256").update(host).digest("hex").slice(0, 8)
    const named = (pid: number, host: string) => `x.lock.${pid}-${hostOf(host)}.0123456789abcdef`
    for (const name of [named(1, "here"), named(3, "here"), named(1, "there")]) {
      await writeFile(join(site.directory, "state", name), "")
    }
    await using _lock = await acquire(site, machine(2, { 2: "200", 3: "300" }))
    const left = await readdir(join(site.directory, "state"))
    expect(left.sort()).toEqual(["x.lock", named(1, "there"), named(3, "here")].sort())
  })

  test("but not one of another machine, which nobody here can ask", async () => {
    await using site = await openSite()
    await acquire(site, machine(1, both, { host: "there" }))
    const error = await thrown(acquire(site, machine(2, { 2: "200" })))
    expect(error).toMatchObject({ hint: expect.stringContaining(lockOf(site)) })
  })

  test("nor one whose start nobody can tell", async () => {
    await using site = await openSite()
    await acquire(site, machine(1, both))
    expect(await thrown(acquire(site, machine(2, { 1: "", 2: "" })))).toMatchObject({ exitCode: 8 })
  })

  test("even if its file was torn by a crash of the system", async () => {
    await using site = await openSite()
    await (await acquire(site, machine(1, both)))[Symbol.asyncDispose]()
    await writeFile(lockOf(site), "")
    await using _lock = await acquire(site, machine(2, both))
  })

  test("by exactly one of many that try, even after one of them died doing so", async () => {
    await using site = await openSite()
    const dead = await acquire(site, machine(1, both))
    await acquireLock(`${lockOf(site)}.after-${dead.owner.nonce}`, "", systemRandom, machine(1, both))
    const running: Record<number, string> = {}
    for (let pid = 10; pid < 30; pid++) running[pid] = `${pid}00`
    const tries = Object.keys(running).map((pid) => acquire(site, machine(Number(pid), running)))
    const outcomes = await Promise.allSettled(tries)
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  })
})

test("releasing does not take away what somebody else has taken over", async () => {
  await using site = await openSite()
  const first = await acquire(site, machine(1, both))
  await using second = await acquire(site, machine(2, { 2: "200" }))
  await first[Symbol.asyncDispose]()
  expect(await lockHolder(lockOf(site), machine(2, both))).toEqual(second.owner)
})

test("this process is told from one that ended", async () => {
  await using site = await openSite()
  await using lock = await acquireLock(lockOf(site), "", systemRandom)
  expect(await lockHolder(lockOf(site))).toEqual(lock.owner)
  await writeFile(lockOf(site), JSON.stringify({ ...lock.owner, pid: 2 ** 30 }))
  expect(await lockHolder(lockOf(site))).toBeNull()
})
