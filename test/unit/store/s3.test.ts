import { createHash, randomBytes } from "node:crypto"
import { inspect } from "node:util"
import { crc32 } from "node:zlib"
import { describe, expect, test } from "vitest"
import { base64, u32be } from "../../../src/bytes.ts"
import {
  DeniedError,
  PreconditionError,
  S3epError,
  UnavailableError,
  UnsupportedError,
} from "../../../src/errors.ts"
import { withRetry } from "../../../src/store/retry.ts"
import type { ObjectSettings, ObjectStore } from "../../../src/store/store.ts"
import { MemoryStore } from "../../support/memory-store.ts"
import { openS3Fixture } from "../../support/s3-fixture.ts"

const settings: ObjectSettings = { metadata: { "s3ep-v": "1" } }
const address = { bucket: "vault", key: "a.tar" }
const MiB = 1024 ** 2
const small = { dialect: { minPartBytes: 1 } }
const other = { serverHeader: "other", minPartBytes: 1 }

function crcOf(bytes: Uint8Array): string {
  return base64(u32be(crc32(bytes)))
}

function retrying(store: ObjectStore): ObjectStore {
  return withRetry(store, { delay: () => Promise.resolve(), random: () => 0 })
}

async function read(store: ObjectStore): Promise<Buffer> {
  const slices: Uint8Array[] = []
  for await (const slice of (await store.get(address)).body) slices.push(slice)
  return Buffer.concat(slices)
}

async function* slices(...bodies: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* bodies
}

