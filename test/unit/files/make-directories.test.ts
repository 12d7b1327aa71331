import { mkdtemp, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { makeDirectories } from "../../../src/files/make-directories.ts"

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "s3ep-directories-"))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

test("directories that are missing are made, several deep, and those that are there are left", async () => {
  const path = join(await directory(), "a/b/c")
  await makeDirectories(path, 0o700)
  await makeDirectories(path, 0o755)
  expect((await stat(path)).mode & 0o777).toBe(0o700)
  expect((await stat(join(path, ".."))).mode & 0o777).toBe(0o700)
})

test("many at once make the same one", async () => {
  const path = join(await directory(), "a/b/c")
  await Promise.all(Array.from({ length: 20 }, () => makeDirectories(path)))
  expect((await stat(path)).isDirectory()).toBe(true)
})

test("what is in the way is said, and where nothing can be made too", async () => {
  const path = await directory()
  await writeFile(join(path, "file"), "")
  await expect(makeDirectories(join(path, "file"))).rejects.toMatchObject({ code: "EEXIST" })
  await expect(makeDirectories(join(path, "file/below"))).rejects.toMatchObject({ code: "ENOTDIR" })
  if (process.platform === "linux") {
    await expect(makeDirectories("/proc/none/below")).rejects.toMatchObject({ code: "ENOENT" })
  }
})
