import { execFile } from "node:child_process"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { promisify } from "node:util"
import { afterEach, beforeEach, expect, test } from "vitest"
import {
  type Finished,
  openWorkspace,
  run,
  start,
  untilParts,
  type Workspace,
  writeRandomFile,
} from "../support/program.ts"
import { openSite, type Site, unfinishedUploads } from "../support/site.ts"

// Two processes at the same work: one of them does it, the other says who does, and the outcome is whole.

const MIB = 1024 ** 2

let site: Site
let workspace: Workspace
beforeEach(async () => {
  site = await openSite()
  workspace = await openWorkspace(site.env)
  await run(workspace, ["keys", "generate"])
})
afterEach(async () => {
  await workspace[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

const uri = () => `s3://${site.bucket}/object`

async function both(...argvs: readonly (readonly string[])[]): Promise<Finished[]> {
  return Promise.all(argvs.map((argv) => run(workspace, argv)))
}

/** At least one did it; who did not was told why, by status 8. */
function expectOneAtLeast(ended: readonly Finished[]): void {
  for (const { status, stderr } of ended) {
    expect([0, 8], stderr).toContain(status)
    if (status === 8) expect(stderr).toMatch(/is being worked on by process \d+/)
  }
  expect(ended.map(({ status }) => status)).toContain(0)
}

async function expectWhole(): Promise<void> {
  expect((await run(workspace, ["get", uri(), "back"])).status).toBe(0)
  expect((await readFile(workspace.path("back"))).equals(await readFile(workspace.path("source")))).toBe(true)
  expect(await unfinishedUploads(site)).toEqual([])
  const state = await readdir(workspace.path("state"), { recursive: true })
  expect(state.filter((path) => /\.(jsonl|lock)/.test(path))).toEqual([])
  const pairs = await workspace.noncePairs()
  expect(new Set(pairs).size).toBe(pairs.length)
}

test("two put the same file", async () => {
  await writeRandomFile(workspace.path("source"), 60 * MIB)
  const put = ["put", "source", uri(), "--part-size", "5MiB"]
  expectOneAtLeast(await both(put, put))
  await expectWhole()
})

test("two get the same object into the same file", async () => {
  await writeRandomFile(workspace.path("source"), 60 * MIB)
  expect((await run(workspace, ["put", "source", uri()])).status).toBe(0)
  const get = ["get", uri(), "target"]
  expectOneAtLeast(await both(get, get))
  expect((await readFile(workspace.path("target"))).equals(await readFile(workspace.path("source")))).toBe(
    true,
  )
  expect((await readdir(workspace.directory)).filter((name) => name.includes(".s3ep-"))).toEqual([])
})

test("two resume the same upload, one by its name and one by its id", async () => {
  await writeRandomFile(workspace.path("source"), 60 * MIB)
  const put = ["put", "source", uri(), "--part-size", "5MiB"]
  const running = start(workspace, put)
  await untilParts(workspace, running, 2)
  running.child.kill("SIGKILL")
  await running.finished
  expectOneAtLeast(await both(put, ["mp-upload", "resume", "--all"]))
  await expectWhole()
})

test("a file that may not grow any more: status 10, the old one stays, and with the limit gone it is whole", async () => {
  await writeRandomFile(workspace.path("source"), 8 * MIB)
  expect((await run(workspace, ["put", "source", uri()])).status).toBe(0)
  await writeFile(workspace.path("target"), "the old one")
  const limited = `ulimit -f ${(4 * MIB) / 512}; exec "$0" "$@"`
  const launcher = new URL("../../bin/s3ep.js", import.meta.url).pathname
  const attempt = promisify(execFile)(
    "sh",
    ["-c", limited, process.execPath, launcher, "get", uri(), "target"],
    {
      cwd: workspace.directory,
      env: workspace.env,
    },
  )
  await expect(attempt).rejects.toMatchObject({
    code: 10,
    stderr: expect.stringContaining("the file system takes no file that large"),
  })
  expect(await readFile(workspace.path("target"), "utf8")).toBe("the old one")
  expect((await run(workspace, ["get", uri(), "target"])).status).toBe(0)
  expect((await readFile(workspace.path("target"))).equals(await readFile(workspace.path("source")))).toBe(
    true,
  )
})