describe("checksums on the wire", () => {
  const body = randomBytes(1000)

  test("auto: a CRC-32, and the payload is not signed", async () => {
    await using s3 = await openS3Fixture()
    await s3.store.put(address, body, { settings })
    const { headers } = s3.latest("PutObject")
    expect(headers).toMatchObject({
      "x-amz-checksum-crc32": crcOf(body),
      "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
      "content-length": "1000",
    })
    expect(headers).not.toHaveProperty("x-amz-sdk-checksum-algorithm")
    expect(s3.operations()).toEqual(["PutObject"])
  })

  test("sha256: in the signature and as a checksum", async () => {
    await using s3 = await openS3Fixture()
    await s3.store.put(address, body, { settings, checksum: "sha256" })
    const digest = createHash("sha256").update(body).digest()
    expect(s3.latest("PutObject").headers).toMatchObject({
      "x-amz-checksum-sha256": digest.toString("base64"),
      "x-amz-content-sha256": digest.toString("hex"),
    })
  })

  test("none: neither", async () => {
    await using s3 = await openS3Fixture()
    await s3.store.put(address, body, { settings, checksum: "none" })
    const { headers } = s3.latest("PutObject")
    expect(headers["x-amz-content-sha256"]).toBe("UNSIGNED-PAYLOAD")
    expect(Object.keys(headers).filter((name) => name.startsWith("x-amz-checksum"))).toEqual([])
  })

  test("crc64nvme: not without native code", async () => {
    await using s3 = await openS3Fixture()
    await expect(s3.store.put(address, body, { settings, checksum: "crc64nvme" })).rejects.toMatchObject({
      name: "UnsupportedError",
      hint: "use --checksum crc32",
    })
    expect(s3.operations()).toEqual([])
  })

  test("Complete carries the CRC-32 of the whole, which the service checks", async () => {
    await using s3 = await openS3Fixture(small)
    const bodies = [randomBytes(3000), randomBytes(2000), randomBytes(1)]
    const uploadId = await s3.store.createUpload(address, { settings })
    const parts = []
    for (const [index, part] of bodies.entries()) {
      parts.push(await s3.store.uploadPart(address, uploadId, index + 1, part, {}))
    }
    await s3.store.completeUpload(address, uploadId, parts, {})
    expect(s3.latest("CreateMultipartUpload").headers).toMatchObject({
      "x-amz-checksum-algorithm": "CRC32",
      "x-amz-checksum-type": "FULL_OBJECT",
    })
    expect(s3.latest("CompleteMultipartUpload").headers).toMatchObject({
      "x-amz-checksum-crc32": crcOf(Buffer.concat(bodies)),
      "x-amz-checksum-type": "FULL_OBJECT",
    })
  })

  test("Complete names the parts' checksums where only those are kept", async () => {
    await using s3 = await openS3Fixture({ dialect: other })
    const uploadId = await s3.store.createUpload(address, { settings, checksum: "sha256" })
    const part = await s3.store.uploadPart(address, uploadId, 1, body, { checksum: "sha256" })
    expect(s3.latest("CreateMultipartUpload").headers).toMatchObject({ "x-amz-checksum-algorithm": "SHA256" })
    await s3.store.completeUpload(address, uploadId, [part], { checksum: "sha256" })
    expect(s3.latest("CompleteMultipartUpload").headers).not.toHaveProperty("x-amz-checksum-type")
    // The embedded server refuses a Complete that leaves them out.
    expect(s3.operations().filter((operation) => operation === "CompleteMultipartUpload")).toHaveLength(1)
  })

  test("a service that keeps no checksums gets none with Complete", async () => {
    await using s3 = await openS3Fixture({ dialect: { ...other, crc32: "ignored" } })
    const uploadId = await s3.store.createUpload(address, { settings })
    const part = await s3.store.uploadPart(address, uploadId, 1, body, {})
    await s3.store.completeUpload(address, uploadId, [part], {})
    expect(s3.latest("CompleteMultipartUpload").headers).not.toHaveProperty("x-amz-checksum-crc32")
    expect(s3.notices).toEqual([])
  })

  test.each(["refused", "501"] as const)(
    "a service that answers %s is sent none, and that is said once",
    async (crc) => {
      await using s3 = await openS3Fixture({ dialect: { ...other, crc32: crc } })
      await s3.store.put(address, body, { settings })
      await s3.store.put(address, body, { settings })
      const uploadId = await s3.store.createUpload(address, { settings })
      const part = await s3.store.uploadPart(address, uploadId, 1, body, {})
      await s3.store.completeUpload(address, uploadId, [part], {})
      expect(s3.operations().filter((operation) => operation === "PutObject")).toHaveLength(3)
      expect(s3.notices).toEqual([expect.stringContaining("refuses checksums")])
      expect(part.checksum).toBeUndefined()
    },
  )

  test("what was damaged on the way is sent again", async () => {
    await using s3 = await openS3Fixture()
    s3.server.faults.add({ when: { operation: "PutObject" }, action: { corruptBody: { flipByteAt: 7 } } })
    await expect(s3.store.put(address, body, { settings })).rejects.toMatchObject({ transient: "network" })
    s3.server.faults.add({ when: { operation: "PutObject" }, action: { corruptBody: { flipByteAt: 7 } } })
    await retrying(s3.store).put(address, body, { settings })
    expect(await read(s3.store)).toEqual(body)
  })
})

describe("streamed parts", () => {
  const bodies = [randomBytes(100_000), randomBytes(31_072), randomBytes(1)]
  const bytes = 131_073
  const send = async (store: ObjectStore, uploadId: string) =>
    store.uploadPart(address, uploadId, 1, { bytes, stream: slices(...bodies) }, {})

  test("carry their CRC-32 behind them where the service takes it", async () => {
    await using s3 = await openS3Fixture(small, { service: "aws" })
    const uploadId = await s3.store.createUpload(address, { settings })
    const part = await send(s3.store, uploadId)
    expect(part.checksum).toEqual({ kind: "crc32", value: crcOf(Buffer.concat(bodies)) })
    expect(s3.latest("UploadPart")).toMatchObject({
      headers: { "x-amz-trailer": "x-amz-checksum-crc32", "x-amz-decoded-content-length": String(bytes) },
      bytes: Number(s3.latest("UploadPart").headers["content-length"]),
    })
    await s3.store.completeUpload(address, uploadId, [part], {})
    expect(await read(s3.store)).toEqual(Buffer.concat(bodies))
  })

  test.each([
    ["aws", /BadDigest/],
    ["generic", /damaged on the way/],
  ] as const)("to %s, damage is noticed", async (service, message) => {
    await using s3 = await openS3Fixture(small, { service })
    const uploadId = await s3.store.createUpload(address, { settings, checksum: "none" })
    const action = { corruptBody: { flipByteAt: 50_000 } }
    s3.server.faults.add({ when: { operation: "UploadPart" }, action })
    await expect(send(s3.store, uploadId)).rejects.toThrow(message)
  })
})

