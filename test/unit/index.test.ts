import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import * as s3ep from "../../src/index.ts"
import { MemoryStore } from "../support/memory-store.ts"
import { secretOf } from "../support/secrets.ts"

test("another program stores a file, verifies it and gets it back with what the library exports", async () => {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-library-"))
  onTestFinished(() => rm(directory, { recursive: true }))
  using kek = s3ep.aesKek(secretOf(1), "mine")
  const retries = { delay: async () => undefined, random: () => 0 }
  const context: s3ep.TransferContext = {
    store: s3ep.withRetry(new MemoryStore(), retries),
    keys: { readers: [kek], writers: [kek], [Symbol.dispose]: () => undefined },
    random: s3ep.systemRandom,
    clock: { now: Date.now, delay: retries.delay },
    stateDirectory: join(directory, "state"),
    onProgress: () => undefined,
    signal: new AbortController().signal,
  }
  const address = { bucket: "vault", key: "report" }
  await writeFile(join(directory, "report"), "quarterly")
  const stored = await s3ep.uploadFile(context, {
    path: join(directory, "report"),
    address,
    settings: { metadata: {} },
  })
  expect(stored).toEqual(expect.objectContaining({ bytes: 9, kek: [kek.id] }))
  expect(await s3ep.verifyObject(context, { address })).toEqual(expect.objectContaining({ bytes: 9 }))
  const { target } = await s3ep.downloadFile(context, { address, target: join(directory, "back") })
  expect(await readFile(target, "utf8")).toBe("quarterly")
  await expect(s3ep.inspectObject(context, { bucket: "vault", key: "none" })).rejects.toThrow(
    s3ep.NotFoundError,
  )
})

test("another program writes for S3 Encryption Proxy, and reads what that wrote", async () => {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-library-"))
  onTestFinished(() => rm(directory, { recursive: true }))
  const key = s3ep.proxyAesKey("this is a 32 byte literal key!!!", "current")
  const context: s3ep.TransferContext = {
    store: new MemoryStore(),
    keys: { readers: [], writers: [], [Symbol.dispose]: () => undefined },
    reading: { rawKeys: [key] },
    random: s3ep.systemRandom,
    clock: { now: Date.now, delay: async () => undefined },
    stateDirectory: join(directory, "state"),
    onProgress: () => undefined,
    signal: new AbortController().signal,
  }
  const address = { bucket: "vault", key: "report" }
  await writeFile(join(directory, "report"), "quarterly")
  const request = { path: join(directory, "report"), address, settings: { metadata: {} } }
  await s3ep.uploadForProxy(context, request, { key, prefix: "s3ep-" })
  const { format } = await s3ep.inspectObject(context, address)
  expect(format).toMatchObject({ id: "s3-encryption-proxy", verdict: "weak" })
  const { target } = await s3ep.downloadFile(context, { address, target: join(directory, "back") })
  expect(await readFile(target, "utf8")).toBe("quarterly")
})
