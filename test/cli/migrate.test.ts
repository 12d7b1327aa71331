import { describe, expect, test } from "vitest"
import { hex } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/kdf.ts"
import { harpocratesSeal } from "../support/harpocrates-vectors.ts"
import type { MemoryStore } from "../support/memory-store.ts"
import { KEK, openCliSite } from "./cli-site.ts"

const OLD_KEY = new Uint8Array(Buffer.from(KEK, "base64"))
const PLAINTEXT = Buffer.from("a line of text\n".repeat(200))

async function put(store: MemoryStore, key: string, plaintext: Uint8Array = PLAINTEXT): Promise<void> {
  const body = harpocratesSeal(OLD_KEY, new Uint8Array(12).fill(1), 1024, plaintext)
  const settings = { metadata: { owner: "anna" } }
  await store.put({ bucket: "vault", key }, body, { settings })
}

describe("migrate", () => {
  test("in place: says what it did and what is wrong with what was there, and get reads it then", async () => {
    const site = await openCliSite()
    await put(site.store, "old/a.txt")
    const run = await site.succeed(["migrate", "s3://vault/old/", "--in-place"])
    expect(run.stdout).toBe("migrated s3://vault/old/a.txt (2.9 KiB, Harpocrates AGCM v1)\n")
    expect(run.stderr).toContain("1 object: AGCM v1 seals every chunk under one nonce")
    expect(run.stderr).toContain("hint: change the secrets they held")
    const got = await site.succeed(["get", "s3://vault/old/a.txt", "-"])
    expect(got.data).toEqual(PLAINTEXT)
    expect((await site.succeed(["migrate", "s3://vault/old/", "--in-place"])).stdout).toBe(
      "skipped s3://vault/old/a.txt: it is of this format already\n",
    )
  })

  test("a single object to a prefix keeps its name", async () => {
    const site = await openCliSite()
    await put(site.store, "old/a.txt")
    const run = await site.succeed(["migrate", "s3://vault/old/a.txt", "s3://vault/new/", "--json"])
    expect(run.lines).toEqual([
      {
        type: "migrated",
        source: "s3://vault/old/a.txt",
        uri: "s3://vault/new/a.txt",
        format: "harpocrates-agcm-v1",
        findings: ["nonce-reuse", "unproven-end"],
        bytes: PLAINTEXT.length,
        storedBytes: expect.any(Number),
        etag: expect.any(String),
        versionId: null,
      },
      { type: "summary", command: "migrate", exitCode: 0, migrated: 1, bytes: PLAINTEXT.length },
    ])
    expect(run.events.map(({ type }) => type)).toContain("notice")
  })

  test("one failure is reported, the rest is done, and the status is 3", async () => {
    const site = await openCliSite()
    await put(site.store, "old/a.txt")
    await site.store.put({ bucket: "vault", key: "old/b.txt" }, PLAINTEXT, { settings: { metadata: {} } })
    const run = await site.run(["migrate", "-r", "s3://vault/old", "s3://vault/new"])
    expect(run.status).toBe(3)
    expect(run.stdout).toBe(
      "migrated s3://vault/old/a.txt to s3://vault/new/a.txt (2.9 KiB, Harpocrates AGCM v1)\n",
    )
    expect(run.stderr).toContain("s3ep: error: s3://vault/old/b.txt is ")
    expect((await site.succeed(["get", "s3://vault/new/a.txt", "-"])).data).toEqual(PLAINTEXT)
    expect((await site.run(["migrate", "s3://vault/old/b.txt", "s3://vault/new/b.txt"])).status).toBe(4)
    const passed = ["migrate", "s3://vault/old/b.txt", "s3://vault/new/b.txt", "--plaintext"]
    expect((await site.succeed(passed)).stdout).toContain("not encrypted")
    expect((await site.succeed(["get", "s3://vault/new/b.txt", "-"])).data).toEqual(PLAINTEXT)
  })

  test.each([
    ["--expect-bytes", String(PLAINTEXT.length), 0],
    ["--expect-bytes", String(PLAINTEXT.length + 1), 4],
    ["--expect-bytes", "many", 2],
    ["--expect-sha256", hex(sha256(PLAINTEXT)), 0],
    ["--expect-sha256", "00".repeat(32), 4],
    ["--expect-sha256", "00", 2],
  ])("%s %s ends with status %i", async (option, value, status) => {
    const site = await openCliSite()
    await put(site.store, "old/a.txt")
    const run = await site.run(["migrate", "s3://vault/old/a.txt", "--in-place", option, value])
    expect(run.status).toBe(status)
    const kept = site.store.bytes("old/a.txt").subarray(0, 5)
    expect(kept[4]).toBe(status === 0 ? 2 : 1)
  })

  test("an object that exists at the destination stays, and the status is 8", async () => {
    const site = await openCliSite()
    await put(site.store, "old/a.txt")
    await put(site.store, "new/a.txt", Buffer.from("another"))
    const before = site.store.bytes("new/a.txt")
    const run = await site.run(["migrate", "s3://vault/old/", "s3://vault/new/"])
    expect(run.status).toBe(8)
    expect(run.stderr).toContain("s3://vault/new/a.txt exists already")
    expect(site.store.bytes("new/a.txt")).toEqual(before)
  })

  test("a plan adds up and writes nothing", async () => {
    const site = await openCliSite()
    await put(site.store, "old/a.txt")
    await put(site.store, "old/b.txt")
    await put(site.store, "old/c.txt")
    await site.succeed(["migrate", "s3://vault/old/c.txt", "--in-place"])
    const run = await site.succeed(["migrate", "s3://vault/old/", "--in-place", "--plan"])
    expect(run.stdout).toBe(
      [
        "s3://vault/old/",
        "  2 objects  5.9 KiB  Harpocrates AGCM v1",
        "   1 object           left: it is of this format already",
        "to migrate: 2 objects, about 11.9 KiB to read and 5.9 KiB to write, in about 18 requests",
        "",
      ].join("\n"),
    )
    expect(site.store.bytes("old/a.txt")[4]).toBe(1)
    const json = await site.succeed(["migrate", "s3://vault/old/", "--in-place", "--plan", "--json"])
    expect(json.lines.find(({ type }) => type === "plan")).toMatchObject({
      objects: 2,
      bytes: 2 * PLAINTEXT.length,
      failed: 0,
      skipped: [{ reason: "it is of this format already", objects: 1 }],
    })
  })

  test("a dry run says what would be migrated, and writes nothing", async () => {
    const site = await openCliSite()
    await put(site.store, "old/a.txt")
    const run = await site.succeed(["migrate", "s3://vault/old/", "s3://vault/new/", "-n"])
    expect(run.stdout).toBe(
      "would migrate s3://vault/old/a.txt to s3://vault/new/a.txt (2.9 KiB, Harpocrates AGCM v1)\n",
    )
    expect(site.store.calls.map(({ operation }) => operation)).not.toContain("createUpload")
  })

  test.each([
    [["s3://vault/old/"], "needs to know where to"],
    [["s3://vault/old/", "s3://vault/new/", "--in-place"], "--in-place has no destination"],
    [["s3://vault/old/sub/", "s3://vault/old/"], "one would migrate into the other"],
    [["s3://vault/old/", "s3://vault/new/", "--expect-bytes", "1"], "for one object"],
    [["old", "s3://vault/new/"], "not an address in a bucket"],
  ])("%j is refused", async (argv, message) => {
    const site = await openCliSite()
    const run = await site.run(["migrate", ...argv])
    expect(run.status).toBe(2)
    expect(run.stderr).toContain(message)
  })

  test("where nothing is, the status is 6", async () => {
    const site = await openCliSite()
    expect((await site.run(["migrate", "s3://vault/none/", "--in-place"])).status).toBe(6)
    expect((await site.run(["migrate", "s3://vault/none", "--in-place"])).status).toBe(6)
  })

  test("where the bucket keeps versions, it says that the originals stay", async () => {
    const site = await openCliSite({ versioned: true })
    await put(site.store, "old/a.txt")
    const run = await site.succeed(["migrate", "s3://vault/old/", "--in-place"])
    expect(run.stderr).toContain("the bucket keeps versions: what 1 object held stays there as it was")
  })
})