describe("settings", () => {
  const until = new Date("2031-01-02T03:04:05Z")
  const everything: ObjectSettings = {
    metadata: { "s3ep-e": "x=y" },
    contentType: "text/plain",
    cacheControl: "no-store",
    contentDisposition: "attachment",
    contentEncoding: "zstd",
    contentLanguage: "de",
    storageClass: "STANDARD_IA",
    acl: "bucket-owner-full-control",
    tags: { team: "a b", "k&y": "v=1" },
    encryption: { kind: "sse-kms", keyId: "arn:key" },
    retention: { mode: "GOVERNANCE", until },
    legalHold: true,
  }
  const headers = {
    "x-amz-meta-s3ep-e": "x=y",
    "content-type": "text/plain",
    "cache-control": "no-store",
    "content-disposition": "attachment",
    "content-encoding": "zstd",
    "content-language": "de",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-acl": "bucket-owner-full-control",
    "x-amz-tagging": "team=a%20b&k%26y=v%3D1",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "arn:key",
    "x-amz-object-lock-mode": "GOVERNANCE",
    "x-amz-object-lock-legal-hold": "ON",
    "x-amz-request-payer": "requester",
  }

  test("all of them reach PutObject and CreateMultipartUpload", async () => {
    await using s3 = await openS3Fixture()
    await s3.store.put(address, Buffer.from("x"), {
      settings: everything,
      requesterPays: true,
      checksum: "none",
    })
    expect(s3.latest("PutObject").headers).toMatchObject(headers)
    // Object Lock wants a checksum, whatever else is chosen.
    expect(s3.latest("PutObject").headers).toHaveProperty("x-amz-checksum-crc32")
    await s3.store.createUpload(address, { settings: everything, requesterPays: true })
    expect(s3.latest("CreateMultipartUpload").headers).toMatchObject(headers)
    expect(await s3.store.head(address)).toMatchObject({
      retention: { mode: "GOVERNANCE", until },
      legalHold: true,
      serverSideEncryption: "aws:kms",
      storageClass: "STANDARD_IA",
    })
    const { versionId } = await s3.store.head(address)
    await expect(s3.store.delete(address, { versionId })).rejects.toThrow(/locked/)
  })

  test("a lock the service forgot is set afterwards", async () => {
    await using s3 = await openS3Fixture({ dialect: other })
    const lock = { retention: { mode: "COMPLIANCE", until }, legalHold: true } as const
    await s3.store.put(address, Buffer.from("x"), { settings: { ...settings, ...lock } })
    expect(s3.operations()).toEqual(["PutObject", "HeadObject"])
    const uploadId = await s3.store.createUpload(address, { settings })
    const part = await s3.store.uploadPart(address, uploadId, 1, Buffer.from("x"), {})
    const { versionId } = await s3.store.completeUpload(address, uploadId, [part], { lock })
    expect(await s3.store.head(address, { versionId })).toMatchObject(lock)
  })

  test("a service known to ignore Object Lock is not asked for it", async () => {
    await using s3 = await openS3Fixture({}, { service: "swift" })
    const locked = { ...settings, legalHold: true }
    const refusal = { name: "UnsupportedError", feature: "object-lock" }
    await expect(s3.store.put(address, Buffer.from("x"), { settings: locked })).rejects.toMatchObject(refusal)
    await expect(s3.store.createUpload(address, { settings: locked })).rejects.toMatchObject(refusal)
    expect(s3.operations()).toEqual([])
  })

  test("an ACL nobody knows is the user's mistake", async () => {
    await using s3 = await openS3Fixture()
    const wrong = s3.store.put(address, Buffer.from("x"), { settings: { ...settings, acl: "everybody" } })
    await expect(wrong).rejects.toMatchObject({
      name: "UsageError",
      hint: expect.stringContaining("private"),
    })
  })
})

