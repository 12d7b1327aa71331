import { expect, test } from "vitest"
import { parsePlace } from "../../src/cli/address.ts"
import { parseRange } from "../../src/cli/range.ts"
import { Collector } from "../support/run-cli.ts"
import { openCliSite } from "./cli-site.ts"

test.each([
  ["ab", /3 to 63/],
  ["a".repeat(64), /3 to 63/],
  ["Vault", /lower-case/],
  ["va_ult", /lower-case/],
  ["-vault", /begin and end/],
  ["vault.", /begin and end/],
  ["va..ult", /two dots/],
  ["192.168.0.1", /IP address/],
  ["xn--vault", /begin with/],
  ["vault-s3alias", /end with/],
  ["", /give the bucket's name/],
])("a bucket called %j is refused before any request, with the rule", async (bucket, rule) => {
  const site = await openCliSite()
  const { status, stderr } = await site.run(["ls", `s3://${bucket}/x`])
  expect(status).toBe(2)
  expect(stderr).toMatch(rule)
  expect(site.store.calls).toEqual([])
})

test.each(["abc", "my.bucket", "0bucket-1", "a".repeat(63)])("a bucket may be called %j", (bucket) => {
  expect(parsePlace(`s3://${bucket}/k`)).toEqual({ kind: "object", address: { bucket, key: "k" } })
})

test("a key of 1,025 bytes is refused before any request, one of 1,024 is not", async () => {
  const site = await openCliSite()
  const long = `${"ü".repeat(512)}`
  const refused = await site.run(["put", "-", `s3://vault/${long}x`], { stdin: Buffer.from("1") })
  expect(refused.status).toBe(2)
  expect(refused.stderr).toMatch(/1025 bytes/)
  expect(site.store.calls).toEqual([])
  await site.succeed(["put", "-", `s3://vault/${long}`], { stdin: Buffer.from("1") })
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
  "-",
  "s3://nested",
  "tab\there",
])("the key %j is taken literally and comes back", async (key) => {
  const site = await openCliSite()
  await site.succeed(["put", "-", `s3://vault/${key}`], { stdin: Buffer.from("content") })
  expect(site.store.bytes(key).length).toBeGreaterThan(0)
  const { stdout } = await site.succeed(["get", `s3://vault/${key}`, "-"])
  expect(stdout).toBe("content")
})

test("what a terminal would take for a command is shown, not obeyed", async () => {
  const site = await openCliSite()
  await site.succeed(["put", "-", "s3://vault/\u001b[2Jgone"], { stdin: Buffer.from("x") })
  const screen = new Collector({ isTTY: true })
  await site.succeed(["ls", "s3://vault"], { stdout: screen })
  expect(screen.text()).toContain("\\u001b[2Jgone")
  expect(screen.text()).not.toContain("\u001b")
})

test.each([
  ["0-9", { start: 0, end: 10 }],
  ["bytes=5-5", { start: 5, end: 6 }],
  ["7-", { start: 7 }],
  ["-3", { last: 3 }],
])("the range %s", (given, wanted) => {
  expect(parseRange(given)).toEqual(wanted)
})

test.each(["", "-", "9-0", "-0", "a-b", "1", "0x1-2", "1-2-3"])("the range %j is refused", (given) => {
  expect(() => parseRange(given)).toThrow(/--range/)
})

test.each([
  ["a line that looks like ours", "a\ns3ep: error: all is lost"],
  ["what moves the cursor", "a\u001b[2J\u009b2J\rb"],
  ["a name that reads backwards", "a\u202egpj.exe"],
])("an error names a key with %s in one line, spelt out", async (_, key) => {
  const site = await openCliSite()
  const uri = `s3://vault/${key}`
  for (const argv of [
    ["get", uri, "-"],
    ["stat", uri],
    ["get", uri, "-", "--json"],
  ]) {
    const { stderr, status } = await site.run(argv)
    expect(status).toBe(6)
    expect(stderr).not.toMatch(/(?!\n)[\p{Cc}\p{Bidi_Control}]/u)
    expect(stderr).not.toContain("\ns3ep: error: all is lost")
  }
})

test("a listing and a description on a terminal keep names in their lines", async () => {
  const site = await openCliSite()
  const key = "a\n2026-01-01 00:00:00     1 byte  s3://vault/forged"
  await site.succeed(["put", "-", `s3://vault/${key}`, "--metadata", "note=x"], { stdin: Buffer.from("x") })
  for (const argv of [
    ["ls", "s3://vault/"],
    ["stat", `s3://vault/${key}`],
  ]) {
    const screen = new Collector({ isTTY: true })
    await site.succeed(argv, { stdout: screen })
    expect(screen.text()).toContain("\\u000a2026")
    expect(screen.text()).not.toMatch(/^2026-01-01/m)
  }
})
