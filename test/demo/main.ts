import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { rm } from "node:fs/promises"
import { pipeline } from "node:stream/promises"
import {
  type Finished,
  openWorkspace,
  run,
  start,
  untilParts,
  type Workspace,
  writeRandomFile,
} from "../support/program.ts"
import { flipStoredBit, openSite, type Site, storedBytes } from "../support/site.ts"

const MIB = 1024 * 1024
const FILE_BYTES = 300 * MIB
const PART_BYTES = 16 * MIB
const KILL_AFTER_PARTS = Math.floor(FILE_BYTES / PART_BYTES / 2)
const INTEGRITY_STATUS = 4

/** The main job, start to end, against a real server or the embedded one: `npm run demo`. */
async function demo(): Promise<void> {
  await using site = await openSite()
  await using workspace = await openWorkspace(site.env)
  say(`s3ep demo: bucket ${site.bucket} on ${site.embedded ? "the embedded test server" : site.endpoint}`)

  await succeed(workspace, ["keys", "generate"])
  say("keys generate   made a key, kept in a file only its owner can read")

  const source = workspace.path("artifact.bin")
  await writeRandomFile(source, FILE_BYTES)
  const put = ["put", source, `s3://${site.bucket}/artifact.bin`, "--part-size", String(PART_BYTES)]
  await uploadThroughSigkill(workspace, put)

  const target = workspace.path("restored.bin")
  const get = ["get", `s3://${site.bucket}/artifact.bin`, target]
  const { milliseconds } = await timed(() => succeed(workspace, get))
  await expectSame(source, target)
  say(
    `get             ${rate(FILE_BYTES, milliseconds)}; verified, and the same ${FILE_BYTES / MIB} MiB byte for byte`,
  )

  await refuseTampered(site, workspace, get, target)
  say("done: killed, resumed, compared and protected")
}

async function uploadThroughSigkill(workspace: Workspace, put: string[]): Promise<void> {
  const interrupted = start(workspace, put)
  await untilParts(workspace, interrupted, KILL_AFTER_PARTS)
  interrupted.child.kill("SIGKILL")
  const { signal } = await interrupted.finished
  if (signal !== "SIGKILL") throw new Error("the upload ended before it could be killed")
  say(
    `put             killed with SIGKILL, ${KILL_AFTER_PARTS} parts or more of ${Math.ceil(FILE_BYTES / PART_BYTES)} were stored`,
  )

  const { value, milliseconds } = await timed(() => succeed(workspace, [...put, "--json"]))
  const stored = jsonLines(value).find((line) => line["type"] === "stored")
  const resumed = Number(stored?.["resumedParts"] ?? 0)
  if (resumed < KILL_AFTER_PARTS) throw new Error(`the second run kept only ${resumed} parts`)
  const left = FILE_BYTES - resumed * PART_BYTES
  say(`put again       kept ${resumed} parts, sent the rest: ${rate(left, milliseconds)}`)
}

async function refuseTampered(
  site: Site,
  workspace: Workspace,
  get: string[],
  target: string,
): Promise<void> {
  await rm(target)
  const stored = await storedBytes(site, "artifact.bin")
  await flipStoredBit(site, "artifact.bin", Math.floor(stored / 2))
  const refused = await run(workspace, get)
  if (refused.status !== INTEGRITY_STATUS)
    throw new Error(`a changed object ended with ${refused.status}: ${refused.stderr}`)
  say(`one bit changed in the stored object; get says, with status ${refused.status}:`)
  say(refused.stderr.trim().replace(/^/gm, "                "))
}

async function succeed(workspace: Workspace, args: string[]): Promise<Finished> {
  const finished = await run(workspace, args)
  if (finished.status !== 0)
    throw new Error(`s3ep ${args.join(" ")} ended with ${finished.status}:\n${finished.stderr}`)
  return finished
}

async function expectSame(one: string, other: string): Promise<void> {
  const [a, b] = await Promise.all([digest(one), digest(other)])
  if (a !== b) throw new Error("the file that came back differs")
}

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256")
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash)
  return hash.digest("hex")
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; milliseconds: number }> {
  const before = performance.now()
  const value = await work()
  return { value, milliseconds: performance.now() - before }
}

function jsonLines({ stdout }: Finished): Record<string, unknown>[] {
  return stdout
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
}

function rate(bytes: number, milliseconds: number): string {
  const seconds = milliseconds / 1000
  return `${Math.round(bytes / MIB)} MiB in ${seconds.toFixed(1)} s (${Math.round(bytes / MIB / seconds)} MiB/s, start-up included)`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

await demo()
