import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { appendFile, mkdir, readdir, readFile, symlink, truncate, writeFile } from "node:fs/promises"
import { describe, expect, onTestFinished, test } from "vitest"
import { DeniedError } from "../../src/errors.ts"
import { faulty } from "../support/faults.ts"
import type { MemoryStore } from "../support/memory-store.ts"
import { runCli } from "../support/run-cli.ts"
import { type CliSite, openCliSite } from "./cli-site.ts"

// The disk, the file system, the source and the clock play tricks. One clear error, the right status, nothing lost.

const MIB = 1024 ** 2
const PART = 16 * 1024
const UPLOAD = ["--part-size", "16KiB", "--chunk-size", "4KiB", "--no-progress"]
const smallParts = { limits: { minPartBytes: 4096 } }
const content = (bytes: number, seed = 7) =>
  Buffer.from(Array.from({ length: bytes }, (_, at) => (at * seed) >>> 2))
/** Mounting takes root, as CI is; anybody else sees these skipped. */
const asRoot = test.runIf(process.getuid?.() === 0 && process.platform === "linux")

/** A file system of its own at a directory of the home; gone when the test is over. */
async function mounted(site: CliSite, name: string, options: string): Promise<(options: string) => void> {
  const path = site.home.path(name)
  await mkdir(path, { recursive: true, mode: 0o700 })
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path])
  onTestFinished(() => void execFileSync("umount", ["-l", path]))
  return (changed) => void execFileSync("mount", ["-o", `remount,${changed}`, path])
}

describe("a disk that fills", () => {
  asRoot("while a download is written: the old file stays, and with room it goes on", async () => {
    const site = await openCliSite()
    await writeFile(site.home.path("big"), content(20 * MIB))
    await site.succeed(["put", "big", "s3://vault/big", "--part-size", "5MiB", "--no-progress"])
    const remount = await mounted(site, "disk", `size=${17 * MIB}`)
    await writeFile(site.home.path("disk/big"), "the old one")
    const get = ["get", "s3://vault/big", "disk/big", "--no-progress", "--json"]
    const env = { S3EP_CONCURRENCY: "1" }
    const full = await site.run(get, { env })
    expect(full.status).toBe(10)
    expect(full.events.at(-1)).toMatchObject({
      message: expect.stringContaining("no space left on the device"),
      hint: expect.stringContaining("make room"),
    })
    expect(await readFile(site.home.path("disk/big"), "utf8")).toBe("the old one")
    remount(`size=${48 * MIB}`)
    const { lines } = await site.succeed(get, { env })
    expect(lines[0]).toMatchObject({
      type: "fetched",
      resumedBytes: expect.toSatisfy((bytes) => bytes > 10 * MIB),
    })
    expect((await readFile(site.home.path("disk/big"))).equals(content(20 * MIB))).toBe(true)
    expect(await readdir(site.home.path("disk"))).toEqual(["big"])
  })

  asRoot("while a small download is written: nothing is left of it", async () => {
    const site = await openCliSite()
    await site.succeed(["put", "-", "s3://vault/a"], { stdin: content(300_000) })
    await mounted(site, "disk", "size=128k")
    const { status, stderr } = await site.run(["get", "s3://vault/a", "disk/"])
    expect(status).toBe(10)
    expect(stderr).toMatch(
      /^s3ep: error: cannot write .*: no space left on the device\ns3ep: hint: make room/,
    )
    expect(await readdir(site.home.path("disk"))).toEqual([])
  })

  asRoot("before a journal is there: nothing was begun", async () => {
    const site = await openCliSite(smallParts)
    await mounted(site, "state", "size=4k")
    await mkdir(site.home.path("state/s3ep"))
    await writeFile(site.home.path("state/filler"), content(4096)).catch(() => undefined)
    await writeFile(site.home.path("a"), content(5 * PART))
    const { status, stderr } = await site.run(["put", "a", "s3://vault/a", ...UPLOAD])
    expect(status, stderr).toBe(10)
    expect(site.store.uploads.size).toBe(0)
    expect(() => site.store.bytes("a")).toThrow()
  })

  asRoot("in the middle of a journal: what was sent is kept, and with room it goes on", async () => {
    const site = await openCliSite(smallParts)
    const remount = await mounted(site, "state", "size=24k")
    await writeFile(site.home.path("a"), content(120 * PART))
    const put = ["put", "a", "s3://vault/a", "--json", ...UPLOAD]
    const full = await site.run(put)
    expect(full.status, full.stderr).toBe(10)
    expect(full.stderr).toContain("no space left on the device")
    expect(site.store.uploads.size).toBe(1)
    remount("size=1m")
    const { lines } = await site.succeed(put)
    expect(lines[0]).toMatchObject({ type: "stored", resumedParts: expect.toSatisfy((parts) => parts > 5) })
    await site.succeed(["get", "s3://vault/a", "back", "--no-progress"])
    expect((await readFile(site.home.path("back"))).equals(content(120 * PART))).toBe(true)
  })
})

