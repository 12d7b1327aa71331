import { randomBytes } from "node:crypto"
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { HeadObjectCommand } from "@aws-sdk/client-s3"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openWorkspace, run, type Workspace, writeRandomFile } from "../support/program.ts"
import {
  openSite,
  readStored,
  type Site,
  storedBytes,
  storedKeys,
  unfinishedUploads,
} from "../support/site.ts"

const MIB = 1024 * 1024
const PART_BYTES = 5 * MIB
const CHUNK_BYTES = 65_536

let site: Site
let workspace: Workspace

beforeAll(async () => {
  site = await openSite()
  workspace = await openWorkspace(site.env)
  const made = await run(workspace, ["keys", "generate"])
  expect(made.stderr).toBe("")
  expect(made.status).toBe(0)
})

afterAll(async () => {
  await workspace[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

async function succeed(args: string[], stdin?: Uint8Array): Promise<Buffer> {
  const finished = await run(workspace, args, { stdin })
  expect(finished.stderr).not.toContain("error:")
  expect(finished.status).toBe(0)
  return finished.stdout
}

const uri = (key: string) => `s3://${site.bucket}/${key}`

describe("put and get", () => {
  test.each([
    ["empty", 0],
    ["one byte", 1],
    ["one chunk", CHUNK_BYTES],
    ["one byte more than a chunk", CHUNK_BYTES + 1],
    ["exactly one segment", PART_BYTES],
    ["one byte more than a segment", PART_BYTES + 1],
    ["three segments and a bit", 3 * PART_BYTES + 12_345],
  ])("%s comes back byte for byte", async (name, bytes) => {
    const key = `sizes/${name}`
    const source = workspace.path(`source-${bytes}`)
    const target = workspace.path(`target-${bytes}`)
    await writeRandomFile(source, bytes)
    await utimes(source, 1_700_000_000, 1_700_000_000)
    await succeed(["put", source, uri(key), "--part-size", String(PART_BYTES)])
    await succeed(["get", uri(key), target])
    expect((await readFile(target)).equals(await readFile(source))).toBe(true)
    expect((await stat(target)).mtimeMs).toBe(1_700_000_000_000)

    const chunks = Math.max(1, Math.ceil(bytes / CHUNK_BYTES))
    const segments = Math.ceil(chunks / (PART_BYTES / CHUNK_BYTES))
    expect(await storedBytes(site, key)).toBe(80 * segments + bytes + 16 * chunks + 32)
  })

  test("no byte of the plaintext, its name or a key is stored in the clear", async () => {
    const source = workspace.path("very-secret-name.txt")
    await writeFile(source, "attack at dawn ".repeat(100))
    await succeed(["put", source, uri("innocent")])
    const { body, metadata } = await readStored(site, "innocent")
    const everything = `${Buffer.from(body).toString("latin1")}${JSON.stringify(metadata)}`
    expect(everything).not.toContain("attack at dawn")
    expect(everything).not.toContain("very-secret-name")
    expect(metadata["s3ep-format"]).toBe("agcm2")
  })

  test.each([
    "with space",
    "plus+plus",
    "per%cent%20%2F",
    "emoji 🎒/ünï côdé",
    "../up",
    "a//b",
    "/leading",
    "question?mark=1&x#y",
    "quote\"'<&>",
    `long/${"k".repeat(1019)}`,
  ])("the key %j survives a round trip", async (key) => {
    const content = randomBytes(1000)
    await succeed(["put", "-", uri(key)], content)
    expect(await storedKeys(site, key)).toContain(key)
    expect(await succeed(["get", uri(key), "-"])).toEqual(content)
    await succeed(["rm", uri(key)])
    expect(await storedKeys(site, key)).not.toContain(key)
  })

  test("standard input of several parts, to standard output", async () => {
    const content = randomBytes(3 * PART_BYTES + 7)
    await succeed(["put", "-", uri("stream"), "--part-size", String(PART_BYTES)], content)
    const back = await succeed(["get", uri("stream"), "-"])
    expect(back.equals(content)).toBe(true)
    expect(await unfinishedUploads(site)).toEqual([])
  })

  test("standard input that fills its last part exactly", async () => {
    const content = randomBytes(2 * PART_BYTES)
    await succeed(["put", "-", uri("stream-exact"), "--part-size", String(PART_BYTES)], content)
    expect((await succeed(["get", uri("stream-exact"), "-"])).equals(content)).toBe(true)
  })

  test("a command's output; nothing is left when the command fails", async () => {
    await succeed(["put", uri("from-command"), "--from-command", "printf", "hello"])
    expect((await succeed(["get", uri("from-command"), "-"])).toString()).toBe("hello")
    const failing = await run(workspace, [
      "put",
      uri("failing"),
      "--from-command",
      "sh",
      "-c",
      "echo half; exit 3",
    ])
    expect(failing.status).toBe(10)
    expect(await storedKeys(site, "failing")).toEqual([])
    expect(await unfinishedUploads(site)).toEqual([])
  })

  test("ranges", async () => {
    const content = randomBytes(2 * PART_BYTES + 100)
    const source = workspace.path("ranged")
    await writeFile(source, content)
    await succeed(["put", source, uri("ranged"), "--part-size", String(PART_BYTES)])
    const part = await succeed(["get", uri("ranged"), "-", "--range", `${PART_BYTES - 5}-${PART_BYTES + 4}`])
    expect(part).toEqual(content.subarray(PART_BYTES - 5, PART_BYTES + 5))
    expect(await succeed(["get", uri("ranged"), "-", "--range", "-10"])).toEqual(content.subarray(-10))
  })

  test("mp-upload with every knob", async () => {
    const source = workspace.path("knobs")
    await writeRandomFile(source, 2 * PART_BYTES)
    const knobs = ["--part-size", "5MiB", "--concurrency", "2", "--checksum", "crc32"]
    await succeed(["mp-upload", source, uri("knobs"), ...knobs])
    await succeed(["get", uri("knobs"), workspace.path("knobs-back")])
    expect((await readFile(workspace.path("knobs-back"))).equals(await readFile(source))).toBe(true)
  })

  test("SHA-256 signed payloads, and none", async () => {
    for (const checksum of ["sha256", "none"]) {
      const source = workspace.path(`checksum-${checksum}`)
      await writeRandomFile(source, PART_BYTES + 1)
      await succeed(["put", source, uri(checksum), "--part-size", "5MiB", "--checksum", checksum])
      await succeed(["verify", uri(checksum)])
    }
  })
})

test.runIf(process.env["S3EP_TEST_OBJECT_LOCK"] !== "no")(
  "Object Lock is on what was stored, in one request, in parts and from a pipe",
  async () => {
    const locked = await openSite(process.env, { objectLock: true })
    try {
      const until = new Date(Date.now() + 3_600_000).toISOString()
      const lock = ["--object-lock-mode", "GOVERNANCE", "--object-lock-retain-until", until, "--legal-hold"]
      const source = workspace.path("locked")
      await writeRandomFile(source, 2 * PART_BYTES)
      const content = await readFile(source)
      const runs: [string, string[], Uint8Array?][] = [
        ["small", ["put", "-"], content.subarray(0, 10)],
        ["parts", ["put", source]],
        ["pipe", ["put", "-"], content],
      ]
      for (const [key, args, stdin] of runs) {
        const put = [...args, `s3://${locked.bucket}/${key}`, "--part-size", "5MiB", ...lock]
        const finished = await run(workspace, put, { stdin, env: locked.env })
        expect(finished.stderr).not.toContain("error:")
        expect(finished.status).toBe(0)
        const head = await locked.client.send(new HeadObjectCommand({ Bucket: locked.bucket, Key: key }))
        expect(head.ObjectLockMode).toBe("GOVERNANCE")
        expect(head.ObjectLockLegalHoldStatus).toBe("ON")
      }
    } finally {
      await locked[Symbol.asyncDispose]()
    }
  },
)

describe("trees", () => {
  test("a tree goes up and comes back, and verifies", async () => {
    const root = workspace.path("tree")
    const files = new Map([
      ["a.txt", randomBytes(10)],
      ["deep/er/b.bin", randomBytes(CHUNK_BYTES + 1)],
      ["deep/empty", Buffer.alloc(0)],
      ["ünï côdé/😀", randomBytes(5)],
      ["big", randomBytes(PART_BYTES * 2)],
    ])
    for (const [name, content] of files) {
      await mkdir(join(root, name, ".."), { recursive: true })
      await writeFile(join(root, name), content)
    }
    await writeFile(join(root, "skip.log"), "x")
    await succeed(["put", "-r", root, uri("tree/"), "--exclude", "*.log", "--part-size", "5MiB"])
    expect((await storedKeys(site, "tree/")).sort()).toEqual(
      [...files.keys()].map((name) => `tree/${name}`).sort(),
    )
    await succeed(["verify", "-r", uri("tree/")])

    const back = workspace.path("tree-back")
    await succeed(["get", "-r", uri("tree/"), back])
    for (const [name, content] of files) {
      expect((await readFile(join(back, name))).equals(content)).toBe(true)
    }
    const left = (await readdir(back, { recursive: true })).filter((name) => name.includes(".s3ep-"))
    expect(left).toEqual([])
  })

  test("ls shows plaintext sizes", async () => {
    await succeed(["put", "-", uri("listing/one")], randomBytes(1234))
    const listed = (await succeed(["ls", uri("listing/"), "--json"])).toString().trim().split("\n")
    const objects = listed.map((line) => JSON.parse(line)).filter((line) => line.type === "object")
    expect(objects).toEqual([expect.objectContaining({ uri: uri("listing/one"), bytes: 1234 })])
  })
})

describe("local files", () => {
  test("encrypt and decrypt without a store", async () => {
    const content = randomBytes(200_000)
    const sealed = await succeed(["encrypt", "-", "-"], content)
    expect(sealed.subarray(0, 4).toString()).toBe("S3EP")
    expect((await succeed(["decrypt", "-", "-"], sealed)).equals(content)).toBe(true)
  })
})
