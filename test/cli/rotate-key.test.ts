import { expect, test } from "vitest"
import { type CliSite, openCliSite } from "./cli-site.ts"

/** Objects under the key of the environment, and a key to move them to. */
async function filled(options: { versioned?: boolean } = {}, keys = ["t/a", "t/b"]): Promise<CliSite> {
  const site = await openCliSite(options)
  await site.succeed(["keys", "generate", "next"])
  for (const key of keys) {
    await site.succeed(["put", "-", `s3://vault/${key}`], { stdin: Buffer.from(key) })
  }
  return site
}

const TREE = "s3://vault/t/"
const idOf = (site: CliSite, key: string) => site.store.settings(key).metadata["s3ep-kek-fingerprint"] ?? ""

test("moves a tree, and the same again moves nothing", async () => {
  const site = await filled()
  const { lines, events } = await site.succeed(["rotate-key", TREE, "--to", "next", "--json"])
  expect(lines.slice(0, -1)).toEqual(
    expect.arrayContaining([
      { type: "rotated", uri: "s3://vault/t/a", how: "copy", bytes: expect.any(Number) },
      { type: "rotated", uri: "s3://vault/t/b", how: "copy", bytes: expect.any(Number) },
    ]),
  )
  expect(lines.at(-1)).toMatchObject({ type: "summary", command: "rotate-key", exitCode: 0, moved: 2 })
  expect(JSON.stringify(events)).toContain("whoever kept an old envelope and the old KEK")
  expect((await site.succeed(["get", "s3://vault/t/a", "-"])).stdout).toBe("t/a")
  const again = await site.succeed(["rotate-key", TREE, "--to", "next"])
  expect(again).toMatchObject({ stdout: "", stderr: "s3ep: moved 0 objects, 2 already moved\n" })
})

