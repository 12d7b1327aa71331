import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, sep } from "node:path"
import fc from "fast-check"
import { describe, expect, onTestFinished, test } from "vitest"
import { UsageError } from "../../../src/errors.ts"
import { nameInDirectory, safeTarget } from "../../../src/transfer/target.ts"

async function makeRoot(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "s3ep-target-"))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  return root
}

test.each(["a", "a/b/c", "a b", "a+b%20", "é", "🦊/x", "...", "..a", "a..", "-rf", "C:", "a\\b", "con"])(
  "%j is a file below the directory",
  async (name) => {
    const root = await makeRoot()
    expect(await safeTarget(root, name, { windows: false })).toBe(join(root, ...name.split("/")))
  },
)

test.each([
  "",
  "/",
  "/etc/passwd",
  "..",
  "../x",
  "a/../../x",
  "a/..",
  ".",
  "./a",
  "a//b",
  "a/",
  "a\0b",
  "x".repeat(256),
  "é".repeat(128),
])("%j is refused", async (name) => {
  const root = await makeRoot()
  await expect(safeTarget(root, name)).rejects.toThrow(UsageError)
})

test.each([
  "C:x",
  "a\\..\\x",
  "a\\b",
  "con",
  "CON.txt",
  "aux .c",
  "nul",
  "com1",
  "lpt9.x",
  "a.",
  "a ",
  "a<b",
  "a\nb",
])("%j is refused where Windows would read it otherwise", async (name) => {
  const root = await makeRoot()
  await expect(safeTarget(root, `ok/${name}`, { windows: true })).rejects.toThrow(UsageError)
  await expect(safeTarget(root, "console/com10/nullify", { windows: true })).resolves.toContain("nullify")
})

test("whatever a bucket names, it stays below the directory", async () => {
  const root = await makeRoot()
  const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "..\\..", "/"), fc.string({ maxLength: 5 }))
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
      const path = await safeTarget(root, parts.join("/")).catch(() => null)
      if (path !== null) expect(path.startsWith(`${root}${sep}`)).toBe(true)
    }),
  )
})

describe("what lies on the way", () => {
  test("a symbolic link is not followed, wherever it leads", async () => {
    const root = await makeRoot()
    await symlink("/tmp", join(root, "out"))
    await symlink(root, join(root, "in"))
    await symlink("nowhere", join(root, "dangling"))
    for (const name of ["out/x", "out", "in/x", "dangling", "dangling/x"]) {
      await expect(safeTarget(root, name)).rejects.toThrow("is a symbolic link")
    }
  })

  test("a file is no directory and a directory no file", async () => {
    const root = await makeRoot()
    await writeFile(join(root, "file"), "")
    await mkdir(join(root, "directory"))
    await expect(safeTarget(root, "file/x")).rejects.toThrow("is not a directory")
    await expect(safeTarget(root, "directory")).rejects.toThrow("is a directory")
    await expect(safeTarget(root, "file", { directory: true })).rejects.toThrow("is not a directory")
    expect(await safeTarget(root, "directory", { directory: true })).toBe(join(root, "directory"))
    expect(await safeTarget(root, "file")).toBe(join(root, "file"))
  })
})

test("in a directory a key's file has its last component as its name", () => {
  expect(nameInDirectory("/d", "a/b/c.txt")).toBe(join("/d", "c.txt"))
  expect(nameInDirectory("/d", "c.txt")).toBe(join("/d", "c.txt"))
  for (const key of ["a/", "a/..", "..", "."]) expect(() => nameInDirectory("/d", key)).toThrow(UsageError)
})
