import { access, mkdir, readdir, writeFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { base64 } from "../../src/bytes.ts"
import { DeniedError, UnavailableError } from "../../src/errors.ts"
import { faulty } from "../support/faults.ts"
import type { Run } from "../support/run-cli.ts"
import { KEK, openCliSite } from "./cli-site.ts"

const stdin = Buffer.from("content")
const never = async () => undefined

/** One clear error, with `--json` too, and a summary that says the same. */
function expectFailure(run: Run, status: number, code: string, message: RegExp): void {
  expect(run.status).toBe(status)
  const { lines, events } = run
  const last = events.findLast(({ type }) => type === "error")
  expect(last).toEqual({
    type: "error",
    code,
    message: expect.stringMatching(message),
    hint: last?.["hint"] ?? null,
    exitCode: status,
  })
  // Where standard output is for data, the summary goes with the errors.
  const summary = [...lines, ...events].find(({ type }) => type === "summary")
  expect(summary).toEqual(expect.objectContaining({ type: "summary", exitCode: status }))
  expect([lines.at(-1), events.at(-1)]).toContain(summary)
}

test("1: a bug prints its stack", async () => {
  const site = await openCliSite()
  const store = faulty(site.store, { moment: "before", error: new TypeError("x is not a function") })
  const { status, stderr } = await site.run(["rm", "s3://vault/a"], { store })
  expect(status).toBe(1)
  expect(stderr).toMatch(/TypeError: x is not a function\n {4}at /)
  expect(stderr).toContain("s3ep: hint: this is a bug in s3ep")
})

test.each([
  [["frobnicate"], /unknown command 'frobnicate'/],
  [["putt"], /unknown command/],
  [["put", "--recursiv", "a", "b"], /unknown option '--recursiv'/],
  [["ls"], /missing required argument/],
  [["keys"], /say which command|Usage/],
  [["mp-upload", "list", "--no-clobber"], /mp-upload list has no option --no-clobber/],
  [["mp-upload", "clean"], /--older-than/],
  [["put", "a"], /somewhere to put it/],
  [["put", "a", "b"], /not an address in a bucket/],
  [["get", "s3://vault/a"], /somewhere to put it/],
  [["get", "a", "b"], /not an address in a bucket/],
  [["get", "s3://vault/a", "s3://vault/b"], /get writes files/],
  [["put", "-", "s3://vault/"], /has no name of its own/],
  [["put", ".", "s3://vault/x"], /is a directory/],
  [["get", "-r", "s3://vault/", "-"], /standard output/],
  [["rm", "s3://vault"], /names a bucket/],
  [["--config", "missing.json", "ls", "s3://vault"], /missing\.json/],
  [["completion", "tcsh"], /tcsh/],
] as const)("2: s3ep %j", async (argv, message) => {
  const site = await openCliSite()
  const { status, stderr, stdout } = await site.run(argv)
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" })
  expect(stderr).toMatch(message)
  expect(stderr).not.toMatch(/^ {4}at /m)
  expect(site.store.calls).toEqual([])
})

test("2: a variable that s3ep does not know, with a suggestion", async () => {
  const site = await openCliSite()
  const run = await site.run(["ls", "s3://vault", "--json"], { env: { S3EP_ENDPIONT: "http://127.0.0.1" } })
  expectFailure(run, 2, "S3EP_USAGE", /S3EP_ENDPIONT/)
  expect(run.stderr).toContain("S3EP_ENDPOINT")
})

test("2: the hint and the summary name the command, and S3EP_JSON counts before settings are read", async () => {
  const site = await openCliSite()
  const { lines, events } = await site.run(["mp-upload", "list", "--nonsense"], { env: { S3EP_JSON: "1" } })
  expect(events).toEqual([expect.objectContaining({ hint: "see `s3ep mp-upload list --help`" })])
  expect(lines).toEqual([{ type: "summary", command: "mp-upload list", exitCode: 2 }])
})

test("3: some items failed, and each is listed", async () => {
  const site = await openCliSite()
  await writeFile(site.home.path("good"), "good")
  const run = await site.run(["put", "good", "missing", "s3://vault/p/", "--json"])
  expectFailure(run, 3, "S3EP_PARTIAL", /1 of 2 files failed/)
  expect(run.events[0]).toEqual(
    expect.objectContaining({ type: "error", item: "missing", code: "S3EP_LOCAL_IO", exitCode: 10 }),
  )
  expect(run.lines.at(-1)).toEqual(expect.objectContaining({ stored: 1, failed: 1 }))
})

test("when nothing was done, and all for one reason, that is the status", async () => {
  const site = await openCliSite()
  const run = await site.run(["put", "missing", "gone", "s3://vault/p/", "--json"])
  expectFailure(run, 10, "S3EP_LOCAL_IO", /2 of 2 files failed/)
})

test("4: one damaged object of several that are verified", async () => {
  const site = await openCliSite()
  for (const key of ["a", "b"]) await site.succeed(["put", "-", `s3://vault/${key}`], { stdin })
  site.store.tamper("a", (data) => data.with(90, (data[90] ?? 0) ^ 1))
  expectFailure(
    await site.run(["verify", "-r", "s3://vault", "--json"]),
    4,
    "S3EP_INTEGRITY",
    /1 of 2 objects/,
  )
  expectFailure(
    await site.run(["get", "s3://vault/a", "file", "--json"]),
    4,
    "S3EP_INTEGRITY",
    /cannot open s3:\/\/vault\/a/,
  )
  await expect(access(site.home.path("file"))).rejects.toThrow("ENOENT")
  const tree = await site.run(["get", "-r", "s3://vault", "tree", "--json"])
  expectFailure(tree, 3, "S3EP_PARTIAL", /1 of 2 objects/)
  expect(await readdir(site.home.path("tree"))).toEqual(["b"])
})

test("5: the key is another one, or there is none", async () => {
  const site = await openCliSite()
  await site.succeed(["put", "-", "s3://vault/a"], { stdin })
  const other = base64(new Uint8Array(32).fill(8))
  const wrong = await site.run(["get", "s3://vault/a", "-"], { env: { S3EP_KEK: other } })
  expect({ status: wrong.status, stdout: wrong.stdout }).toEqual({ status: 5, stdout: "" })
  expect(wrong.stderr).toMatch(/s3ep: hint: .*aes:[0-9a-f]{6}/)
  const none = await site.run(["put", "-", "s3://vault/b"], { stdin, env: { S3EP_KEK: "" } })
  expect(none.status).toBe(2)
})

test("5: nothing prompts without a terminal; the hint says what to set", async () => {
  const site = await openCliSite()
  const run = await site.run(["put", "-p", "-", "s3://vault/a", "--json"], { stdin })
  expectFailure(run, 5, "S3EP_KEY", /no terminal/)
  expect(run.stderr).toContain("S3EP_PASSPHRASE_FILE")
  expect(() => site.store.bytes("a")).toThrow(/a/)
})

test.each([
  [["get", "s3://vault/none", "-"]],
  [["get", "s3://nowhere-at-all/x", "-"]],
  [["get", "-r", "s3://vault/none/", "d"]],
  [["stat", "s3://vault/none"]],
  [["verify", "-r", "s3://vault/none/"]],
  [["rm", "-r", "s3://vault/none/"]],
  [["ls", "s3://nowhere-at-all/"]],
  [["mp-upload", "abort", "0123456789abcdef"]],
])("6: %j", async (argv) => {
  const site = await openCliSite()
  expectFailure(await site.run([...argv, "--json"]), 6, "S3EP_NOT_FOUND", /\w/)
})

test("7: denied", async () => {
  const site = await openCliSite()
  const store = faulty(site.store, { moment: "before", error: new DeniedError("not you", { hint: "ask" }) })
  expectFailure(await site.run(["ls", "s3://vault", "--json"], { store }), 7, "S3EP_DENIED", /not you/)
})

test("8: the object exists and is to stay", async () => {
  const site = await openCliSite()
  await site.succeed(["put", "-", "s3://vault/a"], { stdin })
  const before = site.store.bytes("a")
  for (const option of ["--no-clobber", "--if-none-match=*"]) {
    const run = await site.run(["put", "-", "s3://vault/a", option, "--json"], { stdin })
    expectFailure(run, 8, "S3EP_PRECONDITION", /exists/)
  }
  expect(site.store.bytes("a")).toEqual(before)
})

test("9: unavailable after retries", async () => {
  const site = await openCliSite()
  const error = new UnavailableError("connection refused", { transient: "network" })
  const store = faulty(site.store, { moment: "before", error })
  const run = await site.run(["rm", "s3://vault/a", "--json"], { store, delay: never })
  expectFailure(run, 9, "S3EP_UNAVAILABLE", /connection refused/)
  expect(run.events.filter(({ type }) => type === "retry").length).toBeGreaterThan(1)
})

test("10: a source that cannot be read", async () => {
  const site = await openCliSite()
  expectFailure(await site.run(["put", "nowhere", "s3://vault/a", "--json"]), 10, "S3EP_LOCAL_IO", /nowhere/)
})

test.each([
  ["put", ["put", "file", "s3://vault/new"]],
  ["put -r", ["put", "-r", "dir", "s3://vault/new"]],
  ["put -", ["put", "-", "s3://vault/new"]],
  ["mp-upload", ["mp-upload", "file", "s3://vault/new"]],
  ["get", ["get", "s3://vault/a", "new"]],
  ["get -r", ["get", "-r", "s3://vault/", "new"]],
  ["rm", ["rm", "s3://vault/a"]],
  ["rm -r", ["rm", "-r", "s3://vault"]],
  ["encrypt", ["encrypt", "file", "new"]],
  ["clean", ["mp-upload", "clean", "s3://vault", "--older-than", "0s"]],
])("%s --dry-run writes nothing", async (_name, argv) => {
  const site = await openCliSite()
  await site.succeed(["put", "-", "s3://vault/a"], { stdin })
  await writeFile(site.home.path("file"), "x")
  await mkdir(site.home.path("dir"))
  await writeFile(site.home.path("dir/f"), "x")
  const files = await readdir(site.home.directory, { recursive: true })
  const already = site.store.calls.length
  const { stdout, stderr } = await site.succeed([...argv, "--dry-run"], { stdin })
  expect(stdout + stderr).toContain("would ")
  expect(await readdir(site.home.directory, { recursive: true })).toEqual(files)
  const writes = ["put", "putStream", "delete", "createUpload", "uploadPart", "completeUpload", "abortUpload"]
  const operations = site.store.calls.slice(already).map(({ operation }) => operation)
  expect(operations.filter((operation) => writes.includes(operation))).toEqual([])
})

test("no output shows a key, whatever is asked and however it fails", async () => {
  const site = await openCliSite()
  await writeFile(site.home.path("raw.key"), `${KEK}\n`, { mode: 0o600 })
  const argvs = [
    ["keys", "list", "-v"],
    ["keys", "show", "env:S3EP_KEK"],
    ["keys", "generate"],
    ["config", "explain"],
    ["config", "explain", "--json"],
    ["config", "check"],
    ["put", "-", "s3://vault/a", "-v"],
    ["stat", "s3://vault/a", "--json"],
    ["--kek-file", "raw.key", "get", "s3://vault/none", "-", "-v"],
    ["keys", "show", KEK],
    ["--kek", KEK, "put", "-", "s3://vault/a"],
    [`--passphrase=${KEK}`, "ls", "s3://vault"],
    ["--kek-file", "/dev/null", "ls", "s3://vault"],
  ]
  for (const argv of argvs) {
    const env = { S3EP_SSE_C_KEY: KEK }
    const { stdout, stderr } = await site.run(argv, { stdin, env })
    const shown = stdout + stderr
    expect(shown).not.toBe("")
    if (!argv.includes(KEK)) expect(shown, argv.join(" ")).not.toContain(KEK.slice(0, 12))
  }
})
