import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { chmod, mkdir, readdir, readFile, rename, stat, symlink, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { layoutOfPlaintext } from "../../../src/agcm/layout.ts"
import {
  DeniedError,
  IntegrityError,
  InterruptedError,
  KeyMissingError,
  LocalIoError,
  PreconditionError,
  UnavailableError,
} from "../../../src/errors.ts"
import type { GetOptions, ObjectStore } from "../../../src/store/store.ts"
import { downloadFile } from "../../../src/transfer/download.ts"
import { windowsAtOnce } from "../../../src/transfer/download-windows.ts"
import { verifyObject } from "../../../src/transfer/verify.ts"
import { faulty } from "../../support/faults.ts"
import {
  geometry,
  journals,
  kekOf,
  makeSite,
  plaintextOf,
  putSealed,
  type Site,
  windowBytes,
} from "./download-fixture.ts"

const address = { bucket: "vault", key: "a/file.bin" }
const segmentBytes = 80 + 4 * 4112
const LARGE = 150_000

async function expectNothingBut(site: Site, ...names: string[]): Promise<void> {
  expect(await readdir(site.targets)).toEqual(names)
  expect(await readdir(join(site.context.stateDirectory, "downloads")).catch(() => [])).toEqual([])
}

test.each([0, 1, 4095, 4096, 4097, 16_384, 16_385, 32_768, 40_000, LARGE])(
  "gets an object of %i bytes and leaves nothing else behind",
  async (bytes) => {
    const site = await makeSite()
    const plaintext = plaintextOf(bytes)
    await putSealed(site.store, address.key, plaintext)
    const result = await downloadFile(site.context, { address, target: site.target, windowBytes })
    expect(result).toMatchObject({ address, target: site.target, bytes, resumedBytes: 0 })
    expect(new Uint8Array(await readFile(site.target))).toEqual(plaintext)
    await expectNothingBut(site, "file")
    const advanced = site.events.flatMap((event) => (event.type === "advanced" ? [event.bytes] : []))
    expect(advanced.reduce((sum, more) => sum + more, 0)).toBe(bytes)
  },
)

test("an object that is longer than a listing said is read in windows all the same", async () => {
  const site = await makeSite()
  const plaintext = plaintextOf(100_000)
  await putSealed(site.store, address.key, plaintext)
  const request = { address, target: site.target, windowBytes, listedBytes: 100 }
  await downloadFile(site.context, request)
  expect(new Uint8Array(await readFile(site.target))).toEqual(plaintext)
  const [whole, ...ranges] = site.store.calls.filter(({ operation }) => operation === "get")
  expect(whole?.range).toBeUndefined()
  expect(ranges.length).toBeGreaterThan(1)
  for (const { range } of ranges)
    expect((range?.end ?? 0) - (range?.start ?? 0)).toBeLessThanOrEqual(windowBytes)
})

test("a large object takes a request for several windows, but for the first and towards its end", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(LARGE))
  site.store.calls.length = 0
  await downloadFile(site.context, { address, target: site.target, windowBytes, concurrency: 1 })
  const stored = LARGE + 10 * 80 + 37 * 16 + 32
  expect(site.store.calls.map(({ range }) => [range?.start, range?.end])).toEqual([
    [0, windowBytes / 2],
    [windowBytes / 2, windowBytes],
    [windowBytes, 3 * windowBytes],
    [3 * windowBytes, 4 * windowBytes],
    [4 * windowBytes, stored],
  ])
})

test("checking takes the same requests, and one for all that a listing says comes with it", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(LARGE))
  await putSealed(site.store, "small", plaintextOf(100))
  const ranges = async (work: () => Promise<unknown>) => {
    site.store.calls.length = 0
    await work()
    return site.store.calls.map(({ range }) => range)
  }
  const request = { address, windowBytes, concurrency: 1 }
  const got = await ranges(() => downloadFile(site.context, { ...request, target: site.target }))
  expect(await ranges(() => verifyObject(site.context, request))).toEqual(got)
  const small = { bucket: "vault", key: "small" }
  const { bytes } = await site.store.head(small)
  expect(await ranges(() => verifyObject(site.context, { address: small, listedBytes: bytes }))).toEqual([
    undefined,
  ])
})

