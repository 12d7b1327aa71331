import { mkdir, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import {
  hashesBelow,
  hashOf,
  journaledWindows,
  type Kills,
  leftovers,
  runThroughKills,
  unansweredCreations,
} from "../support/crashes.ts"
import { seededRandom } from "../support/fault-ways.ts"
import { openWorkspace, run, type Workspace, writeRandomFile } from "../support/program.ts"
import { openSite, type Site, unfinishedUploads } from "../support/site.ts"
import { type Exchange, startTcpProxy, type TcpProxy } from "../support/tcp-proxy/index.ts"

// SIGKILL at random moments, through a proxy that counts what was sent. `npm run test:soak` has many more rounds.
const ROUNDS = Number(process.env["S3EP_TEST_CRASH_ROUNDS"] ?? 50)
const SEED = Number(process.env["S3EP_TEST_SEED"] ?? Date.now() % 1_000_000)
/** No part that was finished is sent again, but for what the kill overtook between its answer and the journal. */
const RESENT_AT_MOST = 0.1

const MIB = 1024 ** 2
const FILE_BYTES = 300 * MIB + 4321
const PART_SIZE = ["--part-size", "5MiB"]
/** Three parts of 5 MiB make the largest window below 16 MiB. */
const WINDOW_BYTES = 15 * MIB
const SMALL_FILES = 490
const LARGE_FILES = 10
/** After which nothing can come any more of a request that a killed process had sent. */
const SETTLED_MS = 120_000
/** About as long as a tree takes. */
const TREE_MS = 6000

const random = seededRandom(SEED)
const timeout = 120_000 + ROUNDS * 20_000
let site: Site
let proxy: TcpProxy
let shared: Workspace
let source: string
let sourceHash: string

beforeAll(async () => {
  site = await openSite()
  proxy = await startTcpProxy(site.endpoint)
  shared = await openWorkspace({})
  source = shared.path("source")
  await writeRandomFile(source, FILE_BYTES)
  sourceHash = await hashOf(source)
})

afterAll(async () => {
  await shared[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

async function openCase(): Promise<Workspace> {
  const workspace = await openWorkspace({ ...site.env, S3EP_ENDPOINT: proxy.endpoint })
  await succeed(workspace, ["keys", "generate"])
  proxy.exchanges.length = 0
  return workspace
}

async function succeed(workspace: Workspace, args: string[]): Promise<number> {
  const before = performance.now()
  const { status, stderr } = await run(workspace, args)
  expect({ status, stderr }).toMatchObject({ status: 0 })
  return performance.now() - before
}

/** What requests that were on their way at a kill may make yet, a run finds that comes late enough. */
async function settle(workspace: Workspace): Promise<void> {
  const sent = await unansweredCreations(workspace)
  if (sent.length === 0) return
  await delay(Math.max(0, Math.max(...sent) + SETTLED_MS - Date.now()))
  // By age alone, this would abort nothing.
  await succeed(workspace, ["mp-upload", "clean", "--older-than", "365d"])
}

async function expectClean(workspace: Workspace): Promise<void> {
  await settle(workspace)
  expect(await leftovers(workspace)).toEqual([])
  expect(await unfinishedUploads(site)).toEqual([])
  const pairs = await workspace.noncePairs()
  expect(pairs.length).toBeGreaterThan(SMALL_FILES)
  expect(new Set(pairs).size).toBe(pairs.length)
}

/** Bytes of parts that had been answered, and of those how many were sent again. */
function sentAgain(exchanges: readonly Exchange[]): { finished: number; again: number } {
  const seen = new Map<string, number>()
  let [finished, again] = [0, 0]
  for (const { operation, target, status, delivered, requestBytes } of exchanges) {
    if (operation !== "UploadPart") continue
    again += seen.get(target) ?? 0
    if (status !== 200 || !delivered) continue
    finished += requestBytes
    seen.set(target, requestBytes)
  }
  return { finished, again }
}

/** Upload, killed a few times on its way, until the kills are used up. */
async function uploadThroughKills(rounds: number, share: number): Promise<void> {
  const kills: Kills = { left: rounds }
  let [finished, again] = [0, 0]
  for (let aboutMs = 0; kills.left > 0; ) {
    await using workspace = await openCase()
    const object = `s3://${site.bucket}/object`
    const put = ["put", source, object, ...PART_SIZE, "--json"]
    aboutMs ||= await succeed(workspace, put)
    proxy.exchanges.length = 0
    const { status, stderr } = await runThroughKills(workspace, put, {
      kills,
      random,
      aboutMs: aboutMs * share,
    })
    expect({ status, stderr }).toMatchObject({ status: 0 })
    const sent = sentAgain(proxy.exchanges)
    finished += sent.finished
    again += sent.again
    const target = workspace.path("target")
    await succeed(workspace, ["get", object, target])
    expect(await hashOf(target)).toBe(sourceHash)
    await expectClean(workspace)
  }
  expect(again / finished).toBeLessThanOrEqual(RESENT_AT_MOST)
}

// Each test has a quarter of the rounds.
test(`an upload of 300 MB (S3EP_TEST_SEED=${SEED})`, { timeout }, async () => {
  await uploadThroughKills(Math.ceil(ROUNDS * 0.25), 1)
})

test(`a resume of a resume (S3EP_TEST_SEED=${SEED})`, { timeout }, async () => {
  await uploadThroughKills(Math.ceil(ROUNDS * 0.25), 0.4)
})

test(`a download (S3EP_TEST_SEED=${SEED})`, { timeout }, async () => {
  await using workspace = await openCase()
  const object = `s3://${site.bucket}/object`
  await succeed(workspace, ["put", source, object, ...PART_SIZE])
  const target = workspace.path("target")
  const get = ["get", object, target, "--json"]
  const aboutMs = await succeed(workspace, get)
  for (const kills: Kills = { left: Math.ceil(ROUNDS * 0.25) }; kills.left > 0; ) {
    await rm(target)
    let done = 0
    const { status, stdout, stderr } = await runThroughKills(workspace, get, {
      kills,
      random,
      aboutMs,
      onKill: async () => {
        // The file appears under its name only when all of it is there.
        const there = await hashOf(target).catch(() => null)
        expect([null, sourceHash]).toContain(there)
        done = there === null ? await journaledWindows(workspace) : 0
      },
    })
    expect({ status, stderr }).toMatchObject({ status: 0 })
    const { resumedBytes } = JSON.parse(stdout.toString().split("\n")[0] ?? "")
    // All windows but the last are of one size.
    expect(resumedBytes).toBeGreaterThanOrEqual((done - 1) * WINDOW_BYTES)
    expect(await hashOf(target)).toBe(sourceHash)
    expect(await leftovers(workspace)).toEqual([])
  }
  await expectClean(workspace)
})

test(`a tree of 500 files, up and down (S3EP_TEST_SEED=${SEED})`, { timeout }, async () => {
  const tree = shared.path("tree")
  await makeTree(tree)
  const expected = await hashesBelow(tree)
  expect(expected.size).toBe(SMALL_FILES + LARGE_FILES)
  const up: Kills = { left: Math.ceil(ROUNDS * 0.13) }
  const down: Kills = { left: Math.ceil(ROUNDS * 0.12) }
  let [finished, again] = [0, 0]
  while (up.left + down.left > 0) {
    await using workspace = await openCase()
    const prefix = `s3://${site.bucket}/tree-${up.left}-${down.left}/`
    const put = ["put", "-r", tree, prefix, "--skip-existing", ...PART_SIZE, "--json"]
    const get = ["get", "-r", prefix, workspace.path("back"), "--json"]
    for (const [args, kills] of [
      [put, up],
      [get, down],
    ] as const) {
      const { status, stderr } = await runThroughKills(workspace, args, { kills, random, aboutMs: TREE_MS })
      expect({ status, stderr }).toMatchObject({ status: 0 })
    }
    const sent = sentAgain(proxy.exchanges)
    finished += sent.finished
    again += sent.again
    expect(await hashesBelow(workspace.path("back"))).toEqual(expected)
    await expectClean(workspace)
    await succeed(workspace, ["rm", "-r", prefix])
  }
  expect(again / finished).toBeLessThanOrEqual(RESENT_AT_MOST)
})

async function makeTree(root: string): Promise<void> {
  for (let index = 0; index < SMALL_FILES; index++) {
    const path = join(root, `${index % 7}`, `${index % 11}`, `file ${index}`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, `${index} `.repeat(Math.floor(random() * 5000)))
  }
  for (let index = 0; index < LARGE_FILES; index++) {
    await writeRandomFile(join(root, `large ${index}`), Math.floor((6 + random() * 6) * MIB))
  }
}
