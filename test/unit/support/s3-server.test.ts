import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { Readable } from "node:stream"
import {
  type ChecksumAlgorithm,
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketRequestPaymentCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
} from "@aws-sdk/client-s3"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { BUCKET, openS3Site, refusal, type S3Site } from "./s3-site.ts"

let site: S3Site
beforeAll(async () => {
  site = await openS3Site()
})
afterAll(() => site[Symbol.asyncDispose]())

const put = (Key: string, Body: string | Readable, more: Partial<PutObjectCommandInput> = {}) =>
  site.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body, ...more }))
const head = (Key: string, more = {}) => site.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key, ...more }))
const get = async (Key: string, more: Partial<GetObjectCommandInput> = {}) => {
  const answer = await site.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, ...more }))
  return (await answer.Body?.transformToString()) ?? ""
}

describe("objects", () => {
  test("come back with their headers, metadata, tags and MD5", async () => {
    const { ETag } = await put("a", "hello", {
      ContentType: "text/x",
      CacheControl: "no-store",
      ContentEncoding: "gzip",
      Metadata: { Name: "v+/=" },
      Tagging: "a=1&b=c%20d",
      StorageClass: "STANDARD_IA",
    })
    expect(ETag).toBe('"5d41402abc4b2a76b9719d911017c592"')
    expect(await get("a")).toBe("hello")
    expect(await head("a")).toMatchObject({
      ContentLength: 5,
      ContentType: "text/x",
      CacheControl: "no-store",
      ContentEncoding: "gzip",
      Metadata: { name: "v+/=" },
      StorageClass: "STANDARD_IA",
    })
    const { TagSet } = await site.s3.send(new GetObjectTaggingCommand({ Bucket: BUCKET, Key: "a" }))
    expect(TagSet).toEqual([
      { Key: "a", Value: "1" },
      { Key: "b", Value: "c d" },
    ])
  })

  test.each([
    "..",
    "../up",
    "/lead",
    "a//b",
    "a/../b",
    "a b+%20?&=",
    "😀/☃",
    "k".repeat(1024),
    "a\tb\u0001c",
  ])("any key is kept apart: %j", async (key) => {
    await put(key, key)
    expect(await get(key)).toBe(key)
    const listed = await site.s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: key }))
    expect(listed.Contents?.map((entry) => entry.Key)).toContain(key)
    await site.s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }))
    expect(await refusal(head(key))).toBe("404 NotFound")
  })

  test("keys over 1,024 bytes and metadata over 2 KiB are refused", async () => {
    expect(await refusal(put("é".repeat(513), "x"))).toBe("400 KeyTooLongError")
    await put("meta", "x", { Metadata: { a: "x".repeat(2047) } })
    expect(await refusal(put("meta", "x", { Metadata: { a: "x".repeat(2048) } }))).toBe(
      "400 MetadataTooLarge",
    )
  })

  test.each([
    ["bytes=2-4", "234", "bytes 2-4/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
    ["bytes=8-", "89", "bytes 8-9/10"],
    ["bytes=5-99", "56789", "bytes 5-9/10"],
  ])("range %s", async (Range, body, ContentRange) => {
    await put("range", "0123456789")
    expect(await get("range", { Range })).toBe(body)
    expect(await head("range", { Range })).toMatchObject({ ContentRange, ContentLength: body.length })
  })

  test("a range beyond the end is refused", async () => {
    await put("short", "0123456789")
    expect(await refusal(get("short", { Range: "bytes=10-" }))).toBe("416 InvalidRange")
  })

  test("what is missing has its own code", async () => {
    expect(await refusal(get("missing"))).toBe("404 NoSuchKey")
    expect(await refusal(get("x", { Bucket: "no-such" }))).toBe("404 NoSuchBucket")
  })

  test("a policy that denies is enforced", async () => {
    await site.s3.send(new CreateBucketCommand({ Bucket: "policed" }))
    const Statement = [
      { Effect: "Deny", Principal: "*", Action: "s3:Put*", Resource: "arn:aws:s3:::policed/no/*" },
    ]
    await site.s3.send(
      new PutBucketPolicyCommand({ Bucket: "policed", Policy: JSON.stringify({ Statement }) }),
    )
    expect(await refusal(put("no/a", "x", { Bucket: "policed" }))).toBe("403 AccessDenied")
    expect(await refusal(put("yes/a", "x", { Bucket: "policed" }))).toBe("accepted")
  })

  test("in a Requester Pays bucket the requester says so", async () => {
    const Bucket = "paid"
    await site.s3.send(new CreateBucketCommand({ Bucket }))
    const RequestPaymentConfiguration = { Payer: "Requester" } as const
    await site.s3.send(new PutBucketRequestPaymentCommand({ Bucket, RequestPaymentConfiguration }))
    expect(await refusal(put("k", "x", { Bucket }))).toBe("403 AccessDenied")
    expect((await put("k", "x", { Bucket, RequestPayer: "requester" })).RequestCharged).toBe("requester")
  })

  test("what is archived is not served", async () => {
    await put("cold", "x", { StorageClass: "DEEP_ARCHIVE" })
    expect(await refusal(get("cold"))).toBe("403 InvalidObjectState")
    expect((await head("cold")).StorageClass).toBe("DEEP_ARCHIVE")
  })
})