describe("conditions", () => {
  const conditions = { ifNoneMatch: "*" } as const
  const put = (store: ObjectStore, key: string) =>
    store.put({ bucket: "vault", key }, Buffer.from("x"), { settings, conditions })

  test("are sent at once where the service is known to honour them", async () => {
    await using s3 = await openS3Fixture({}, { service: "aws" })
    await put(s3.store, "a")
    expect(s3.operations()).toEqual(["PutObject"])
    expect(await s3.store.limits("vault")).toMatchObject({ conditionalPut: true, conditionalComplete: true })
  })

  test("are tried once elsewhere, on objects that do not stay", async () => {
    await using s3 = await openS3Fixture({ dialect: other })
    expect(await s3.store.limits("vault")).toMatchObject({
      conditionalPut: true,
      conditionalComplete: true,
    })
    await Promise.all([put(s3.store, "a"), put(s3.store, "b")])
    const probes = s3.server.requests.filter(({ key }) => key?.startsWith(".s3ep-probe/"))
    expect(probes.map(({ operation }) => operation)).toEqual(["PutObject", "PutObject", "DeleteObject"])
    await expect(put(s3.store, "a")).rejects.toThrow(PreconditionError)
    const keys: string[] = []
    for await (const { key } of s3.store.list("vault")) keys.push(key)
    expect(keys).toEqual(["a", "b"])
    expect(s3.notices).toEqual([])
  })

  test("that are ignored are looked at before, which is said once", async () => {
    await using s3 = await openS3Fixture({ dialect: { ...other, conditionalPut: "ignored" } })
    await put(s3.store, "a")
    await put(s3.store, "b")
    await expect(put(s3.store, "a")).rejects.toThrow(PreconditionError)
    expect(s3.notices).toEqual([expect.stringContaining("does not check conditions")])
    expect(await s3.store.limits("vault")).toMatchObject({ conditionalPut: false, conditionalComplete: true })
    const replace = (ifMatch: string) =>
      s3.store.put({ bucket: "vault", key: "a" }, Buffer.from("y"), { settings, conditions: { ifMatch } })
    await expect(replace("0123")).rejects.toThrow(PreconditionError)
    await replace((await s3.store.head({ bucket: "vault", key: "a" })).etag)
  })

  test("nothing is tried for a write without conditions", async () => {
    await using s3 = await openS3Fixture({ dialect: other })
    await s3.store.put(address, Buffer.from("x"), { settings })
    const uploadId = await s3.store.createUpload(address, { settings })
    const part = await s3.store.uploadPart(address, uploadId, 1, Buffer.from("x"), {})
    await s3.store.completeUpload(address, uploadId, [part], {})
    expect(s3.server.requests.filter(({ key }) => key !== undefined && key !== "a.tar")).toEqual([])
  })

  test.each(["before", "after"] as const)(
    "a probe whose answers are lost %s the store acts leaves nothing behind",
    async (moment) => {
      for (let nth = 1; nth <= 5; nth++) {
        await using s3 = await openS3Fixture({ dialect: other })
        const part = { partNumber: 1, etag: "0", bytes: 1, checksum: undefined }
        const uploadId = await s3.store.createUpload(address, { settings })
        const probed: string[] = []
        const when = ({ key, operation }: { key?: string | undefined; operation: string }) =>
          key?.startsWith(".s3ep-probe/") === true && probed.push(operation) === nth
        s3.server.faults.add({ when, moment, action: { reset: true } })
        const completed = s3.store.completeUpload(address, uploadId, [part], { conditions })
        await expect(completed).rejects.toThrow(nth < 5 ? UnavailableError : S3epError)
        const found: string[] = []
        for await (const { key } of s3.store.listVersions("vault")) found.push(key)
        for await (const upload of s3.store.listUploads("vault")) found.push(upload.address.key)
        expect(found).toEqual([address.key])
      }
    },
  )

  test("a probe that is not allowed leaves the question open", async () => {
    await using s3 = await openS3Fixture({ dialect: other })
    s3.server.faults.add({
      when: ({ key }) => key?.startsWith(".s3ep-probe/") === true,
      action: { status: 403, code: "AccessDenied" },
    })
    await put(s3.store, "a")
    expect(s3.notices).toEqual([expect.stringContaining("does not check conditions")])
    await expect(put(s3.store, "a")).rejects.toThrow(PreconditionError)
    expect(await s3.store.limits("vault")).toMatchObject({ conditionalPut: true })
  })
})

