import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { calls, syncs } from "../../../src/files/calls.ts"
import { OpenFile } from "../../../src/files/open-file.ts"

let root: string
let path: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "s3ep-open-file-"))
  path = join(root, "file")
})

afterEach(async () => {
  vi.restoreAllMocks()
  await rm(root, { recursive: true })
})

describe.each(["here", "in the pool"])("calls made %s", (where) => {
  beforeEach(() => {
    for (const kind of [calls, syncs]) {
      vi.spyOn(kind, "make").mockImplementation((here, inPool) => (where === "here" ? here() : inPool()))
    }
  })

  test("do what they say", async () => {
    const file = await OpenFile.open(path, "wx+", 0o600)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await file.write(0, [Buffer.from("ab"), Buffer.from("cdef")])).toBe(6)
    expect(await file.write(1, [Buffer.from("B")])).toBe(1)
    const into = new Uint8Array(3)
    expect(await file.read(1, into)).toBe(3)
    expect(Buffer.from(into).toString()).toBe("Bcd")
    await file.truncate(5)
    await file.chmod(0o640)
    await file.utimes(1234.5)
    await file.sync()
    expect((await file.stat()).size).toBe(5n)
    await file.close()
    expect(await readFile(path, "utf8")).toBe("aBcde")
    const { mode, mtimeMs } = await stat(path)
    expect([mode & 0o777, mtimeMs]).toEqual([0o640, 1_234_500])
  })

  test("fail as the system says", async () => {
    await expect(OpenFile.open(join(root, "none"), "r")).rejects.toMatchObject({ code: "ENOENT" })
    await using file = await OpenFile.open(path, "w")
    await expect(file.read(0, new Uint8Array(1))).rejects.toMatchObject({ code: "EBADF" })
  })

  test("are a caller's bug once the file was closed, but for closing it again", async () => {
    const file = await OpenFile.open(path, "w")
    await file.close()
    await file.close()
    await expect(file.write(0, [new Uint8Array(1)])).rejects.toThrow(TypeError)
    await expect(file.sync()).rejects.toThrow(TypeError)
  })
})

describe.each([true, false])("where calls are quick: %j, several pieces", (areQuick) => {
  const pieces = [65_536, 65_536, 7, 65_536, 100_000, 1].map((bytes, index) =>
    Buffer.alloc(bytes, `${index}`),
  )

  test("are written one behind the other", async () => {
    vi.spyOn(calls, "areQuick", "get").mockReturnValue(areQuick)
    await using file = await OpenFile.open(path, "wx")
    let written = 0
    for (let left: Uint8Array[] = pieces; left.length > 0; ) {
      const bytes = await file.write(written, left)
      expect(bytes).toBeGreaterThan(0)
      written += bytes
      left = [Buffer.concat(left).subarray(bytes)].filter(({ length }) => length > 0)
    }
    expect(await readFile(path)).toEqual(Buffer.concat(pieces))
  })

  test("are written here, as far as they are small, or handed over together", async () => {
    vi.spyOn(calls, "areQuick", "get").mockReturnValue(areQuick)
    await using file = await OpenFile.open(path, "wx")
    const here = vi.spyOn(calls, "make")
    expect(await file.write(0, pieces)).toBe(
      areQuick ? 3 * 65_536 + 7 : pieces.reduce((sum, { length }) => sum + length, 0),
    )
    expect(here).toHaveBeenCalledTimes(areQuick ? 4 : 0)
  })
})

test("a sync is handed over if there is much to wait for", async () => {
  const here = vi.spyOn(syncs, "make")
  await using file = await OpenFile.open(path, "wx")
  await file.write(0, [new Uint8Array(1000)])
  await file.sync()
  expect(here).toHaveBeenCalledTimes(1)
  await file.write(0, [new Uint8Array(60_000)])
  await file.write(60_000, [new Uint8Array(60_000)])
  await file.sync()
  expect(here).toHaveBeenCalledTimes(1)
  await file.sync()
  expect(here).toHaveBeenCalledTimes(2)
})

test("nobody knows how much a file waits for that was there before", async () => {
  await writeFile(path, "of an earlier run")
  const here = vi.spyOn(syncs, "make")
  await using file = await OpenFile.open(path, "r+")
  await file.sync()
  expect(here).not.toHaveBeenCalled()
  await file.sync()
  expect(here).toHaveBeenCalledTimes(1)
})

test("what is under way when the file is closed still goes where it belongs", async () => {
  const file = await OpenFile.open(path, "w")
  const large = new Uint8Array(8 * 1024 ** 2).fill(0x61)
  const writing = file.write(0, [large])
  await file.close()
  expect(await writing).toBe(large.length)
  expect((await stat(path)).size).toBe(large.length)
})