describe("conditions", () => {
  test("of reads", async () => {
    const { ETag = "" } = await put("cond", "1")
    expect(await refusal(get("cond", { IfMatch: ETag }))).toBe("accepted")
    expect(await refusal(get("cond", { IfMatch: '"0"' }))).toBe("412 PreconditionFailed")
    expect(await refusal(get("cond", { IfNoneMatch: ETag }))).toMatch(/^304/)
    expect(await refusal(get("cond", { IfModifiedSince: new Date(Date.now() + 9e6) }))).toMatch(/^304/)
  })

  test("of writes: one of many wins, and If-Match follows the ETag", async () => {
    const racers = Array.from({ length: 8 }, (_, index) =>
      refusal(put("race", `${index}`, { IfNoneMatch: "*" })),
    )
    expect((await Promise.all(racers)).sort()).toEqual([
      ...Array(7).fill("412 PreconditionFailed"),
      "accepted",
    ])
    const { ETag = "" } = await put("match", "1")
    await put("match", "2", { IfMatch: ETag })
    expect(await refusal(put("match", "3", { IfMatch: ETag }))).toBe("412 PreconditionFailed")
    expect(await get("match")).toBe("2")
    expect(await refusal(put("match-none", "x", { IfMatch: ETag }))).toBe("404 NoSuchKey")
  })

  test("of copies", async () => {
    const { ETag = "" } = await put("from", "abc", { Metadata: { a: "1" } })
    const copy = (more: object) =>
      site.s3.send(
        new CopyObjectCommand({ Bucket: BUCKET, Key: "from", CopySource: `${BUCKET}/from`, ...more }),
      )
    expect(await refusal(copy({}))).toBe("400 InvalidRequest")
    const replace = { MetadataDirective: "REPLACE", Metadata: { b: "2" } }
    expect(await refusal(copy({ ...replace, CopySourceIfMatch: '"0"' }))).toBe("412 PreconditionFailed")
    await copy({ ...replace, CopySourceIfMatch: ETag })
    expect(await head("from")).toMatchObject({ Metadata: { b: "2" }, ETag })
  })
})

describe("checksums", () => {
  const ofHello = {
    CRC32: "NhCmhg==",
    CRC32C: "mnG7TA==",
    CRC64NVME: "M3eFcAZSQlc=",
    SHA1: "qvTGHdzF6KLavt4PO0gs2a6pQ00=",
    SHA256: "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
  } satisfies Partial<Record<ChecksumAlgorithm, string>>

  test.each(Object.entries(ofHello))("%s is verified, kept and returned", async (algorithm, value) => {
    await put(`sum-${algorithm}`, "hello", { [`Checksum${algorithm}`]: value })
    const kept = await head(`sum-${algorithm}`, { ChecksumMode: "ENABLED" })
    expect(kept).toMatchObject({ [`Checksum${algorithm}`]: value, ChecksumType: "FULL_OBJECT" })
    const wrong = put("sum-wrong", "hullo", { [`Checksum${algorithm}`]: value })
    expect(await refusal(wrong)).toBe("400 BadDigest")
    expect(await refusal(head("sum-wrong"))).toBe("404 NotFound")
  })

  test("in a trailer", async () => {
    const body = "hello".repeat(50_000)
    await put("trailer", Readable.from([body.slice(0, 7), body.slice(7)]), {
      ContentLength: body.length,
      ChecksumAlgorithm: "CRC32C",
    })
    expect(site.server.requests.at(-1)?.headers["x-amz-trailer"]).toBe("x-amz-checksum-crc32c")
    expect(await get("trailer")).toBe(body)
    expect((await head("trailer")).ContentEncoding).toBeUndefined()
  })

  test("Content-MD5", async () => {
    const wrong = put("md5", "x", { ContentMD5: Buffer.alloc(16).toString("base64") })
    expect(await refusal(wrong)).toBe("400 BadDigest")
  })
})

