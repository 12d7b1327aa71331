import { randomBytes } from "node:crypto"
import { access, truncate, writeFile } from "node:fs/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Finished, openWorkspace, run, type Workspace } from "../support/program.ts"
import {
  flipStoredBit,
  openSite,
  readStored,
  type Site,
  unfinishedUploads,
  writeStored,
} from "../support/site.ts"

let site: Site
let workspace: Workspace

beforeAll(async () => {
  site = await openSite()
  workspace = await openWorkspace(site.env)
  await run(workspace, ["keys", "generate"])
  const put = await run(workspace, ["put", "-", `s3://${site.bucket}/object`], {
    stdin: randomBytes(200_000),
  })
  expect(put.status).toBe(0)
})

afterAll(async () => {
  await workspace[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

const uri = (key: string) => `s3://${site.bucket}/${key}`

/** One clear error with a hint, the right status, no stack, and nothing on standard output. */
function expectRefusal(finished: Finished, status: number, message: RegExp): void {
  expect(finished.stderr).toMatch(message)
  expect(finished.stderr).toMatch(/^s3ep: error: /m)
  expect(finished.stderr).not.toMatch(/^ {4}at /m)
  expect(finished.status).toBe(status)
}

test("a wrong key: status 5, and the hint says which KEK it was", async () => {
  await using other = await openWorkspace(site.env)
  await run(other, ["keys", "generate"])
  const refused = await run(other, ["get", uri("object"), other.path("target")])
  expectRefusal(refused, 5, /aes:[0-9a-f]{6}/)
  expect(refused.stderr).toContain("s3ep: hint: ")
  await expect(access(other.path("target"))).rejects.toThrow("ENOENT")
})

test("no key at all: status 5, and the hint says how to make one", async () => {
  await using other = await openWorkspace(site.env)
  const refused = await run(other, ["put", "-", uri("nothing")], { stdin: Buffer.from("x") })
  expectRefusal(refused, 5, /s3ep keys generate/)
})

test("a changed object: status 4, and no file appears", async () => {
  await run(workspace, ["put", "-", uri("tampered")], { stdin: randomBytes(200_000) })
  await flipStoredBit(site, "tampered", 100_000)
  expectRefusal(
    await run(workspace, ["get", uri("tampered"), workspace.path("tampered")]),
    4,
    /authentication/,
  )
  await expect(access(workspace.path("tampered"))).rejects.toThrow("ENOENT")
  expectRefusal(await run(workspace, ["verify", uri("tampered")]), 4, /authentication/)
})

test("a truncated object: status 4", async () => {
  const { body, metadata } = await readStored(site, "object")
  await writeStored(site, "truncated", body.subarray(0, body.length - 1000), metadata)
  // The envelope is bound to its key, so put the cut body where the whole one was made for.
  await run(workspace, ["put", "-", uri("cut")], { stdin: randomBytes(200_000) })
  const cut = await readStored(site, "cut")
  await writeStored(site, "cut", cut.body.subarray(0, 150_000), cut.metadata)
  expectRefusal(await run(workspace, ["get", uri("cut"), workspace.path("cut")]), 4, /s3:\/\//)
})

test("an object in another's place: status 4", async () => {
  const { body, metadata } = await readStored(site, "object")
  await writeStored(site, "moved", body, metadata)
  expectRefusal(
    await run(workspace, ["get", uri("moved"), workspace.path("moved")]),
    4,
    /moved|another|bound/,
  )
})

test("an object without an envelope: status 4, never passed off as plaintext", async () => {
  await writeStored(site, "plain", Buffer.from("plain bytes"), {})
  const refused = await run(workspace, ["get", uri("plain"), "-"])
  expectRefusal(refused, 4, /envelope|encrypted/)
  expect(refused.stdout).toHaveLength(0)
})

test("a missing bucket and a missing object: status 6", async () => {
  expectRefusal(await run(workspace, ["get", "s3://s3ep-no-such-bucket-here/x", "-"]), 6, /bucket/)
  expectRefusal(await run(workspace, ["get", uri("no-such-key"), "-"]), 6, /no such object|not found/)
})

test("denied: status 7, without the secret", async () => {
  const env = { AWS_SECRET_ACCESS_KEY: "not-the-secret-of-this-user" }
  const refused = await run(workspace, ["get", uri("object"), "-"], { env })
  expectRefusal(refused, 7, /hint: /)
  expect(refused.stderr).not.toContain("not-the-secret-of-this-user")
})

test("no such profile: status 2", async () => {
  expectRefusal(await run(workspace, ["ls", uri(""), "--profile", "nobody"]), 2, /nobody/)
})

test("10,001 parts are refused before any request", async () => {
  const huge = workspace.path("huge")
  await writeFile(huge, "")
  await truncate(huge, 10_000 * 5 * 1024 * 1024 + 1)
  const refused = await run(workspace, ["put", huge, uri("huge"), "--part-size", "5MiB"])
  expectRefusal(refused, 2, /10001 parts, and the service takes 10{3,4}$/m)
  expect(await unfinishedUploads(site)).toEqual([])
})

test("an existing object stays with --no-clobber: status 8", async () => {
  const refused = await run(workspace, ["put", "-", uri("object"), "--no-clobber"], {
    stdin: Buffer.from("new"),
  })
  expectRefusal(refused, 8, /exists/)
})

test("an unreadable source: status 10", async () => {
  expectRefusal(await run(workspace, ["put", workspace.path("nowhere"), uri("x")]), 10, /nowhere/)
})

test("a typing mistake in the environment: status 2", async () => {
  const env = { S3EP_ENDPIONT: "http://127.0.0.1:1" }
  expectRefusal(await run(workspace, ["ls", uri("")], { env }), 2, /S3EP_ENDPIONT/)
})