test("--dry-run and --plan change nothing and say what would be done", async () => {
  const site = await filled()
  const before = idOf(site, "t/a")
  await site.store.put({ bucket: "vault", key: "t/readme" }, Buffer.from("x"), { settings: { metadata: {} } })
  site.store.amend({ bucket: "vault", key: "t/b" }, { storageClass: "GLACIER" })
  const dry = await site.succeed(["rotate-key", TREE, "--to", "next", "--dry-run"])
  expect(dry.stdout).toContain("would rewrap s3://vault/t/a\n")
  const { lines } = await site.succeed(["rotate-key", TREE, "--to", "next", "--plan", "--json"])
  expect(lines).toContainEqual(
    expect.objectContaining({
      type: "stuck",
      uri: "s3://vault/t/b",
      why: "archived",
      hint: expect.any(String),
    }),
  )
  expect(lines).toContainEqual(
    expect.objectContaining({
      type: "plan",
      objects: 3,
      moves: 1,
      foreign: 1,
      requests: { list: 1, read: 4, write: 1 },
      machineBytes: 0,
      stuck: { archived: { objects: 1, bytes: expect.any(Number) } },
    }),
  )
  const plan = await site.succeed(["rotate-key", TREE, "--to", "next", "--plan"])
  expect(plan.stdout).toMatch(/about \$0\.0000\d+\n\(by Amazon S3's list prices/)
  expect(idOf(site, "t/a")).toBe(before)
})

test("--prove has status 4 while the old key opens something", async () => {
  const site = await filled()
  const old = idOf(site, "t/a")
  const proof = ["rotate-key", TREE, "--from", old, "--prove"]
  const open = await site.run(proof)
  expect(open.status).toBe(4)
  expect(open.stdout).toContain(`${old} still opens s3://vault/t/a\n`)
  expect(open.stderr).toContain("the old key still opens 2 objects")
  await site.succeed(["rotate-key", TREE, "--from", old, "--to", "next"])
  expect((await site.succeed(proof)).stdout).toBe(`none of 2 objects opens with ${old}\n`)
})

test("a key that is not at hand proves nothing", async () => {
  const site = await filled()
  const unknown = await site.run(["rotate-key", TREE, "--from", "aes:0123456789abcdef", "--prove"])
  expect(unknown.status).toBe(5)
  expect((await site.run(["rotate-key", TREE, "--prove"])).status).toBe(2)
})

test("old versions are counted, and purged once that was agreed to", async () => {
  const site = await filled({ versioned: true })
  const old = idOf(site, "t/a")
  await site.succeed(["rotate-key", TREE, "--to", "next"])
  const prove = ["rotate-key", TREE, "--from", old, "--prove"]
  expect((await site.succeed(prove)).stdout).toContain("2 old versions: the old key opens 2")
  const purge = ["rotate-key", TREE, "--from", old, "--purge-old-versions"]
  const dry = await site.succeed([...purge, "--dry-run", "--json"])
  expect(dry.lines.filter(({ action }) => action === "delete")).toHaveLength(2)
  const alone = await site.run(purge)
  expect(alone.status).toBe(2)
  expect(alone.stderr).toContain("add --yes")
  const { lines } = await site.succeed([...purge, "--yes", "--json"])
  expect(lines.at(-1)).toMatchObject({ type: "summary", deleted: 2 })
  expect((await site.succeed(prove)).stdout).toBe(`none of 2 objects opens with ${old}\n`)
  expect((await site.succeed(["get", "s3://vault/t/b", "-"])).stdout).toBe("t/b")
})

test("nothing is purged while the old key still opens what is current", async () => {
  const site = await filled({ versioned: true })
  const old = idOf(site, "t/a")
  await site.succeed(["rotate-key", "s3://vault/t/a", "--to", "next"])
  const purge = await site.run(["rotate-key", TREE, "--from", old, "--purge-old-versions", "--yes"])
  expect(purge.status).toBe(4)
  expect(site.store.calls.filter(({ operation }) => operation === "delete")).toEqual([])
})

test("what is locked stays, and says until when", async () => {
  const site = await filled({ versioned: true }, ["t/a"])
  const old = idOf(site, "t/a")
  const until = new Date("2027-01-01T00:00:00Z")
  site.store.amend({ bucket: "vault", key: "t/a" }, { retention: { mode: "GOVERNANCE", until } })
  await site.succeed(["rotate-key", TREE, "--to", "next"])
  const purge = ["rotate-key", TREE, "--from", old, "--purge-old-versions", "--yes"]
  const locked = await site.run(purge)
  expect(locked.status).toBe(8)
  expect(locked.stderr).toContain("it is locked (2027-01-01T00:00:00.000Z)")
  await site.succeed([...purge, "--bypass-governance"])
})

test.each([
  [["rotate-key", "s3://vault/missing/"], 6, "there is nothing under s3://vault/missing/"],
  [["rotate-key", "s3://vault/missing"], 6, "s3://vault/missing is not there"],
  [["rotate-key", "s3://vault/readme"], 4, "has no envelope of s3ep"],
  [["rotate-key", TREE, "--to", "nobody"], 5, 'there is no key "nobody"'],
  [["rotate-key", TREE, "--from", "nobody", "--to", "next"], 2, "it is no id of one"],
  [["rotate-key", TREE, "--plan", "--prove"], 2, "different things to do"],
  [["rotate-key", TREE, "--prove", "--reencrypt"], 2, "--prove moves nothing"],
  [["rotate-key", TREE, "--bypass-governance"], 2, "is for --purge-old-versions"],
  [["rotate-key", TREE, "--shard", "4/4"], 2, "there is no shard 4 of 4"],
  [["rotate-key", TREE, "--merge", "0"], 2, "--merge wants the number of shards"],
  [["rotate-key", TREE, "--shard", "0/2", "--merge", "2"], 2, "--merge is of all shards"],
  [["rotate-key", "s3://vault/t/a", "--to", "next", "--shard", "0/2"], 2, "is of one tree"],
  [["rotate-key", "local/"], 2, "is not an address in a bucket"],
])("%j ends with %i", async (args, status, message) => {
  const site = await filled()
  await site.store.put({ bucket: "vault", key: "readme" }, Buffer.from("x"), { settings: { metadata: {} } })
  const run = await site.run(args)
  expect(run.status).toBe(status)
  expect(run.stderr).toContain(message)
})

test("some that cannot be moved make it status 3, and the others are moved", async () => {
  const site = await filled()
  site.store.amend({ bucket: "vault", key: "t/b" }, { storageClass: "DEEP_ARCHIVE" })
  const run = await site.run(["rotate-key", TREE, "--to", "next"])
  expect(run).toMatchObject({ status: 3, stdout: "rewrapped s3://vault/t/a\n" })
  expect(run.stderr).toContain("it is archived (DEEP_ARCHIVE)")
  expect(run.stderr).toContain("restore it first")
})

test("--reencrypt says what it does not undo", async () => {
  const site = await filled()
  const before = site.store.bytes("t/a")
  const run = await site.succeed(["rotate-key", TREE, "--to", "next", "--reencrypt"])
  expect(run.stderr).toContain("whoever kept an old ciphertext and its DEK")
  expect(Buffer.compare(before, site.store.bytes("t/a"))).not.toBe(0)
  expect((await site.succeed(["get", "s3://vault/t/a", "-"])).stdout).toBe("t/a")
})