test.each([4112, 9000, 20_000, 60_000])("windows of %i bytes change nothing", async (windowBytes) => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(LARGE))
  await downloadFile(site.context, { address, target: site.target, windowBytes, concurrency: 5 })
  expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE))
})

test("a small object takes one request", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(100))
  site.store.calls.length = 0
  await downloadFile(site.context, { address, target: site.target })
  expect(site.store.calls.map((call) => call.operation)).toEqual(["get"])
})

describe("an interrupted download goes on", () => {
  const calls = Array.from({ length: 6 }, (_, call) => call + 1)
  describe.each(["before", "after", "during"] as const)("connection lost %s the store answers", (moment) => {
    test.each(calls)("at request %i, the next run has the same file", async (call) => {
      const site = await makeSite()
      await putSealed(site.store, address.key, plaintextOf(LARGE))
      const request = { address, target: site.target, windowBytes, concurrency: 2 }
      const context = site.with({ store: faulty(site.store, { call, moment, operation: "get" }) })
      await downloadFile(context, request).catch((error) => expect(error).toBeInstanceOf(UnavailableError))
      const { resumedBytes } = await downloadFile(site.context, request)
      expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE))
      if (call > 3) expect(resumedBytes).toBeGreaterThan(0)
      await expectNothingBut(site, "file")
    })
  })

  test.each(calls)("at request %i, with windows that wait for another one's header", async (call) => {
    for (const moment of ["before", "after", "during"] as const) {
      const site = await makeSite()
      await putSealed(site.store, address.key, plaintextOf(LARGE), {
        geometry: { chunkBytes: 4096, chunksPerSegment: 20 },
      })
      const request = { address, target: site.target, windowBytes, concurrency: 4 }
      const context = site.with({ store: faulty(site.store, { call, moment, operation: "get" }) })
      await expect(downloadFile(context, request)).rejects.toThrow(UnavailableError)
      await downloadFile(site.context, request)
      expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE))
      await expectNothingBut(site, "file")
    }
  })

  test("and fetches only what is missing", async () => {
    const site = await makeSite()
    await broken(site, 3)
    site.store.calls.length = 0
    const { resumedBytes } = await downloadFile(site.context, request(site))
    expect(resumedBytes).toBe(3 * 2 * 16_384)
    const starts = site.store.calls.map(({ range }) => range?.start)
    expect(starts).toEqual([0, 6 * segmentBytes, 8 * segmentBytes])
    expect(site.store.calls[0]?.range).toEqual({ start: 0, end: 80 })
    expect(site.events.findLast((event) => event.type === "started")).toMatchObject({
      doneBytes: resumedBytes,
    })
  })

  test("even where a large segment is only half done", async () => {
    const site = await makeSite()
    const large = { chunkBytes: 4096, chunksPerSegment: 100 }
    await putSealed(site.store, address.key, plaintextOf(LARGE), { geometry: large })
    const context = site.with({ store: faulty(site.store, { call: 4, moment: "before", operation: "get" }) })
    await expect(downloadFile(context, request(site))).rejects.toThrow(UnavailableError)
    const { resumedBytes } = await downloadFile(site.context, request(site))
    expect(resumedBytes).toBeGreaterThan(0)
    expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE))
    await expectNothingBut(site, "file")
  })

  test("but not from windows whose bytes are not on the disk as they were written", async () => {
    const site = await makeSite()
    await broken(site, 3)
    const [name = ""] = await readdir(site.targets)
    const bytes = await readFile(join(site.targets, name))
    bytes[40_000] = (bytes[40_000] ?? 0) ^ 1
    await writeFile(join(site.targets, name), bytes, { flag: "r+" })
    const { resumedBytes } = await downloadFile(site.context, request(site))
    expect(resumedBytes).toBe(2 * 2 * 16_384)
    expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE))
  })

  test("but not in a file that is another one, which is left alone", async () => {
    const site = await makeSite()
    await broken(site, 3)
    const [name = ""] = await readdir(site.targets)
    await rename(join(site.targets, name), join(site.directory, "moved"))
    await writeFile(join(site.targets, name), "mine")
    expect(await downloadFile(site.context, request(site))).toMatchObject({ resumedBytes: 0 })
    expect((await readdir(site.targets)).sort()).toEqual([name, "file"].sort())
    expect(await readFile(join(site.targets, name), "utf8")).toBe("mine")
  })

  test("but not when the object was replaced: it starts over", async () => {
    const site = await makeSite()
    await broken(site, 3)
    await putSealed(site.store, address.key, plaintextOf(LARGE, "another"))
    expect(await downloadFile(site.context, request(site))).toMatchObject({ resumedBytes: 0 })
    expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE, "another"))
    await expectNothingBut(site, "file")
  })

  test("but not when it is not to", async () => {
    const site = await makeSite()
    await broken(site, 3)
    expect(await downloadFile(site.context, { ...request(site), resume: false })).toMatchObject({
      resumedBytes: 0,
    })
    await expectNothingBut(site, "file")
  })

  test.each([
    ["cut in its last line", (text: string) => text.slice(0, -20), 2],
    ["cut in its first line", (text: string) => text.slice(0, 50), 0],
    ["emptied", () => "", 0],
    ["naming windows there are none of", (text: string) => text.replaceAll('"window":1', '"window":999'), 2],
    ["claiming salts that are none", (text: string) => text.replaceAll(/"[0-9a-f]{48}"/g, '"00"'), 0],
    ["without salts", (text: string) => text.replaceAll(/"salts":\{[^}]*\}/g, '"salts":{}'), 0],
  ])("from a journal %s", async (_, change, windows) => {
    const site = await makeSite()
    await broken(site, 3)
    await changeJournal(site, change)
    const { resumedBytes } = await downloadFile(site.context, request(site))
    expect(resumedBytes).toBe(windows * 2 * 16_384)
    expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE))
  })

  test("a second time, from a journal whose last line was cut", async () => {
    const site = await makeSite()
    await broken(site, 3)
    await changeJournal(site, (text) => text.slice(0, -20))
    const lost = site.with({ store: faulty(site.store, { call: 3, moment: "before", operation: "get" }) })
    await expect(downloadFile(lost, request(site))).rejects.toThrow(UnavailableError)
    expect(await downloadFile(site.context, request(site))).toMatchObject({ resumedBytes: 3 * 2 * 16_384 })
    await expectNothingBut(site, "file")
  })

  test("unless a newer version wrote the journal: that is refused, and stays", async () => {
    const site = await makeSite()
    await broken(site, 3)
    await changeJournal(site, (text) => text.replace('"v":1', '"v":2'))
    await expect(downloadFile(site.context, request(site))).rejects.toThrow("written by a newer s3ep")
    expect(await journals(site)).toHaveLength(1)
  })

  function request(site: Site) {
    return { address, target: site.target, windowBytes, concurrency: 1 }
  }

  /** Loses the connection at one request, windows being fetched one after the other. */
  async function broken(site: Site, call: number): Promise<void> {
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    const store = faulty(site.store, { call: call + 1, moment: "before", operation: "get" })
    await expect(downloadFile(site.with({ store }), request(site))).rejects.toThrow(UnavailableError)
    expect(await journals(site)).toHaveLength(1)
    expect(await readdir(site.targets)).toEqual([expect.stringMatching(/^\.file\.s3ep-[0-9a-f]{12}\.part$/)])
  }

  async function changeJournal(site: Site, change: (text: string) => string): Promise<void> {
    const [name = ""] = await journals(site)
    const path = join(site.context.stateDirectory, "downloads", name)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await writeFile(path, change(await readFile(path, "utf8")))
  }
})

