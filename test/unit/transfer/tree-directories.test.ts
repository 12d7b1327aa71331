import { chmod, mkdir, mkdtemp, readdir, realpath, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, sep } from "node:path"
import fc from "fast-check"
import { beforeEach, describe, expect, onTestFinished, test } from "vitest"
import { LocalIoError, UsageError } from "../../../src/errors.ts"
import { TreeDirectories } from "../../../src/transfer/tree-directories.ts"

let outside: string
let root: string
let made: string[]

beforeEach(async () => {
  outside = await realpath(await mkdtemp(join(tmpdir(), "s3ep-tree-")))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  root = join(outside, "root")
  made = []
})

const open = (at = root) => new TreeDirectories(at, async (parent) => void made.push(parent))

test("directories are made where they are missing, and each parent is told of", async () => {
  const directories = open(join(root, "deep"))
  expect(await directories.file("a/b/c")).toEqual({ path: join(root, "deep/a/b/c"), kind: "nothing" })
  await directories.directory("a/x")
  await directories.directory("a/x")
  expect(await directories.file("top")).toEqual({ path: join(root, "deep/top"), kind: "nothing" })
  expect(made).toEqual(["", "a", "a"].map((below) => join(root, "deep", below)))
  expect((await readdir(join(root, "deep/a"))).sort()).toEqual(["b", "x"])
})

test("nothing is made of a name that is none", async () => {
  const directories = open()
  for (const name of ["", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/.", "a\0/b"]) {
    await expect(directories.file(name)).rejects.toThrow(UsageError)
    await expect(directories.directory(name)).rejects.toThrow(UsageError)
  }
  expect(await readdir(outside)).toEqual([])
})

test("whatever a bucket names, it stays below the directory", async () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "..\\..", "/"), fc.string({ maxLength: 5 }))
  const directories = open()
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
      const found = await directories.file(parts.join("/")).catch(() => null)
      if (found) expect(found.path.startsWith(`${root}${sep}`)).toBe(true)
      expect(await readdir(outside)).toEqual((await stat(root).catch(() => null)) ? ["root"] : [])
    }),
  )
})

describe("a symbolic link", () => {
  test("is no directory, wherever it leads", async () => {
    await mkdir(join(root, "seen"), { recursive: true })
    await symlink(outside, join(root, "out"))
    await symlink(root, join(root, "in"))
    await symlink("nowhere", join(root, "dangling"))
    const directories = open()
    for (const name of ["out/x", "in/x", "dangling/x", "in/out/x"]) {
      await expect(directories.file(name)).rejects.toThrow("is a symbolic link")
      await expect(directories.file(name)).rejects.toThrow(JSON.stringify(name))
      await expect(directories.directory(name)).rejects.toThrow("is a symbolic link")
    }
    expect(await readdir(outside)).toEqual(["root"])
  })

  test("is none below a directory that was seen, either", async () => {
    const directories = open()
    await directories.file("seen/file")
    await symlink(outside, join(root, "seen/planted"))
    await symlink(join(outside, "x"), join(root, "seen/file"))
    for (const name of ["seen/planted/x", "seen/planted/deeper/x", "seen/planted", "seen/file"]) {
      await expect(directories.file(name)).rejects.toThrow("is a symbolic link")
    }
    expect(await readdir(outside)).toEqual(["root"])
  })

  test("may be the tree itself, and is resolved", async () => {
    await mkdir(join(outside, "real"))
    await symlink("real", root)
    const { path } = await open().file("a/b")
    expect(path).toBe(join(outside, "real/a/b"))
    expect((await stat(dirname(path))).isDirectory()).toBe(true)
  })
})

test("what has the name of a file is told", async () => {
  await mkdir(join(root, "directory"), { recursive: true })
  await writeFile(join(root, "file"), "")
  const directories = open()
  expect(await directories.file("file")).toMatchObject({ kind: "file" })
  await expect(directories.file("directory")).rejects.toThrow("is a directory")
  await expect(directories.file("file/x")).rejects.toThrow("is not a directory")
  await expect(directories.directory("file")).rejects.toThrow("is not a directory")
})

test("many at once make the same directories", async () => {
  const directories = open()
  const names = Array.from({ length: 100 }, (_, at) => `a/b/${at % 3}/${at}`)
  const found = await Promise.all(names.map((name) => directories.file(name)))
  expect(found.map(({ path }) => path)).toEqual(names.map((name) => join(root, name)))
  expect(made.length).toBe(5)
})

test("a tree that can be none is a clear failure", async () => {
  await writeFile(root, "a file")
  await expect(open().file("x")).rejects.toThrow(LocalIoError)
  await expect(open().file("x/y")).rejects.toThrow("a part of its path is not a directory")
  await expect(open(join(root, "below")).file("x")).rejects.toThrow("a part of its path is not a directory")
})

test.runIf(process.getuid?.() !== 0)("a directory that may not be made is a clear failure", async () => {
  await mkdir(root)
  await chmod(root, 0o500)
  await expect(open().file("a/x")).rejects.toThrow(/cannot write .*a: permission denied/)
})