describe("a state directory that cannot be written", () => {
  asRoot("stops what needs it before anything is begun, and says where", async () => {
    const site = await openCliSite(smallParts)
    await mounted(site, "state", "ro")
    await writeFile(site.home.path("a"), content(5 * PART))
    const { status, stderr } = await site.run(["put", "a", "s3://vault/a", ...UPLOAD])
    expect(status, stderr).toBe(10)
    expect(stderr).toMatch(/^s3ep: error: cannot write .*state.*: the file system is read-only\n/)
    expect(site.store.uploads.size).toBe(0)
    const small = await site.run(["put", "-", "s3://vault/small", "--no-progress"], { stdin: content(10) })
    expect(small.status, small.stderr).toBe(0)
    const back = await site.run(["get", "s3://vault/small", "-", "--no-progress"])
    expect(back.data).toEqual(content(10))
  })
})

describe("a source that changes while it is read", () => {
  /** The store, and something that happens before a request of it. */
  function meanwhile(
    store: MemoryStore,
    operation: "uploadPart" | "limits",
    call: number,
    happen: () => Promise<void>,
  ) {
    let calls = 0
    return new Proxy(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== "function") return member
        if (name !== operation) return member.bind(target)
        return async (...given: unknown[]) => {
          if (++calls === call) await happen()
          return Reflect.apply(member, target, given)
        }
      },
    })
  }
  const changes: [string, number, (path: string) => Promise<void>][] = [
    ["shrinks", 10, (path) => truncate(path, 3 * PART)],
    ["shrinks to nothing", 10, (path) => truncate(path, 0)],
    ["grows", 8, (path) => appendFile(path, "more")],
    ["is written to", 8, (path) => writeFile(path, content(40 * PART, 11))],
  ]
  test.each(changes)("%s: no object is made of it", async (_, status, change) => {
    for (const [operation, call, bytes] of [
      ["uploadPart", 3, 40 * PART],
      ["limits", 1, 2 * PART],
    ] as const) {
      const site = await openCliSite(smallParts)
      const path = site.home.path("a")
      await writeFile(path, content(bytes))
      const store = meanwhile(site.store, operation, call, () => change(path))
      const put = ["put", "a", "s3://vault/a", "--concurrency", "1", ...UPLOAD]
      const { status: ended, stderr } = await site.run(put, { store })
      expect([status, 8], stderr).toContain(ended)
      expect(stderr).toMatch(/changed while it was read|was cut while it was read/)
      expect(() => site.store.bytes("a")).toThrow()
      await site.succeed(put)
      await site.succeed(["get", "s3://vault/a", "back", "--no-progress"])
      expect(await readFile(site.home.path("back"))).toEqual(await readFile(path))
      expect(site.store.uploads.size).toBe(0)
    }
  })
})

describe("a source that cannot be read", () => {
  test.runIf(process.platform === "linux").each([
    ["/proc/self/mem", 10, /cannot read \/proc\/self\/mem: the device failed/],
    ["/proc/cpuinfo", 2, /hint: pipe it/],
    ["/proc", 2, /is a directory/],
    ["gone/a", 10, /no such file or directory/],
  ])("%s", async (path, status, said) => {
    const site = await openCliSite()
    const { status: ended, stderr } = await site.run(["put", path, "s3://vault/a"])
    expect(stderr).toMatch(said)
    expect(ended).toBe(status)
    expect(() => site.store.bytes("a")).toThrow()
  })

  asRoot(
    "on a mount that goes away: what was there before is stored, and the rest said to be missing",
    async () => {
      const site = await openCliSite()
      await mkdir(site.home.path("tree"))
      await writeFile(site.home.path("tree/a"), "a")
      await mounted(site, "tree/z", "size=64k")
      for (const name of ["b", "c"]) await writeFile(site.home.path(`tree/z/${name}`), name)
      const path = site.home.path("tree/z")
      let puts = 0
      const store = new Proxy(site.store, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name)
          if (typeof member !== "function") return member
          if (name !== "put") return member.bind(target)
          return async (...given: unknown[]) => {
            if (++puts === 1) execFileSync("umount", ["-l", path])
            return Reflect.apply(member, target, given)
          }
        },
      })
      const { status, stderr } = await site.run(["put", "-r", "tree", "s3://vault/", "--concurrency", "1"], {
        store,
      })
      execFileSync("mount", ["-t", "tmpfs", "tmpfs", path]) // for the end of the test to take away
      expect([0, 3, 10], stderr).toContain(status)
      if (status !== 0) expect(stderr).toContain("no such file or directory")
    },
  )
})