describe("credentials", () => {
  const session = (serial: number, expiresMs: number) => ({
    accessKeyId: `key${serial}`,
    secretAccessKey: `secret${serial}`,
    sessionToken: `token${serial}`,
    expiresMs,
  })

  test("that expire in the middle of an upload are renewed", async () => {
    let nowMs = Date.now()
    let serial = 1
    const endOfFirst = nowMs + 600_000
    await using s3 = await openS3Fixture({
      clock: () => nowMs,
      credentials: [
        { accessKeyId: "testkey", secretAccessKey: "testsecret" },
        session(1, endOfFirst),
        session(2, endOfFirst + 600_000),
      ],
    })
    // The provider believes in its first session for longer than the service does.
    const provider = async () => ({ ...session(serial, 0), expiration: new Date(nowMs + 3_600_000) })
    const store = s3.open({ credentials: provider })
    const uploadId = await store.createUpload(address, { settings })
    serial = 2
    nowMs = endOfFirst + 1000
    const body = randomBytes(100)
    await expect(store.uploadPart(address, uploadId, 1, body, {})).rejects.toMatchObject({
      transient: "credentials",
    })
    const part = await retrying(store).uploadPart(address, uploadId, 1, body, {})
    await store.completeUpload(address, uploadId, [part], {})
    expect(await read(store)).toEqual(body)
  })

  test("that expired for good are denied", async () => {
    await using s3 = await openS3Fixture({
      credentials: [{ accessKeyId: "testkey", secretAccessKey: "testsecret" }, session(1, 1)],
    })
    const store = retrying(s3.open({ credentials: session(1, 1) }))
    await expect(store.head(address)).rejects.toMatchObject({
      name: "DeniedError",
      message: expect.stringContaining("expired"),
    })
  })

  test("that are wrong are denied, and not shown", async () => {
    await using s3 = await openS3Fixture()
    const credentials = { accessKeyId: "testkey", secretAccessKey: "not-the-secret" }
    const error: unknown = await s3
      .open({ credentials })
      .get(address)
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DeniedError)
    expect(inspect(error, { depth: 10 })).not.toContain("not-the-secret")
  })

  test("that cannot be had are denied, with what to set", async () => {
    await using s3 = await openS3Fixture()
    const credentials = () => {
      const error = Object.assign(new Error("Could not load credentials"), {
        name: "CredentialsProviderError",
      })
      return Promise.reject(error)
    }
    await expect(s3.open({ credentials }).head(address)).rejects.toMatchObject({
      name: "DeniedError",
      hint: expect.stringContaining("AWS_PROFILE"),
    })
  })
})

