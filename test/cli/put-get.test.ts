import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type CliSite, openCliSite } from "./cli-site.ts"

async function tree(site: CliSite): Promise<string> {
  const root = site.home.path("tree")
  await mkdir(join(root, "deep", "er"), { recursive: true })
  await writeFile(join(root, "a.txt"), "a")
  await writeFile(join(root, "b.log"), "b")
  await writeFile(join(root, "deep", "er", "ü.txt"), "c")
  await symlink("a.txt", join(root, "link"))
  return root
}

test("a file goes to a prefix under its name, and comes back into a directory", async () => {
  const site = await openCliSite()
  await writeFile(site.home.path("report.pdf"), "report")
  const put = await site.succeed(["put", "report.pdf", "s3://vault/reports/"])
  expect(put.stdout).toBe("stored report.pdf as s3://vault/reports/report.pdf (6 bytes)\n")
  await site.succeed(["get", "s3://vault/reports/report.pdf", "back/"])
  expect(await readFile(site.home.path("back/report.pdf"), "utf8")).toBe("report")
})

test("several files become a prefix, and come back into a directory", async () => {
  const site = await openCliSite()
  await writeFile(site.home.path("a"), "1")
  await writeFile(site.home.path("b"), "2")
  await site.succeed(["put", "a", "b", "s3://vault/both"])
  await site.succeed(["get", "s3://vault/both/a", "s3://vault/both/b", "back"])
  expect(await readdir(site.home.path("back"))).toEqual(["a", "b"])
})

test("a tree goes up as what it holds, and comes back", async () => {
  const site = await openCliSite()
  await tree(site)
  const put = await site.succeed(["put", "-r", "tree", "s3://vault/t", "--exclude", "*.log", "--json"])
  const uris = put.lines.filter(({ type }) => type === "stored").map(({ uri }) => uri)
  expect(uris.sort()).toEqual(["s3://vault/t/a.txt", "s3://vault/t/deep/er/ü.txt"])
  expect(put.lines.at(-1)).toEqual(
    expect.objectContaining({ type: "summary", command: "put", exitCode: 0, stored: 2, bytes: 2 }),
  )
  await site.succeed(["get", "s3://vault/t/", "back"])
  expect(await readFile(site.home.path("back/deep/er/ü.txt"), "utf8")).toBe("c")
  await site.succeed(["get", "-r", "s3://vault/t", "texts", "--include", "a*"])
  expect(await readdir(site.home.path("texts"), { recursive: true })).toEqual(["a.txt"])
})

test("several trees go up each under its own name", async () => {
  const site = await openCliSite()
  for (const name of ["one", "two"]) {
    await mkdir(site.home.path(name))
    await writeFile(site.home.path(`${name}/f`), name)
  }
  await site.succeed(["put", "-r", "one", "two", "s3://vault/p/"])
  const { lines } = await site.succeed(["ls", "-r", "s3://vault", "--json"])
  expect(lines.flatMap(({ key }) => key ?? [])).toEqual(["p/one/f", "p/two/f"])
})

test("rm -r of a tree leaves alone what merely begins like it", async () => {
  const site = await openCliSite()
  for (const key of ["t/a", "t/b/c", "t2", "t"]) {
    await site.succeed(["put", "-", `s3://vault/${key}`], { stdin: Buffer.from("x") })
  }
  const { lines } = await site.succeed(["rm", "-r", "s3://vault/t", "--json"])
  expect(lines.flatMap(({ type, uri }) => (type === "deleted" ? uri : [])).sort()).toEqual([
    "s3://vault/t/a",
    "s3://vault/t/b/c",
  ])
  const left = await site.succeed(["ls", "-r", "s3://vault", "--json"])
  expect(left.lines.flatMap(({ key }) => key ?? [])).toEqual(["t", "t2"])
})

test("--skip-existing leaves alone what is there, in both directions", async () => {
  const site = await openCliSite()
  await tree(site)
  await site.succeed(["put", "-r", "tree", "s3://vault/t/"])
  const again = await site.succeed(["put", "-r", "tree", "s3://vault/t/", "--skip-existing", "--json"])
  expect(again.lines.filter(({ type }) => type === "stored")).toEqual([])
  const file = await site.succeed(["put", "tree/a.txt", "s3://vault/t/", "--skip-existing", "--json"])
  expect(file.lines[0]).toEqual(expect.objectContaining({ type: "skipped", uri: "s3://vault/t/a.txt" }))
  await writeFile(site.home.path("mine"), "mine")
  await site.succeed(["get", "s3://vault/t/a.txt", "mine", "--skip-existing"])
  expect(await readFile(site.home.path("mine"), "utf8")).toBe("mine")
})

test("--no-clobber keeps a file that exists: status 8; without it the file is replaced", async () => {
  const site = await openCliSite()
  await site.succeed(["put", "-", "s3://vault/a"], { stdin: Buffer.from("new") })
  await writeFile(site.home.path("a"), "old")
  expect((await site.run(["get", "s3://vault/a", "a", "--no-clobber"])).status).toBe(8)
  expect(await readFile(site.home.path("a"), "utf8")).toBe("old")
  await site.succeed(["get", "s3://vault/a", "a"])
  expect(await readFile(site.home.path("a"), "utf8")).toBe("new")
})