describe("a target", () => {
  async function withObject(): Promise<CliSite> {
    const site = await openCliSite()
    await site.succeed(["put", "-", "s3://vault/a"], { stdin: content(100_000) })
    return site
  }

  test("that is a link: what it points to is replaced, and the link stays", async () => {
    const site = await withObject()
    await writeFile(site.home.path("real"), "old")
    await symlink("real", site.home.path("link"))
    await site.succeed(["get", "s3://vault/a", "link"])
    expect(await readFile(site.home.path("real"))).toEqual(content(100_000))
  })

  test("that is a link to nothing is refused", async () => {
    const site = await withObject()
    await symlink("nowhere", site.home.path("link"))
    expect((await site.run(["get", "s3://vault/a", "link"])).status).toBe(10)
    expect(await readdir(site.home.directory)).not.toContain("nowhere")
  })

  test("that is a directory gets the file in it, unless a directory has its name", async () => {
    const site = await withObject()
    await mkdir(site.home.path("into/a"), { recursive: true })
    expect((await site.run(["get", "s3://vault/a", "into"])).status).toBe(8)
    expect(await readdir(site.home.path("into/a"))).toEqual([])
  })

  test.runIf(process.platform !== "win32")("that is a fifo gets the bytes", async () => {
    const site = await withObject()
    const fifo = site.home.path("fifo")
    execFileSync("mkfifo", [fifo])
    const reader = spawn("cat", [fifo], { stdio: ["ignore", "pipe", "inherit"] })
    const pieces: Buffer[] = []
    reader.stdout.on("data", (piece: Buffer) => pieces.push(piece))
    const closed = once(reader, "close")
    await site.succeed(["get", "s3://vault/a", "fifo"])
    await closed
    expect(Buffer.concat(pieces)).toEqual(content(100_000))
  })
})

describe("a clock that jumps back", () => {
  const THEN = Date.parse("2026-03-01T12:00:00Z")
  const YEARS_BEFORE = Date.parse("2019-01-01T00:00:00Z")

  async function interrupted(): Promise<CliSite> {
    const site = await openCliSite(smallParts)
    await writeFile(site.home.path("a"), content(20 * PART))
    const error = new DeniedError("stopped by the test")
    const store = faulty(site.store, { operation: "uploadPart", call: 6, moment: "before", error })
    expect((await site.run(["put", "a", "s3://vault/a", ...UPLOAD], { store, now: THEN })).status).toBe(7)
    return site
  }

  test("does not keep an upload from going on", async () => {
    const site = await interrupted()
    const { lines } = await site.succeed(["put", "a", "s3://vault/a", "--json", ...UPLOAD], {
      now: YEARS_BEFORE,
    })
    expect(lines[0]).toMatchObject({ resumedParts: expect.toSatisfy((parts) => parts > 0) })
  })

  test("makes nothing old enough to be cleaned away", async () => {
    const site = await interrupted()
    const { lines } = await site.succeed(["mp-upload", "clean", "--older-than", "0s", "--json"], {
      now: YEARS_BEFORE,
    })
    expect(lines.filter(({ type }) => type === "aborted")).toEqual([])
    expect(site.store.uploads.size).toBe(1)
  })
})

test("a key that cannot be read is one error, however many files there are", async () => {
  const site = await openCliSite()
  await mkdir(site.home.path("tree"))
  for (const name of ["a", "b", "c"]) await writeFile(site.home.path(`tree/${name}`), content(10))
  await mkdir(site.home.path("config/s3ep/keys"), { recursive: true })
  await writeFile(site.home.path("config/s3ep/keys/default.key"), "torn", { mode: 0o600 })
  const put = ["put", "-r", "tree", "s3://vault/tree/", "--no-progress"]
  const { status, stderr } = await runCli(put, { home: site.home, store: site.store, env: {} })
  expect(status, stderr).toBe(5)
  expect(stderr.match(/error:/g)).toHaveLength(1)
})