describe("going where the answer says", () => {
  test("to the region it names", async () => {
    await using s3 = await openS3Fixture({ region: "eu-central-1", dialect: { foreignRegion: "refused" } })
    const store = s3.open({ region: "us-east-1" })
    await store.put(address, Buffer.from("x"), { settings })
    await store.put(address, Buffer.from("y"), { settings })
    expect(s3.operations()).toHaveLength(3)
  })

  test("by the service's clock, if this one is off", async () => {
    await using s3 = await openS3Fixture({ clock: () => Date.now() + 3_600_000 })
    await s3.store.put(address, Buffer.from("x"), { settings })
    expect(s3.notices).toEqual([expect.stringContaining("clock is off")])
    expect(await s3.open().head(address)).toMatchObject({ bytes: 1 })
  })
})

describe("failures on the way", () => {
  const body = randomBytes(3 * MiB)

  test.each([
    [{ reset: true }, { transient: "network" }],
    [{ resetAfterRequestBytes: MiB }, { transient: "network" }],
    [
      { status: 503, code: "SlowDown", retryAfter: 2 },
      { transient: "throttled", retryAfterSeconds: 2 },
    ],
    [{ status: 500, code: "InternalError" }, { transient: "server" }],
  ] as const)("%j", async (action, expected) => {
    await using s3 = await openS3Fixture()
    s3.server.faults.add({ when: { operation: "PutObject" }, action })
    await expect(s3.store.put(address, body, { settings })).rejects.toMatchObject({
      name: "UnavailableError",
      ...expected,
    })
    await s3.store.put(address, body, { settings })
  })

  test.each([{ resetAfterResponseBytes: MiB }, { truncateBodyAt: MiB, keepLength: true }])(
    "a body that ends early, by %j, is an error, and goes on behind withRetry",
    async (action) => {
      await using s3 = await openS3Fixture()
      await s3.store.put(address, body, { settings })
      s3.server.faults.add({ when: { operation: "GetObject" }, action })
      await expect(read(s3.store)).rejects.toMatchObject({ transient: "network" })
      s3.server.faults.add({ when: { operation: "GetObject" }, action })
      expect((await read(retrying(s3.store))).equals(body)).toBe(true)
      expect(s3.latest("GetObject").headers).toMatchObject({ "if-match": expect.stringMatching(/^".+"$/) })
    },
  )

  test("an error within an answer of 200 is one", async () => {
    await using s3 = await openS3Fixture(small)
    const uploadId = await s3.store.createUpload(address, { settings })
    const part = await s3.store.uploadPart(address, uploadId, 1, Buffer.from("x"), {})
    s3.server.faults.add({
      when: { operation: "CompleteMultipartUpload" },
      action: { errorIn200: "InternalError" },
    })
    const completing = s3.store.completeUpload(address, uploadId, [part], {})
    await expect(completing).rejects.toMatchObject({ transient: "server" })
  })

  test("a stream whose Complete was not answered is found to be there", async () => {
    for (const secondComplete of ["200", "NoSuchUpload"] as const) {
      await using s3 = await openS3Fixture({ dialect: { secondComplete } })
      const when = { operation: "CompleteMultipartUpload" }
      s3.server.faults.add({ when, moment: "after", action: { reset: true } })
      const stream = slices(randomBytes(5 * MiB), randomBytes(1000))
      const options = { settings, partBytes: 5 * MiB, concurrency: 2 }
      const stored = await retrying(s3.store).putStream(address, stream, options)
      expect(await s3.store.head(address)).toMatchObject({ bytes: 5 * MiB + 1000, etag: stored.etag })
    }
  })

  test("the parts of a stream are retried each", async () => {
    await using s3 = await openS3Fixture()
    const when = { operation: "UploadPart" }
    s3.server.faults.add({ when, times: 3, action: { status: 503, code: "SlowDown" } })
    const stream = slices(randomBytes(5 * MiB), randomBytes(1000))
    await retrying(s3.store).putStream(address, stream, { settings, partBytes: 5 * MiB, concurrency: 2 })
    expect(s3.operations().filter((operation) => operation === "UploadPart")).toHaveLength(5)
  })

  test("the memory of a stream is given back as it is sent, and a retry still has what it sends", async () => {
    await using s3 = await openS3Fixture()
    const when = { operation: "UploadPart" }
    s3.server.faults.add({ when, times: 3, action: { status: 503, code: "SlowDown" } })
    const body = randomBytes(40 * MiB)
    const given: Uint8Array[] = []
    let mostBytes = 0
    async function* own() {
      for (let at = 0; at < body.length; at += 65_552) {
        given.push(new Uint8Array(body.subarray(at, at + 65_552)))
        mostBytes = Math.max(
          mostBytes,
          given.reduce((sum, slice) => sum + slice.length, 0),
        )
        yield given.at(-1) ?? new Uint8Array(0)
      }
    }
    const options = { settings, partBytes: 5 * MiB, concurrency: 2, ownMemory: true }
    await retrying(s3.store).putStream(address, own(), options)
    // As many parts as wait for the upload to be created, and what is read ahead.
    expect(mostBytes).toBeLessThan(11 * MiB)
    expect((await read(s3.store)).equals(body)).toBe(true)
  })

  test("a stream that outgrows its parts is refused before the limit", async () => {
    await using s3 = await openS3Fixture()
    async function* endless() {
      for (;;) yield new Uint8Array(MiB)
    }
    const through = new MemoryStore({ limits: { maxParts: 2 } })
    const options = { settings, partBytes: 5 * MiB, concurrency: 2, through }
    await expect(s3.store.putStream(address, endless(), options)).rejects.toMatchObject({
      name: "UsageError",
      hint: expect.stringContaining("--expected-size"),
    })
    expect(through.uploads.size).toBe(0)
  })

  test("an endpoint where nobody listens is unavailable, with a hint", async () => {
    await using s3 = await openS3Fixture()
    await s3.server.close()
    const store = s3.open()
    await expect(store.head(address)).rejects.toMatchObject({
      name: "UnavailableError",
      message: expect.stringContaining("ECONNREFUSED"),
      hint: expect.stringContaining("--endpoint"),
    })
    await expect(store.head(address)).rejects.toThrow(UnavailableError)
  })
})