test("an interruption keeps what was done, and is what is thrown", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(LARGE))
  const interrupt = new AbortController()
  const onProgress = (event: { type: string }) => {
    if (event.type === "advanced" && ++advanced === 3) interrupt.abort(new InterruptedError("SIGINT"))
  }
  let advanced = 0
  const context = site.with({ signal: interrupt.signal, onProgress })
  const request = { address, target: site.target, windowBytes, concurrency: 1 }
  await expect(downloadFile(context, request)).rejects.toThrow(InterruptedError)
  expect(await journals(site)).toHaveLength(1)
  const { resumedBytes } = await downloadFile(site.context, request)
  expect(resumedBytes).toBeGreaterThan(0)
  expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE))
})

describe("what was altered is refused, and nothing appears", () => {
  const positions = [
    0,
    4,
    8,
    12,
    16,
    20,
    24,
    48,
    79,
    80,
    4191,
    segmentBytes - 1,
    segmentBytes,
    segmentBytes + 30,
  ]
  const last = 150_000 + 10 * 80 + 37 * 16
  test.each([...positions, 70_000, last - 1, last, last + 31])("one bit at %i", async (at) => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    site.store.tamper(address.key, (data) => {
      expect(at).toBeLessThan(data.length)
      data[at] = (data[at] ?? 0) ^ 0x10
      return data
    })
    const refused = downloadFile(site.context, { address, target: site.target, windowBytes })
    await expect(refused).rejects.toThrow(IntegrityError)
    await expect(refused).rejects.toThrow("cannot open s3://vault/a/file.bin: ")
    await expectNothingBut(site)
  })

  test.each([0, 1, 79, 80, 127, 128, segmentBytes, segmentBytes + 32, LARGE])("cut at %i", async (at) => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    site.store.tamper(address.key, (data) => data.slice(0, at))
    await expect(downloadFile(site.context, { address, target: site.target, windowBytes })).rejects.toThrow(
      IntegrityError,
    )
    await expectNothingBut(site)
  })

  test("a byte more", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    site.store.tamper(address.key, (data) => Uint8Array.from([...data, 0]))
    await expect(downloadFile(site.context, { address, target: site.target, windowBytes })).rejects.toThrow(
      IntegrityError,
    )
    await expectNothingBut(site)
  })

  test("a segment of an earlier upload under the same key", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    const earlier = Uint8Array.from(site.store.bytes(address.key))
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    site.store.tamper(address.key, (data) => {
      data.set(earlier.subarray(segmentBytes, 2 * segmentBytes), segmentBytes)
      return data
    })
    await expect(downloadFile(site.context, { address, target: site.target, windowBytes })).rejects.toThrow(
      IntegrityError,
    )
    await expectNothingBut(site)
  })
})

