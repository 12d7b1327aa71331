import { spawn } from "node:child_process"
import { readdirSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { execPath } from "node:process"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import {
  CopyObjectCommand,
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { ControlCommand } from "../../support/s3-server/index.ts"
import { BUCKET, openS3Site, refusal, type S3Site } from "./s3-site.ts"

let site: S3Site
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "s3-server-test-"))
  site = await openS3Site({ dir })
  await put("k", "0123456789")
})
beforeEach(() => site.server.faults.clear())
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const put = (Key: string, Body: string | Buffer) =>
  site.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }))
const exists = async (Key: string) =>
  (await refusal(site.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key })))) === "accepted"
const get = async (Key = "k") => {
  const client = site.client({ responseChecksumValidation: "WHEN_REQUIRED" })
  const answer = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key }))
  return answer.Body?.transformToString()
}

describe.each([
  ["before", false],
  ["after", true],
] as const)("%s the store acts", (moment, acts) => {
  test("a reset", async () => {
    site.server.faults.add({ when: { operation: "PutObject" }, moment, action: { reset: true } })
    expect(await refusal(put(`reset-${moment}`, "x"))).toMatch(/^none /)
    expect(await exists(`reset-${moment}`)).toBe(acts)
  })

  test("an error answer", async () => {
    const action = { status: 503, code: "SlowDown", retryAfter: 7 }
    site.server.faults.add({ when: { key: `slow-${moment}` }, moment, action })
    expect(await refusal(put(`slow-${moment}`, "x"))).toBe("503 SlowDown")
    expect(await exists(`slow-${moment}`)).toBe(acts)
  })

  test("no answer at all, until the client gives up", async () => {
    const { promise: struck, resolve: onStrike } = Promise.withResolvers<void>()
    site.server.faults.add({ when: { operation: "PutObject" }, moment, action: { hang: true }, onStrike })
    const abort = new AbortController()
    const command = new PutObjectCommand({ Bucket: BUCKET, Key: `hang-${moment}`, Body: "x" })
    const refused = refusal(site.s3.send(command, { abortSignal: abort.signal }))
    await struck
    abort.abort()
    expect(await refused).toBe("none AbortError")
    expect(await exists(`hang-${moment}`)).toBe(acts)
  })
})

test("only the n-th request, and only so many times", async () => {
  site.server.faults.add({
    when: { operation: "PutObject", nth: 2 },
    action: { status: 500, code: "InternalError" },
    times: 2,
  })
  const answers: string[] = []
  for (let index = 0; index < 4; index++) answers.push(await refusal(put("nth", "x")))
  expect(answers).toEqual(["accepted", "500 InternalError", "500 InternalError", "accepted"])
  expect(site.server.requests.slice(-4).map(({ faulted, status }) => [faulted, status])).toEqual([
    [false, 200],
    [true, 500],
    [true, 500],
    [false, 200],
  ])
})

test("an error with status 200", async () => {
  site.server.faults.add({ when: { operation: "CopyObject" }, action: { errorIn200: "InternalError" } })
  const copy = site.s3.send(
    new CopyObjectCommand({ Bucket: BUCKET, Key: "copied", CopySource: `${BUCKET}/k` }),
  )
  expect(await refusal(copy)).toMatch(/InternalError$/)
  expect(await exists("copied")).toBe(false)
})

describe("bodies", () => {
  const onGet = { operation: "GetObject" }

  test("cut short, honestly and not", async () => {
    site.server.faults.add({ when: onGet, action: { truncateBodyAt: 4 } })
    expect(await get()).toBe("0123")
    site.server.faults.add({ when: onGet, action: { truncateBodyAt: 4, keepLength: true } })
    expect(await refusal(get())).toMatch(/^none /)
    site.server.faults.add({ when: onGet, action: { resetAfterResponseBytes: 4 } })
    expect(await refusal(get())).toMatch(/^none /)
    expect(await get()).toBe("0123456789")
  })

  test("changed on the way down, and on the way up", async () => {
    const flip = { corruptBody: { flipByteAt: 3 } }
    site.server.faults.add({ when: onGet, moment: "after", action: flip })
    expect(await get()).not.toBe("0123456789")
    site.server.faults.add({ when: { operation: "PutObject" }, moment: "before", action: flip })
    expect(await refusal(put("up", "0123456789"))).toBe("400 XAmzContentSHA256Mismatch")
    expect(await exists("up")).toBe(false)
  })

  test("a PUT cut midway leaves nothing, not even on disk", async () => {
    site.server.faults.add({ when: { operation: "PutObject" }, action: { resetAfterRequestBytes: 100_000 } })
    expect(await refusal(put("cut", Buffer.alloc(1_000_000)))).toMatch(/^none /)
    expect(await exists("cut")).toBe(false)
    expect(readdirSync(path.join(dir, "incoming"))).toEqual([])
  })
})

test("Expect: 100-continue is answered before the body, and a refusal instead of it", async () => {
  const { port } = new URL(site.server.endpoint)
  const socket = connect(Number(port), "127.0.0.1")
  socket.write(`PUT /${BUCKET}/e HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`)
  const answer = await text(socket)
  expect(answer).toMatch(/^HTTP\/1\.1 403 /)
  expect(answer).toMatch(/connection: close/i)
})

test("as a program: prints where it listens, obeys /_control, and stops with its input", async () => {
  const main = fileURLToPath(new URL("../../support/s3-server/main.ts", import.meta.url))
  const child = spawn(execPath, ["--import", "tsx", main, "--control"], {
    stdio: ["pipe", "pipe", "inherit"],
  })
  const exited = new Promise((resolve) => child.once("exit", resolve))
  const [line] = await new Promise<string[]>((resolve) => {
    createInterface(child.stdout).once("line", (first) => resolve([first]))
  })
  const { endpoint, region, accessKeyId, secretAccessKey } = JSON.parse(line ?? "") as Record<string, string>
  const control = async (command: ControlCommand) => {
    const answer = await fetch(`${endpoint}/_control`, { method: "POST", body: JSON.stringify(command) })
    return ((await answer.json()) as { result: unknown }).result
  }
  const s3 = new S3Client({
    endpoint: endpoint ?? "",
    region: region ?? "",
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: accessKeyId ?? "", secretAccessKey: secretAccessKey ?? "" },
  })
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  await control({ verb: "fault", rule: { action: { status: 500, code: "InternalError" } } })
  const failing = s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body: "x" }))
  expect(await refusal(failing)).toBe("500 InternalError")
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body: "x" }))
  expect(await control({ verb: "storedFile", bucket: BUCKET, key: "k" })).toMatch(/\.body$/)
  expect(await control({ verb: "clearRequests" })).toBe(3)
  s3.destroy()
  child.stdin.end()
  expect(await exited).toBe(0)
})
