import { execFileSync } from "node:child_process"
import { appendFile, rename, truncate, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { openSource, sameSource } from "../../../src/transfer/source.ts"
import { noise, openSite, thrown } from "./upload-site.ts"

test("any range of the file can be read", async () => {
  await using site = await openSite()
  await using source = await openSource(await site.file("a", noise(100)))
  const target = new Uint8Array(30)
  await source.read(50, target)
  expect(target).toEqual(noise(100).subarray(50, 80))
  expect(source.bytes).toBe(100)
})

test.each<[string, (path: string) => Promise<unknown>]>([
  ["grew", (path) => appendFile(path, "x")],
  ["was cut", (path) => truncate(path, 10)],
  ["was written to without growing", (path) => writeFile(path, noise(100, 2), { flag: "r+" })],
  ["was touched", (path) => utimes(path, 1, 1)],
  ["was replaced", (path) => writeFile(`${path}.new`, noise(100)).then(() => rename(`${path}.new`, path))],
])("a file that %s is noticed", async (_, change) => {
  await using site = await openSite()
  const path = await site.file("a", noise(100))
  await utimes(path, 1000, 1000)
  await using source = await openSource(path)
  await source.assertUnchanged()
  await change(path)
  expect(await thrown(source.assertUnchanged())).toMatchObject({ code: "S3EP_PRECONDITION" })
})

test("the same file opened again is the same source, another is not", async () => {
  await using site = await openSite()
  const path = await site.file("a", noise(100))
  await using first = await openSource(path)
  await using again = await openSource(path)
  await using other = await openSource(await site.file("b", noise(100)))
  expect(sameSource(first.identity, again.identity)).toBe(true)
  expect(sameSource(first.identity, other.identity)).toBe(false)
})

test("a file that ends early cannot be read to the end", async () => {
  await using site = await openSite()
  const path = await site.file("a", noise(100))
  await using source = await openSource(path)
  await truncate(path, 10)
  expect(await thrown(source.read(0, new Uint8Array(100)))).toMatchObject({ code: "S3EP_LOCAL_IO" })
})

test("what is no regular file is refused, without waiting for anybody", async () => {
  await using site = await openSite()
  const pipe = join(site.directory, "pipe")
  execFileSync("mkfifo", [pipe])
  expect(await thrown(openSource(pipe))).toMatchObject({ code: "S3EP_USAGE" })
  expect(await thrown(openSource(site.directory))).toMatchObject({ code: "S3EP_USAGE" })
  expect(await thrown(openSource(join(site.directory, "none")))).toMatchObject({ code: "S3EP_LOCAL_IO" })
})
