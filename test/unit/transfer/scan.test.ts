import { execFileSync } from "node:child_process"
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type ScanEntry, type ScanOptions, scanTree } from "../../../src/transfer/scan.ts"
import { thrown } from "./upload-site.ts"

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "s3ep-scan-"))
})
afterEach(async () => {
  await rm(root, { recursive: true })
})

async function tree(...files: string[]): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), file)
  }
}

async function scan(options: ScanOptions = {}): Promise<ScanEntry[]> {
  const entries: ScanEntry[] = []
  for await (const entry of scanTree(root, options)) entries.push(entry)
  return entries
}

async function names(options: ScanOptions = {}): Promise<string[]> {
  return (await scan(options)).filter((entry) => entry.kind === "file").map((entry) => entry.relative)
}

test("files come in the order of their paths' bytes, as a bucket lists them", async () => {
  await tree("a/b", "a.txt", "a-c/d", "Z", "é", "a/ä", "\u{1f600}", "\uff5e")
  const found = await names()
  expect(found).toEqual([...found].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
  expect(found).toHaveLength(8)
})

test.each<[string, ScanOptions, string[]]>([
  ["nothing", {}, ["a.log", "a.txt", "build/x.txt", "src/build/y.txt", "src/b.log"]],
  ["a name anywhere", { exclude: ["*.log"] }, ["a.txt", "build/x.txt", "src/build/y.txt"]],
  ["a directory at the root", { exclude: ["/build/"] }, ["a.log", "a.txt", "src/build/y.txt", "src/b.log"]],
  ["a directory anywhere", { exclude: ["build/"] }, ["a.log", "a.txt", "src/b.log"]],
  ["all but one", { exclude: ["*.log", "!a.log"] }, ["a.log", "a.txt", "build/x.txt", "src/build/y.txt"]],
  [
    "in one case only",
    { exclude: ["*.LOG"] },
    ["a.log", "a.txt", "build/x.txt", "src/build/y.txt", "src/b.log"],
  ],
  ["all not included", { include: ["*.txt"] }, ["a.txt", "build/x.txt", "src/build/y.txt"]],
  ["all outside a directory", { include: ["src/"] }, ["src/build/y.txt", "src/b.log"]],
  ["what is included too", { include: ["src/"], exclude: ["*.log"] }, ["src/build/y.txt"]],
])("patterns exclude %s", async (_, options, expected) => {
  await tree("a.log", "a.txt", "build/x.txt", "src/build/y.txt", "src/b.log")
  expect((await names(options)).toSorted()).toEqual(expected.toSorted())
})

test("symbolic links are left out and named, or followed, or failures", async () => {
  await tree("real/x")
  await symlink("real", join(root, "linked"))
  await symlink("real/x", join(root, "to-x"))
  expect((await scan()).map(({ relative, kind }) => [relative, kind])).toEqual([
    ["linked", "skipped"],
    ["real/x", "file"],
    ["to-x", "skipped"],
  ])
  expect(await names({ symlinks: "follow" })).toEqual(["linked/x", "real/x", "to-x"])
  expect((await scan({ symlinks: "fail" })).map(({ kind }) => kind)).toEqual(["failed", "file", "failed"])
})

test("a link back into a directory above it ends there", async () => {
  await tree("a/x")
  await symlink("..", join(root, "a/up"))
  expect((await scan({ symlinks: "follow" })).map(({ relative, kind }) => [relative, kind])).toEqual([
    ["a/up", "skipped"],
    ["a/x", "file"],
  ])
})

test("a link to nothing is a failure when it is to be followed", async () => {
  await symlink("nowhere", join(root, "broken"))
  expect(await scan({ symlinks: "follow" })).toMatchObject([{ kind: "failed", relative: "broken" }])
})

test("a named pipe is left out, and nobody waits for its writer", async () => {
  execFileSync("mkfifo", [join(root, "pipe")])
  expect(await scan()).toMatchObject([{ kind: "skipped", why: "a named pipe" }])
})

test("a name that is not UTF-8 is a failure, and the rest goes on", async () => {
  await tree("ok")
  await writeFile(Buffer.concat([Buffer.from(`${root}/bad`), Buffer.from([0xff])]), "")
  expect((await scan()).map(({ kind }) => kind)).toEqual(["failed", "file"])
})

test.skipIf(process.getuid?.() === 0)("a directory that cannot be read is a failure", async () => {
  await tree("a/x", "b")
  await chmod(join(root, "a"), 0)
  const found = await scan()
  await chmod(join(root, "a"), 0o700)
  expect(found.map(({ relative, kind }) => [relative, kind])).toEqual([
    ["a", "failed"],
    ["b", "file"],
  ])
})

test("a root that is no directory is refused", async () => {
  await tree("file")
  expect(await thrown(scanTree(join(root, "file")).next())).toMatchObject({ code: "S3EP_LOCAL_IO" })
  expect(await thrown(scanTree(join(root, "none")).next())).toMatchObject({ code: "S3EP_LOCAL_IO" })
})
