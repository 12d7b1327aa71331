import { appendFile, readdir, readFile, stat } from "node:fs/promises"
import { setTimeout } from "node:timers/promises"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openWorkspace, run, start, untilParts, type Workspace, writeRandomFile } from "../support/program.ts"
import { openSite, readStored, type Site, storedKeys, unfinishedUploads } from "../support/site.ts"

const MIB = 1024 * 1024
const FILE_BYTES = 120 * MIB + 4321
const PARTS = Math.ceil(FILE_BYTES / (5 * MIB))

let site: Site
let workspace: Workspace
let source: string
let put: string[]

beforeEach(async () => {
  site = await openSite()
  workspace = await openWorkspace(site.env)
  await run(workspace, ["keys", "generate"])
  source = workspace.path("source")
  await writeRandomFile(source, FILE_BYTES)
  put = ["put", source, `s3://${site.bucket}/object`, "--part-size", "5MiB", "--json"]
})

afterEach(async () => {
  await workspace[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

async function interruptAfter(parts: number, signal: NodeJS.Signals): Promise<number | null> {
  const running = start(workspace, put)
  await untilParts(workspace, running, parts)
  running.child.kill(signal)
  return (await running.finished).status
}

async function putAgain(): Promise<Record<string, unknown>> {
  const finished = await run(workspace, put)
  expect(finished.stderr).not.toContain('"type":"error"')
  expect(finished.status).toBe(0)
  const lines = finished.stdout.toString().trim().split("\n")
  return lines.map((line) => JSON.parse(line)).find((line) => line.type === "stored")
}

async function expectWhole(): Promise<void> {
  const target = workspace.path("target")
  const got = await run(workspace, ["get", `s3://${site.bucket}/object`, target])
  expect(got.status).toBe(0)
  expect((await readFile(target)).equals(await readFile(source))).toBe(true)
  expect(await unfinishedUploads(site)).toEqual([])
  const pairs = await workspace.noncePairs()
  expect(new Set(pairs).size).toBe(pairs.length)
}

async function stateFiles(): Promise<string[]> {
  const entries = await readdir(workspace.path("state"), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && /uploads|downloads/.test(entry.parentPath))
    .map((e) => e.name)
}

describe("an upload that was killed", () => {
  test("resumes after SIGKILL, twice, without sending finished parts again", async () => {
    await interruptAfter(4, "SIGKILL")
    await interruptAfter(12, "SIGKILL")
    const stored = await putAgain()
    expect(stored["resumedParts"]).toBeGreaterThanOrEqual(12)
    expect(stored["parts"]).toBe(PARTS)
    await expectWhole()
    expect(await stateFiles()).toEqual([])
  })

  test("starts over under a new DEK when the source changed, and leaves no upload behind", async () => {
    await interruptAfter(4, "SIGKILL")
    await appendFile(source, "one more line")
    const stored = await putAgain()
    expect(stored["resumedParts"]).toBe(0)
    await expectWhole()
  })

  test("is listed, resumed by its id, and aborted by its id", async () => {
    await interruptAfter(4, "SIGKILL")
    const list = await run(workspace, ["mp-upload", "list", "--json"])
    const upload = JSON.parse(list.stdout.toString().split("\n")[0] ?? "{}")
    expect(upload).toMatchObject({ type: "upload", uri: `s3://${site.bucket}/object` })
    expect((await run(workspace, ["mp-upload", "resume", upload.id])).status).toBe(0)
    await expectWhole()

    await interruptAfter(4, "SIGKILL")
    expect(await unfinishedUploads(site)).toHaveLength(1)
    expect((await run(workspace, ["mp-upload", "abort", upload.id])).status).toBe(0)
    expect(await unfinishedUploads(site)).toEqual([])
    expect(await stateFiles()).toEqual([])
  })

  test("keeps its journal readable by its owner only, and free of keys", async () => {
    await interruptAfter(4, "SIGKILL")
    const directory = `${workspace.directory}/state/s3ep/uploads`
    const journal = (await readdir(directory)).find((name) => name.endsWith(".jsonl"))
    expect((await stat(`${directory}/${journal}`)).mode & 0o777).toBe(0o600)
    const keyFiles = await readdir(`${workspace.directory}/config/s3ep/keys`)
    const key = await readFile(`${workspace.directory}/config/s3ep/keys/${keyFiles[0]}`, "utf8")
    const secret = key.split("\n").find((line) => /^[A-Za-z0-9+/]{43}=$/.test(line)) ?? "no key found"
    expect(secret).not.toBe("no key found")
    expect(await readFile(`${directory}/${journal}`, "utf8")).not.toContain(secret)
  })
})

describe("an upload that was interrupted", () => {
  test("SIGINT stops within two seconds, keeps what was done and says how to go on", async () => {
    const running = start(workspace, put)
    await untilParts(workspace, running, 4)
    const before = performance.now()
    running.child.kill("SIGINT")
    const { status, stderr } = await running.finished
    expect(performance.now() - before).toBeLessThan(2500)
    expect(status).toBe(130)
    expect(stderr).toContain("resume")
    expect((await putAgain())["resumedParts"]).toBeGreaterThanOrEqual(4)
    await expectWhole()
  })

  test("a second SIGINT exits at once and loses nothing", async () => {
    const running = start(workspace, put)
    await untilParts(workspace, running, 4)
    running.child.kill("SIGINT")
    await setTimeout(150) // sooner it would be taken for an echo of the first one
    running.child.kill("SIGINT")
    expect((await running.finished).status).toBe(130)
    await putAgain()
    await expectWhole()
  })

  test("SIGINT again and again, until the very end of the process, is the same", async () => {
    const running = start(workspace, put)
    await untilParts(workspace, running, 4)
    const sending = setInterval(() => running.child.kill("SIGINT"), 1)
    const { status } = await running.finished.finally(() => clearInterval(sending))
    expect(status).toBe(130)
    await putAgain()
    await expectWhole()
  })

  test("SIGTERM ends with 143", async () => {
    expect(await interruptAfter(4, "SIGTERM")).toBe(143)
    await putAgain()
    await expectWhole()
  })
})

describe("a download that was killed", () => {
  test("shows no file under its name, and resumes", async () => {
    await putAgain()
    const target = workspace.path("target")
    const get = ["get", `s3://${site.bucket}/object`, target, "--json"]
    const running = start(workspace, get)
    await untilTemporaryFile()
    running.child.kill("SIGKILL")
    const { signal } = await running.finished
    if (signal === "SIGKILL") await expect(stat(target)).rejects.toThrow("ENOENT")
    await expectWhole()
    const beside = (await readdir(workspace.directory)).filter((name) => name.includes(".s3ep-"))
    expect(beside).toEqual([])
    expect(await stateFiles()).toEqual([])
  })
})

async function untilTemporaryFile(): Promise<void> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    const names = await readdir(workspace.directory)
    if (names.some((name) => name.includes(".s3ep-"))) return
    await setTimeout(2)
  }
}

test("a stored object of an earlier run is not touched by an upload that never ends", async () => {
  await putAgain()
  const before = await readStored(site, "object")
  await interruptAfter(3, "SIGKILL")
  expect((await readStored(site, "object")).metadata).toEqual(before.metadata)
  expect(await storedKeys(site)).toEqual(["object"])
})