test("lists go over their pages", async () => {
  await using s3 = await openS3Fixture()
  const keys = Array.from({ length: 1003 }, (_, index) => `k${String(index).padStart(4, "0")}`)
  for (let start = 0; start < keys.length; start += 100) {
    const some = keys.slice(start, start + 100)
    await Promise.all(
      some.map((key) => s3.store.put({ bucket: "vault", key }, Buffer.from(""), { settings })),
    )
  }
  const listed: string[] = []
  for await (const { key } of s3.store.list("vault")) listed.push(key)
  expect(listed).toEqual(keys)
  expect(s3.operations().filter((operation) => operation === "ListObjectsV2")).toHaveLength(2)
})

test("a service that ignores the customer's key is found out", async () => {
  const { createServer } = await import("node:http")
  const server = createServer((request, response) => {
    request.resume()
    request.on("end", () => response.writeHead(200, { etag: '"0123456789abcdef0123456789abcdef"' }).end())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  try {
    const found = server.address()
    const port = typeof found === "object" ? found?.port : 0
    const credentials = { accessKeyId: "a", secretAccessKey: "b" }
    const { createS3Store } = await import("../../../src/store/s3.ts")
    const store = createS3Store({
      endpoint: `http://127.0.0.1:${port}`,
      credentials,
      onNotice: () => undefined,
    })
    const encryption = { kind: "sse-c", key: { bytes: randomBytes(32) } } as const
    const putting = () => store.put(address, Buffer.from("x"), { settings: { ...settings, encryption } })
    await expect(putting()).rejects.toThrow(/ignored the key/)
    await expect(putting()).rejects.toThrow(UnsupportedError)
    store.close()
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