test("ranges, to standard output and to a file", async () => {
  const site = await openCliSite()
  await site.succeed(["put", "-", "s3://vault/abc"], { stdin: Buffer.from("0123456789") })
  for (const [range, expected] of [
    ["2-4", "234"],
    ["7-", "789"],
    ["-2", "89"],
    ["-50", "0123456789"],
  ] as const) {
    expect((await site.succeed(["get", "s3://vault/abc", "-", "--range", range])).stdout).toBe(expected)
  }
  await site.succeed(["get", "s3://vault/abc", "part", "--range", "0-1"])
  expect(await readFile(site.home.path("part"), "utf8")).toBe("01")
  expect((await site.run(["get", "s3://vault/abc", "-", "--range", "10-"])).status).toBe(2)
})

test("a command's output; its options are its own, and nothing is stored if it fails", async () => {
  const site = await openCliSite()
  await site.succeed(["put", "s3://vault/out", "--from-command", "printf", "%s", "--json"])
  expect((await site.succeed(["get", "s3://vault/out", "-"])).stdout).toBe("--json")
  const failing = await site.run(["put", "s3://vault/half", "--from-command", "sh", "-c", "echo x; exit 3"])
  expect(failing.status).toBe(10)
  expect(() => site.store.bytes("half")).toThrow(/half/)
})

test("data on standard output leaves no room for lines", async () => {
  const site = await openCliSite()
  await site.succeed(["put", "-", "s3://vault/abc"], { stdin: Buffer.from("data") })
  const { stdout, events } = await site.succeed(["get", "s3://vault/abc", "-", "--json"])
  expect(stdout).toBe("data")
  expect(events.map(({ type }) => type)).toEqual(["fetched", "summary"])
})

test("what is stored beside an object", async () => {
  const site = await openCliSite()
  const options = [
    ...[
      "--content-type",
      "text/plain",
      "--metadata",
      "Owner=ada",
      "--tag",
      "k=v",
      "--storage-class",
      "GLACIER_IR",
    ],
    ...["--cache-control", "no-store", "--sse", "AES256", "--legal-hold", "--acl", "private"],
    ...["--object-lock-mode", "GOVERNANCE", "--object-lock-retain-until", "2030-01-01T00:00:00Z"],
  ]
  await site.succeed(["put", "-", "s3://vault/a", ...options], { stdin: Buffer.from("x") })
  expect(site.store.settings("a")).toEqual(
    expect.objectContaining({
      contentType: "text/plain",
      cacheControl: "no-store",
      tags: { k: "v" },
      storageClass: "GLACIER_IR",
      encryption: { kind: "sse-s3" },
      legalHold: true,
      acl: "private",
      retention: { mode: "GOVERNANCE", until: new Date("2030-01-01T00:00:00Z") },
      metadata: expect.objectContaining({ owner: "ada", "s3ep-format": "agcm2" }),
    }),
  )
  const { lines } = await site.succeed(["stat", "s3://vault/a", "--json"])
  expect(lines[0]).toEqual(
    expect.objectContaining({ type: "object", bytes: 1, format: "agcm2", metadata: { owner: "ada" } }),
  )
})

test.each([
  ["--metadata", "novalue"],
  ["--metadata", "s3ep-v=1"],
  ["--metadata", "name=ünï"],
  ["--tag", "=v"],
  ["--object-lock-mode", "GOVERNANCE"],
  ["--object-lock-retain-until", "tomorrow"],
  ["--sse", "rot13"],
  ["--part-size", "many"],
  ["--checksum", "md5"],
])("%s %s is refused before any request", async (option, value) => {
  const site = await openCliSite()
  const { status, stderr } = await site.run(["put", "-", "s3://vault/a", option, value])
  expect(status).toBe(2)
  expect(stderr).toContain("--")
  expect(site.store.calls).toEqual([])
})

test("encrypt and decrypt: files, pipes, and from one to the other", async () => {
  const site = await openCliSite()
  await writeFile(site.home.path("notes.txt"), "notes")
  await site.succeed(["encrypt", "notes.txt", "notes.s3ep"])
  const piped = await site.succeed(["encrypt", "notes.txt"])
  expect((await site.succeed(["decrypt"], { stdin: piped.data })).stdout).toBe("notes")
  expect((await site.succeed(["decrypt", "notes.s3ep"])).stdout).toBe("notes")
  await site.succeed(["decrypt", "-", "back"], { stdin: piped.data })
  expect(await readFile(site.home.path("back"), "utf8")).toBe("notes")
  const torn = await site.run(["decrypt"], { stdin: piped.data.subarray(0, -1) })
  expect(torn.status).toBe(4)
})

test("mp-upload sends parts however small the file, and says its plan", async () => {
  const site = await openCliSite()
  await writeFile(site.home.path("disk.img"), Buffer.alloc(6 * 1024 * 1024))
  const plan = await site.succeed([
    "mp-upload",
    "disk.img",
    "s3://vault/",
    "--part-size",
    "5MiB",
    "-n",
    "--json",
  ])
  expect(plan.lines[0]).toEqual(
    expect.objectContaining({ type: "planned", parts: 2, bytes: 6 * 1024 * 1024 }),
  )
  const { lines } = await site.succeed([
    "mp-upload",
    "disk.img",
    "s3://vault/",
    "--part-size",
    "5MiB",
    "--json",
  ])
  expect(lines[0]).toEqual(expect.objectContaining({ type: "stored", uri: "s3://vault/disk.img", parts: 2 }))
})