describe("encryption", () => {
  const key = (fill: number) => ({
    SSECustomerAlgorithm: "AES256",
    SSECustomerKey: Buffer.alloc(32, fill).toString("base64"),
  })

  test("SSE-C needs the same key again", async () => {
    await put("ssec", "x", key(1))
    expect(await get("ssec", key(1))).toBe("x")
    expect(await refusal(get("ssec"))).toBe("400 InvalidRequest")
    expect(await refusal(get("ssec", key(2)))).toBe("403 AccessDenied")
  })

  test("SSE-S3 and SSE-KMS are reported; under KMS the ETag is no MD5", async () => {
    await put("sse", "hello", { ServerSideEncryption: "AES256" })
    expect(await head("sse")).toMatchObject({ ServerSideEncryption: "AES256" })
    await put("kms", "hello", { ServerSideEncryption: "aws:kms", SSEKMSKeyId: "k" })
    const kms = await head("kms")
    expect(kms).toMatchObject({ ServerSideEncryption: "aws:kms", SSEKMSKeyId: "k" })
    expect(kms.ETag).not.toBe('"5d41402abc4b2a76b9719d911017c592"')
  })
})

describe("listing", () => {
  test("pages, delimiters and UTF-8 order", async () => {
    for (const key of ["l/b/1", "l/b/2", "l/é", "l/\uff61", "l/😀", "l/c"]) await put(key, "x")
    const seen: (string | undefined)[] = []
    let token: string | undefined
    do {
      const page: Awaited<ReturnType<typeof list>> = await list(token)
      expect(page.KeyCount).toBeLessThanOrEqual(2)
      seen.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix))
      seen.push(...(page.Contents ?? []).map(({ Key }) => Key))
      token = page.NextContinuationToken
    } while (token !== undefined)
    expect(seen).toEqual(["l/b/", "l/c", "l/é", "l/\uff61", "l/😀"])
  })
  const list = (ContinuationToken: string | undefined) =>
    site.s3.send(
      new ListObjectsV2Command({
        Bucket: BUCKET,
        Prefix: "l/",
        Delimiter: "/",
        MaxKeys: 2,
        ContinuationToken,
      }),
    )
})

describe("versions and locks", () => {
  const Bucket = "versions"
  beforeAll(async () => {
    await site.s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
    await site.s3.send(
      new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
    )
  })
  const remove = (Key: string, VersionId?: string, BypassGovernanceRetention?: boolean) =>
    site.s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId, BypassGovernanceRetention }))

  test("a delete hides, and deleting the marker shows again", async () => {
    const first = await put("v", "1", { Bucket })
    await put("v", "2", { Bucket })
    const marker = await remove("v")
    expect(marker.DeleteMarker).toBe(true)
    expect(await refusal(get("v", { Bucket }))).toBe("404 NoSuchKey")
    expect(await get("v", { Bucket, VersionId: first.VersionId })).toBe("1")
    const listed = await site.s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: "v" }))
    expect([listed.Versions?.length, listed.DeleteMarkers?.length]).toEqual([2, 1])
    await remove("v", marker.VersionId)
    expect(await get("v", { Bucket })).toBe("2")
  })

  test("retention and legal hold keep a version, one by one and in a batch", async () => {
    const ObjectLockRetainUntilDate = new Date(Date.now() + 3600e3)
    const lock = { Bucket, ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate } as const
    const { VersionId } = await put("g", "1", lock)
    expect(await refusal(remove("g", VersionId))).toBe("403 AccessDenied")
    const batch = await site.s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "g", VersionId }, { Key: "none" }] } }),
    )
    expect(batch.Errors).toMatchObject([{ Key: "g", Code: "AccessDenied" }])
    expect(batch.Deleted).toMatchObject([{ Key: "none" }])
    await remove("g", VersionId, true)
    const held = await put("h", "1", { Bucket, ObjectLockLegalHoldStatus: "ON" })
    expect(await refusal(remove("h", held.VersionId, true))).toBe("403 AccessDenied")
  })
})

describe("on disk", () => {
  test("a flipped byte is served as it is now", async () => {
    await put("flip", "hello")
    const file = site.server.storedFile(BUCKET, "flip")
    writeFileSync(file, readFileSync(file, "utf8").replace("h", "j"))
    const trusting = site.client({ responseChecksumValidation: "WHEN_REQUIRED" })
    const answer = await trusting.send(new GetObjectCommand({ Bucket: BUCKET, Key: "flip" }))
    expect(await answer.Body?.transformToString()).toBe("jello")
    await expect(get("flip")).rejects.toThrow("Checksum mismatch")
  })

  test("a server started on the directory of another one has its objects", async () => {
    const dir = await mkdtemp(path.join(tmpdir(), "s3-server-test-"))
    try {
      await using first = await openS3Site({ dir })
      await first.s3.send(
        new PutObjectCommand({ Bucket: BUCKET, Key: "k", Body: "kept", Metadata: { a: "1" } }),
      )
      appendFileSync(path.join(dir, "incoming", "left-over"), "half a body")
      await first.server.close()
      await using second = await openS3Site({ dir })
      const found = await second.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: "k" }))
      expect(await found.Body?.transformToString()).toBe("kept")
      expect(found.Metadata).toEqual({ a: "1" })
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})