describe("a store that does not answer what it was asked is not believed", () => {
  type Answer = Awaited<ReturnType<ObjectStore["get"]>>
  const lies: [string, (answer: Answer) => Answer][] = [
    ["a body that ends early", (answer) => ({ ...answer, body: cut(answer.body, 1000) })],
    ["a body that goes on", (answer) => ({ ...answer, body: more(answer.body) })],
    ["a body without end", (answer) => ({ ...answer, body: endless() })],
    ["another range", ({ range, ...answer }) => ({ ...answer, range: { ...range, start: range.start + 1 } })],
    ["the whole object", ({ range, ...answer }) => ({ ...answer, range: { ...range, end: range.end + 1 } })],
    ["another length", ({ info, ...answer }) => ({ ...answer, info: { ...info, bytes: info.bytes + 1 } })],
    ["another object", ({ info, ...answer }) => ({ ...answer, info: { ...info, etag: "other" } })],
  ]
  describe.each(lies)("%s", (_, lie) => {
    test.each([1, 2, 3])("at request %i", async (call) => {
      const site = await makeSite()
      await putSealed(site.store, address.key, plaintextOf(LARGE))
      let calls = 0
      const store = Object.create(site.store, {
        endpoint: { value: "memory:" },
        head: { value: (where: typeof address) => site.store.head(where) },
        get: {
          value: async (where: typeof address, options: GetOptions) => {
            const answer = await site.store.get(where, options)
            return ++calls === call ? lie(answer) : answer
          },
        },
      })
      const refused = downloadFile(site.with({ store }), { address, target: site.target, windowBytes })
      await expect(refused).rejects.toSatisfy(
        (error) =>
          error instanceof UnavailableError ||
          error instanceof IntegrityError ||
          error instanceof PreconditionError,
      )
      expect(await readdir(site.targets)).not.toContain("file")
      await downloadFile(site.context, { address, target: site.target, windowBytes })
      await expectNothingBut(site, "file")
    })
  })

  async function* cut(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
    for await (const slice of body) return yield slice.subarray(0, bytes)
  }
  async function* more(body: AsyncIterable<Uint8Array>) {
    yield* body
    yield new Uint8Array(1)
  }
  async function* endless() {
    for (;;) yield new Uint8Array(100_000)
  }
})

