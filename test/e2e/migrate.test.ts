import { randomBytes } from "node:crypto"
import { readdir, writeFile } from "node:fs/promises"
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { harpocratesSeal } from "../support/harpocrates-vectors.ts"
import { openWorkspace, run, start, type Workspace } from "../support/program.ts"
import { openSite, readStored, type Site, storedKeys, unfinishedUploads } from "../support/site.ts"

const MIB = 1024 * 1024
/** Large enough for parts, and small enough for one request, and nothing at all. */
const SIZES: Readonly<Record<string, number>> = {
  "in/large.bin": 40 * MIB + 5,
  "in/sub/a b+c%.bin": 70_000,
  "in/empty": 0,
  ...Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`in/small-${index}`, 1000 + index])),
}
const KEYS = Object.keys(SIZES).sort()

let site: Site
let workspace: Workspace
let plaintexts: Map<string, Buffer>

beforeEach(async () => {
  site = await openSite()
  workspace = await openWorkspace(site.env)
  await run(workspace, ["keys", "generate"])
  const key = randomBytes(32)
  await writeFile(workspace.path("old.key"), key.toString("hex"), { mode: 0o600 })
  await run(workspace, ["keys", "import", "old.key", "old"])
  plaintexts = new Map()
  for (const [name, bytes] of Object.entries(SIZES)) {
    const plaintext = randomBytes(bytes)
    plaintexts.set(name, plaintext)
    await site.client.send(
      new PutObjectCommand({
        Bucket: site.bucket,
        Key: name,
        Body: harpocratesSeal(key, randomBytes(12), 65_536, plaintext),
        ContentType: "application/x-test",
        CacheControl: "no-store",
        Metadata: { owner: "anna" },
        Tagging: "project=x&level=a%20b",
      }),
    )
  }
})

afterEach(async () => {
  await workspace[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

/** Kill it once that many objects were migrated. @returns how many it said were. */
async function killedAfter(objects: number, argv: readonly string[]): Promise<number> {
  const running = start(workspace, ["migrate", ...argv, "--json", "--concurrency", "2"])
  let migrated = 0
  running.child.stdout?.on("data", (text: Buffer) => {
    migrated += text.toString().split('"type":"migrated"').length - 1
    if (migrated >= objects) running.child.kill("SIGKILL")
  })
  await running.finished
  return migrated
}

async function expectMigrated(prefix: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const key = name.replace(/^in\//, prefix)
    const got = await run(workspace, ["get", `s3://${site.bucket}/${key}`, "-"])
    expect(got.stderr).toBe("")
    expect(got.stdout.equals(plaintexts.get(name) ?? Buffer.from("none"))).toBe(true)
    const object = { Bucket: site.bucket, Key: key }
    const head = await site.client.send(new HeadObjectCommand(object))
    expect(head).toMatchObject({ ContentType: "application/x-test", CacheControl: "no-store" })
    expect(head.Metadata).toMatchObject({ owner: "anna", "s3ep-format": "agcm2" })
    const { TagSet = [] } = await site.client.send(new GetObjectTaggingCommand(object))
    expect(Object.fromEntries(TagSet.map(({ Key, Value }) => [Key, Value]))).toEqual({
      project: "x",
      level: "a b",
    })
  }
  expect(await unfinishedUploads(site)).toEqual([])
}

describe("a migration", () => {
  test("in place, killed twice, ends with every object migrated and nothing left beside", async () => {
    const place = [`s3://${site.bucket}/in/`, "--in-place"]
    const before = (await killedAfter(3, place)) + (await killedAfter(5, place))
    expect(before).toBeGreaterThanOrEqual(8)
    const last = await run(workspace, ["migrate", ...place, "--json"])
    expect(last.status).toBe(0)
    expect(await storedKeys(site)).toEqual(KEYS)
    await expectMigrated("in/", ["in/large.bin", "in/sub/a b+c%.bin", "in/empty", "in/small-7"])
    for (const key of KEYS) {
      expect((await readStored(site, key)).metadata["s3ep-format"]).toBe("agcm2")
    }
    expect(await readdir(workspace.path("state/s3ep/migrations"))).toEqual([])
    const pairs = await workspace.noncePairs()
    expect(new Set(pairs).size).toBe(pairs.length)
  })

  test("to another prefix, killed, ends with all of it there, and leaves the source as it was", async () => {
    const before = await readStored(site, "in/large.bin")
    const places = [`s3://${site.bucket}/in/`, `s3://${site.bucket}/out/`]
    await killedAfter(4, places)
    const last = await run(workspace, ["migrate", ...places, "--json"])
    expect(last.status).toBe(0)
    const expected = [...KEYS, ...KEYS.map((key) => key.replace(/^in\//, "out/"))].sort()
    expect(await storedKeys(site)).toEqual(expected)
    const after = await readStored(site, "in/large.bin")
    expect(Buffer.compare(after.body, before.body)).toBe(0)
    expect(after.metadata).toEqual(before.metadata)
    await expectMigrated("out/", ["in/large.bin", "in/empty", "in/small-3"])
    const again = await run(workspace, ["migrate", ...places, "--json"])
    expect(again.stdout.toString()).not.toContain('"type":"migrated"')
  })

  test("to another bucket", async () => {
    const other = `${site.bucket}-b`
    await site.client.send(new CreateBucketCommand({ Bucket: other }))
    const moved = await run(workspace, [
      "migrate",
      `s3://${site.bucket}/in/sub/`,
      `s3://${other}/`,
      "--quiet",
    ])
    expect(moved.status).toBe(0)
    const got = await run(workspace, ["get", `s3://${other}/a b+c%.bin`, "-"])
    expect(got.stdout.equals(plaintexts.get("in/sub/a b+c%.bin") ?? Buffer.from("none"))).toBe(true)
    const { TagSet = [] } = await site.client.send(
      new GetObjectTaggingCommand({ Bucket: other, Key: "a b+c%.bin" }),
    )
    expect(TagSet).toHaveLength(2)
    await run(workspace, ["rm", "-r", `s3://${other}/`])
    expect(await storedKeys({ ...site, bucket: other })).toEqual([])
    await site.client.send(new DeleteBucketCommand({ Bucket: other }))
  })
})
