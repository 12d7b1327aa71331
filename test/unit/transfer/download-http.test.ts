import { randomBytes } from "node:crypto"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3"
import { expect, onTestFinished, test } from "vitest"
import { IntegrityError, PreconditionError } from "../../../src/errors.ts"
import { withRetry } from "../../../src/store/retry.ts"
import { createS3Store } from "../../../src/store/s3.ts"
import type { TransferContext } from "../../../src/transfer/context.ts"
import { downloadFile } from "../../../src/transfer/download.ts"
import { downloadStream } from "../../../src/transfer/download-stream.ts"
import { inspectObject, NotEncryptedError } from "../../../src/transfer/inspect.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { verifyObject } from "../../../src/transfer/verify.ts"
import { type S3Server, startS3Server } from "../../support/s3-server/index.ts"
import { collect, makeSite, type Site } from "./download-fixture.ts"

const MIB = 1024 ** 2
const address = { bucket: "vault", key: "ä b+c%20/🦊" }
const settings = { metadata: {} }

async function open(options: { versioned?: boolean } = {}): Promise<{
  server: S3Server
  site: Site
  context: TransferContext
}> {
  const server = await startS3Server()
  onTestFinished(() => server.close())
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: "vault" }))
  if (options.versioned) {
    const VersioningConfiguration = { Status: "Enabled" as const }
    await client.send(new PutBucketVersioningCommand({ Bucket: "vault", VersioningConfiguration }))
  }
  client.destroy()
  const s3 = createS3Store({ endpoint, region, credentials, onNotice: () => undefined })
  onTestFinished(() => s3.close())
  const site = await makeSite()
  const store = withRetry(s3, { delay: async () => undefined, random: () => 0, onRetry: () => undefined })
  return { server, site, context: site.with({ store }) }
}

async function uploaded(
  { site, context }: { site: Site; context: TransferContext },
  bytes: number,
  more: object = {},
): Promise<Buffer> {
  const plaintext = randomBytes(bytes)
  const path = join(site.directory, "source")
  await writeFile(path, plaintext)
  await uploadFile(context, { path, address, settings, partBytes: 5 * MIB, ...more })
  return plaintext
}

test.each([0, 1, 100_000, 9 * MIB + 5])("%i bytes go up and come down over HTTP", async (bytes) => {
  const at = await open()
  const plaintext = await uploaded(at, bytes)
  const { site, context } = at
  expect(await downloadFile(context, { address, target: site.target })).toMatchObject({ bytes })
  expect((await readFile(site.target)).equals(plaintext)).toBe(true)
  expect(await verifyObject(context, { address })).toMatchObject({ bytes })
  expect(await inspectObject(context, address)).toMatchObject({ private: { name: "source", size: bytes } })
  expect(Buffer.concat([await collect(downloadStream(context, { address }))]).equals(plaintext)).toBe(true)
  if (bytes === 0) return
  const range = { start: Math.floor(bytes / 3), end: Math.ceil(bytes / 2) }
  const part = await collect(downloadStream(context, { address, range }))
  expect(Buffer.concat([part]).equals(plaintext.subarray(range.start, range.end))).toBe(true)
})

test("an object that is replaced while it is read is noticed, and a version is not lost", async () => {
  for (const versioned of [false, true]) {
    const at = await open({ versioned })
    const plaintext = await uploaded(at, 9 * MIB)
    const stream = downloadStream(at.context, { address, concurrency: 1 })
    const first = await stream.next()
    await uploaded(at, 9 * MIB, { resume: false })
    const rest = collect(stream)
    if (versioned) {
      expect(Buffer.concat([first.value ?? Buffer.of(), await rest]).equals(plaintext)).toBe(true)
    } else {
      await expect(rest).rejects.toThrow(PreconditionError)
    }
  }
})

test("a customer's key is shown with every request", async () => {
  const at = await open()
  const key = { bytes: randomBytes(32) }
  const plaintext = await uploaded(at, 9 * MIB, {
    settings: { metadata: {}, encryption: { kind: "sse-c", key } },
  })
  await downloadFile(at.context, { address, target: at.site.target, customerKey: key })
  expect((await readFile(at.site.target)).equals(plaintext)).toBe(true)
})

test("foreign objects, empty ones too, are told apart from damaged ones", async () => {
  const { context, site } = await open()
  for (const bytes of [0, 10, 1000]) {
    await context.store.put(address, new Uint8Array(bytes), { settings })
    await expect(downloadFile(context, { address, target: site.target })).rejects.toThrow(NotEncryptedError)
  }
})

test("a byte that flips on the server is refused", async () => {
  const at = await open()
  await uploaded(at, 9 * MIB)
  const file = at.server.storedFile(address.bucket, address.key)
  const stored = await readFile(file)
  stored[7 * MIB] = (stored[7 * MIB] ?? 0) ^ 1
  await writeFile(file, stored)
  await expect(downloadFile(at.context, { address, target: at.site.target })).rejects.toThrow(IntegrityError)
})