describe("targets", () => {
  test("a file keeps its mode and its name's link when it is replaced", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(100))
    await writeFile(join(site.directory, "real"), "old")
    await chmod(join(site.directory, "real"), 0o640)
    await symlink(join(site.directory, "real"), site.target)
    const { target } = await downloadFile(site.context, { address, target: site.target })
    expect(target).toBe(join(site.directory, "real"))
    expect(new Uint8Array(await readFile(join(site.directory, "real")))).toEqual(plaintextOf(100))
    expect((await stat(target)).mode & 0o7777).toBe(0o640)
    await expectNothingBut(site, "file")
  })

  test("mode and time are restored, but never set-id bits", async () => {
    const site = await makeSite()
    const privateMetadata = { mode: 0o6751, mtime: "2021-03-04T05:06:07.123456789Z" }
    await putSealed(site.store, address.key, plaintextOf(100), { privateMetadata })
    await downloadFile(site.context, { address, target: site.target })
    const found = await stat(site.target)
    expect(found.mode & 0o7777).toBe(0o751)
    expect(found.mtime.toISOString()).toBe("2021-03-04T05:06:07.123Z")
    await downloadFile(site.context, { address, target: `${site.target}2`, preserve: false })
    expect((await stat(`${site.target}2`)).mtime.getUTCFullYear()).toBeGreaterThan(2021)
  })

  test("a directory gets a file named as the key's last component", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(100))
    await downloadFile(site.context, { address, target: site.targets })
    await expectNothingBut(site, "file.bin")
  })

  test("a directory of that name is not replaced", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(100))
    await mkdir(join(site.targets, "file.bin"))
    await expect(downloadFile(site.context, { address, target: site.targets })).rejects.toThrow(
      PreconditionError,
    )
  })

  test("what has to be the file itself is no link, no directory and no pipe", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(100))
    await symlink(join(site.directory, "real"), join(site.targets, "link"))
    await mkdir(join(site.targets, "directory"))
    execFileSync("mkfifo", [join(site.targets, "pipe")])
    for (const name of ["link", "directory", "pipe"]) {
      const request = { address, target: join(site.targets, name), exact: true }
      await expect(downloadFile(site.context, request)).rejects.toThrow(PreconditionError)
    }
    const { target } = await downloadFile(site.context, { address, target: site.target, exact: true })
    expect(target).toBe(site.target)
  })

  test("a link to nothing is refused before any request", async () => {
    const site = await makeSite()
    await symlink(join(site.directory, "nowhere"), site.target)
    await expect(downloadFile(site.context, { address, target: site.target })).rejects.toThrow(LocalIoError)
    expect(site.store.calls).toEqual([])
  })

  test("a directory that is not there is refused before any request", async () => {
    const site = await makeSite()
    const target = join(site.targets, "no", "file")
    await expect(downloadFile(site.context, { address, target })).rejects.toThrow(LocalIoError)
    expect(site.store.calls).toEqual([])
  })

  test.each([100, LARGE])("without overwriting, a file of %i bytes that is there stays", async (bytes) => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(bytes))
    const request = { address, target: site.target, windowBytes, overwrite: false }
    await downloadFile(site.context, request)
    await utimes(site.target, 1, 1)
    await expect(downloadFile(site.context, request)).rejects.toThrow("it exists already")
    expect((await stat(site.target)).mtimeMs).toBe(1000)
  })

  test.each([100, LARGE])("without overwriting, one that appears meanwhile stays too", async (bytes) => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(bytes))
    const onProgress = (event: { type: string }) => {
      if (event.type === "started") appeared = writeFile(site.target, "mine")
    }
    let appeared: Promise<void> | undefined
    const request = { address, target: site.target, windowBytes, overwrite: false }
    await expect(downloadFile(site.with({ onProgress }), request)).rejects.toThrow(PreconditionError)
    await appeared
    expect(await readFile(site.target, "utf8")).toBe("mine")
    await expectNothingBut(site, "file")
  })

  test("a name that leaves no room for more is downloaded to all the same", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    const target = join(site.targets, "n".repeat(255))
    await downloadFile(site.context, { address, target, windowBytes })
    await expectNothingBut(site, "n".repeat(255))
  })

  test("a device gets the bytes in order", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    const result = await downloadFile(site.context, { address, target: "/dev/null", windowBytes })
    expect(result).toMatchObject({ target: "/dev/null", bytes: LARGE })
    expect((await stat("/dev/null")).isCharacterDevice()).toBe(true)
  })

  test("one download to a file at a time", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintextOf(LARGE))
    const request = { address, target: site.target, windowBytes, concurrency: 1 }
    const results = await Promise.allSettled([
      downloadFile(site.context, request),
      downloadFile(site.context, request),
    ])
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"])
    const failed = results.find((result) => result.status === "rejected")
    expect(failed?.reason).toBeInstanceOf(PreconditionError)
    expect(new Uint8Array(await readFile(site.target))).toEqual(plaintextOf(LARGE))
    await expectNothingBut(site, "file")
  })
})

test("the wrong key leaves nothing", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(LARGE), { kek: kekOf(9) })
  await expect(downloadFile(site.context, { address, target: site.target, windowBytes })).rejects.toThrow(
    KeyMissingError,
  )
  await expectNothingBut(site)
})

test("an object that claims to be enormous costs no more than what arrives", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(LARGE))
  const { ciphertextBytes } = layoutOfPlaintext(3 * 1024 ** 4, geometry)
  let sent = 0
  const store = Object.create(site.store, {
    endpoint: { value: "memory:" },
    get: {
      value: async (where: typeof address, { range, ...options }: GetOptions) => {
        const { info, body } = await site.store.get(where, options)
        const start = range?.start ?? 0
        const counted = async function* () {
          for await (const slice of body) {
            sent += slice.length
            yield slice
          }
          for (;;) yield new Uint8Array(5000)
        }
        const held = { start, end: Math.min(range?.end ?? ciphertextBytes, ciphertextBytes) }
        return { info: { ...info, bytes: ciphertextBytes }, range: held, body: counted() }
      },
    },
  })
  await expect(downloadFile(site.with({ store }), { address, target: site.target })).rejects.toThrow(
    IntegrityError,
  )
  expect(sent).toBeLessThan(10 * LARGE)
  await expectNothingBut(site)
})

test("a pipe gets the bytes in order, and an end even if there are none", async () => {
  const site = await makeSite()
  const target = join(site.directory, "pipe")
  execFileSync("mkfifo", [target])
  for (const bytes of [LARGE, 0]) {
    await putSealed(site.store, address.key, plaintextOf(bytes))
    const [read] = await Promise.all([
      readFile(target),
      downloadFile(site.context, { address, target, windowBytes }),
    ])
    expect(new Uint8Array(read)).toEqual(plaintextOf(bytes))
  }
  expect((await stat(target)).isFIFO()).toBe(true)
})

test("the key of a version is not needed where only the current one may be read", async () => {
  const site = await makeSite({ versioned: true })
  await putSealed(site.store, address.key, plaintextOf(LARGE))
  const store = Object.create(site.store, {
    endpoint: { value: "memory:" },
    get: {
      value: async (where: typeof address, options: GetOptions) => {
        if (options.versionId !== undefined) throw new DeniedError("s3:GetObjectVersion is not allowed")
        return site.store.get(where, options)
      },
    },
  })
  await downloadFile(site.with({ store }), { address, target: site.target, windowBytes })
  expect(
    createHash("sha256")
      .update(await readFile(site.target))
      .digest("hex"),
  ).toBe(createHash("sha256").update(plaintextOf(LARGE)).digest("hex"))
})

test("large chunks lower how many are fetched at once", async () => {
  const layout = (chunkBytes: number) => layoutOfPlaintext(10 ** 9, { ...geometry, chunkBytes })
  expect(windowsAtOnce(layout(65_536), 8).current).toBe(8)
  expect(windowsAtOnce(layout(16 * 1024 ** 2), 8).current).toBe(2)
  expect(windowsAtOnce(layout(16 * 1024 ** 2), undefined).current).toBe(2)
})
