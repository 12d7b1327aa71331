import { createHash } from "node:crypto"
import { crc32 } from "node:zlib"
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { s3Dialect } from "../../support/s3-server/dialect.ts"
import { BUCKET, MIB, openS3Site, refusal, type S3Site } from "./s3-site.ts"

let site: S3Site
beforeAll(async () => {
  site = await openS3Site()
})
beforeEach(() => {
  // Small parts keep the tests quick; the one about the limit sets it back.
  Object.assign(site.server.dialect, s3Dialect, { minPartBytes: 4 })
})
afterAll(() => site[Symbol.asyncDispose]())

const md5 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash("md5")
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const create = async (Key: string, more = {}) =>
  (await site.s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key, ...more }))).UploadId ?? ""
const upload = async (
  Key: string,
  UploadId: string,
  PartNumber: number,
  Body: string | Buffer,
  more = {},
) => {
  const command = new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber, Body, ...more })
  return { PartNumber, ETag: (await site.s3.send(command)).ETag }
}
const complete = (
  Key: string,
  UploadId: string,
  Parts: CompletedPart[],
  more: Partial<CompleteMultipartUploadCommandInput> = {},
) =>
  site.s3.send(
    new CompleteMultipartUploadCommand({
      Bucket: BUCKET,
      Key,
      UploadId,
      MultipartUpload: { Parts },
      ...more,
    }),
  )
const get = (Key: string, more = {}) => site.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, ...more }))
const head = (Key: string, more = {}) => site.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key, ...more }))
const bodyOf = async (Key: string, more = {}) => (await get(Key, more)).Body?.transformToString()
const listParts = (Key: string, UploadId: string, more = {}) =>
  site.s3.send(new ListPartsCommand({ Bucket: BUCKET, Key, UploadId, ...more }))

test("parts in any order, one of them twice, make one object with the ETag of S3", async () => {
  const id = await create("k", { Metadata: { a: "1" }, ContentType: "text/x" })
  const third = await upload("k", id, 9000, "cc")
  await upload("k", id, 2, "old!")
  const first = await upload("k", id, 1, "aaaa")
  const second = await upload("k", id, 2, "bbbb")
  const { ETag } = await complete("k", id, [first, second, third])
  expect(ETag).toBe(`"${md5(md5("aaaa"), md5("bbbb"), md5("cc")).toString("hex")}-3"`)
  expect(await bodyOf("k")).toBe("aaaabbbbcc")
  expect(await head("k")).toMatchObject({ Metadata: { a: "1" }, ContentType: "text/x", ETag })
  expect(await bodyOf("k", { PartNumber: 2 })).toBe("bbbb")
  expect(await head("k", { PartNumber: 3 })).toMatchObject({ PartsCount: 3, ContentRange: "bytes 8-9/10" })
})

test("what Complete refuses", async () => {
  site.server.dialect.minPartBytes = 5 * MIB
  const id = await create("r")
  const one = await upload("r", id, 1, Buffer.alloc(5 * MIB - 1))
  const two = await upload("r", id, 2, "b")
  expect(await refusal(complete("r", id, [one, two]))).toBe("400 EntityTooSmall")
  expect(await refusal(complete("r", id, [two, one]))).toBe("400 InvalidPartOrder")
  expect(await refusal(complete("r", id, [{ ...one, ETag: two.ETag }]))).toBe("400 InvalidPart")
  expect(await refusal(complete("r", id, [one, { ...two, PartNumber: 3 }]))).toBe("400 InvalidPart")
  expect(await refusal(complete("r", id, []))).toBe("400 MalformedXML")
  expect(await refusal(upload("r", id, 10_001, "x"))).toBe("400 InvalidArgument")
  expect(await refusal(get("r"))).toBe("404 NoSuchKey")
  await complete("r", id, [two])
  expect(await bodyOf("r")).toBe("b")
})

test("ListParts and ListMultipartUploads in pages", async () => {
  const id = await create("l/a")
  const others = [await create("l/b"), await create("l/b")]
  for (const number of [3, 1, 2]) await upload("l/a", id, number, "x".repeat(number))
  const page = await listParts("l/a", id, { MaxParts: 2 })
  expect(page.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
    [1, 1],
    [2, 2],
  ])
  expect(page).toMatchObject({ IsTruncated: true, NextPartNumberMarker: "2" })
  const rest = await listParts("l/a", id, { PartNumberMarker: page.NextPartNumberMarker })
  expect(rest.Parts?.map(({ PartNumber }) => PartNumber)).toEqual([3])
  const seen: (string | undefined)[] = []
  let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  for (let more = true; more; ) {
    const command = new ListMultipartUploadsCommand({
      Bucket: BUCKET,
      Prefix: "l/",
      MaxUploads: 1,
      ...markers,
    })
    const uploads = await site.s3.send(command)
    seen.push(...(uploads.Uploads ?? []).map(({ UploadId }) => UploadId))
    markers = { KeyMarker: uploads.NextKeyMarker, UploadIdMarker: uploads.NextUploadIdMarker }
    more = uploads.IsTruncated === true
  }
  expect(seen).toEqual([id, ...others])
})

test("an upload that is aborted or complete is gone; the same Complete again is answered as before", async () => {
  const aborted = await create("g")
  await site.s3.send(new AbortMultipartUploadCommand({ Bucket: BUCKET, Key: "g", UploadId: aborted }))
  expect(await refusal(upload("g", aborted, 1, "x"))).toBe("404 NoSuchUpload")
  const id = await create("g")
  const part = await upload("g", id, 1, "x")
  const [first, second] = await Promise.all([complete("g", id, [part]), complete("g", id, [part])])
  expect(second.ETag).toBe(first.ETag)
  expect(await refusal(listParts("g", id))).toBe("404 NoSuchUpload")
})

test("conditions of Complete; a refused upload can go on", async () => {
  await site.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "c", Body: "old" }))
  const id = await create("c")
  const part = await upload("c", id, 1, "new")
  expect(await refusal(complete("c", id, [part], { IfNoneMatch: "*" }))).toBe("412 PreconditionFailed")
  expect(await bodyOf("c")).toBe("old")
  const { ETag } = await head("c")
  await complete("c", id, [part], { IfMatch: ETag })
  expect(await bodyOf("c")).toBe("new")
})

test("UploadPartCopy takes a range of an object", async () => {
  await site.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "sp ace/é", Body: "0123456789" }))
  const id = await create("copy")
  const copied = await site.s3.send(
    new UploadPartCopyCommand({
      Bucket: BUCKET,
      Key: "copy",
      UploadId: id,
      PartNumber: 1,
      CopySource: `${BUCKET}/${encodeURIComponent("sp ace/é")}`,
      CopySourceRange: "bytes=2-5",
    }),
  )
  await complete("copy", id, [{ PartNumber: 1, ETag: copied.CopyPartResult?.ETag }])
  expect(await bodyOf("copy")).toBe("2345")
})

describe("checksums", () => {
  const base64 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return bytes.toString("base64")
  }
  const parts = ["a".repeat(1000), "b".repeat(999), "c"]

  test.each([
    ["CRC32", "FULL_OBJECT", base64(crc32(parts.join("")))],
    ["CRC32C", "FULL_OBJECT", undefined],
    ["CRC64NVME", "FULL_OBJECT", undefined],
    ["SHA256", "COMPOSITE", undefined],
  ])("%s %s of the whole follows from the parts", async (ChecksumAlgorithm, ChecksumType, expected) => {
    const member = `Checksum${ChecksumAlgorithm}`
    const id = await create("sum", { ChecksumAlgorithm, ChecksumType })
    const done: CompletedPart[] = []
    for (const [index, Body] of parts.entries()) {
      const command = {
        Bucket: BUCKET,
        Key: "sum",
        UploadId: id,
        PartNumber: index + 1,
        Body,
        ChecksumAlgorithm,
      }
      const answer = await site.s3.send(new UploadPartCommand(command as never))
      const value = (answer as unknown as Record<string, unknown>)[member]
      done.push({ PartNumber: index + 1, ETag: answer.ETag, [member]: value })
    }
    await complete("sum", id, done)
    const whole = await head("sum", { ChecksumMode: "ENABLED" })
    const found = (whole as unknown as Record<string, unknown>)[member]
    expect(whole.ChecksumType).toBe(ChecksumType)
    if (ChecksumType === "COMPOSITE") expect(found).toMatch(/-3$/)
    else {
      // The same bytes in one piece: what the server computes then must be what it combined.
      const command = new PutObjectCommand({
        Bucket: BUCKET,
        Key: "one",
        Body: parts.join(""),
        ChecksumAlgorithm: ChecksumAlgorithm as never,
      })
      expect(found).toBe(((await site.s3.send(command)) as unknown as Record<string, unknown>)[member])
    }
    if (expected !== undefined) expect(found).toBe(expected)
  })

  test("a wrong checksum of the whole is refused", async () => {
    const id = await create("wrong", { ChecksumAlgorithm: "CRC32", ChecksumType: "FULL_OBJECT" })
    const part = await upload("wrong", id, 1, "abc", { ChecksumAlgorithm: "CRC32" })
    const wrong = complete("wrong", id, [part], { ChecksumCRC32: base64(1), ChecksumType: "FULL_OBJECT" })
    expect(await refusal(wrong)).toBe("400 BadDigest")
    await complete("wrong", id, [part], { ChecksumCRC32: base64(crc32("abc")), ChecksumType: "FULL_OBJECT" })
  })
})

describe("dialects", () => {
  test("ETags that are no MD5, with Content-MD5 verified all the same", async () => {
    site.server.dialect.etags = "opaque"
    const id = await create("opaque")
    const part = await upload("opaque", id, 1, "x", { ContentMD5: md5("x").toString("base64") })
    expect(part.ETag).toMatch(/^"[0-9a-f]{32}"$/)
    expect(part.ETag).not.toBe(`"${md5("x").toString("hex")}"`)
    const wrong = upload("opaque", id, 2, "x", { ContentMD5: md5("y").toString("base64") })
    expect(await refusal(wrong)).toBe("400 BadDigest")
    await complete("opaque", id, [part])
    expect(await bodyOf("opaque")).toBe("x")
  })

  test("equal part sizes", async () => {
    site.server.dialect.equalPartSizes = true
    const id = await create("eq")
    const parts = [await upload("eq", id, 1, "aaaa"), await upload("eq", id, 2, "bbbbb")]
    const third = await upload("eq", id, 3, "c")
    expect(await refusal(complete("eq", id, [...parts, third]))).toBe("400 InvalidPart")
    await complete("eq", id, parts)
  })

  test("conditions ignored, and conditions unknown", async () => {
    await site.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "ign", Body: "old" }))
    const id = await create("ign")
    const part = await upload("ign", id, 1, "new")
    site.server.dialect.conditionalComplete = "501"
    expect(await refusal(complete("ign", id, [part], { IfNoneMatch: "*" }))).toBe("501 NotImplemented")
    site.server.dialect.conditionalComplete = "ignored"
    await complete("ign", id, [part], { IfNoneMatch: "*" })
    expect(await bodyOf("ign")).toBe("new")
  })

  test.each([
    ["refused", "400 InvalidArgument"],
    ["501", "501 NotImplemented"],
    ["ignored", "accepted"],
  ] as const)("checksums %s", async (crc, expected) => {
    const id = await create("crc")
    site.server.dialect.crc32 = crc
    const wrong = upload("crc", id, 1, "hello", { ChecksumCRC32: "AAAAAA==" })
    expect(await refusal(wrong)).toBe(expected)
  })

  test("a late error of Complete comes with status 200", async () => {
    site.server.dialect.lateCompleteWhitespace = true
    const id = await create("late")
    const part = await upload("late", id, 1, "x")
    expect(await refusal(complete("late", id, [{ ...part, ETag: '"0"' }]))).toMatch(/InvalidPart$/)
    expect(site.server.requests.at(-1)?.status).toBe(200)
    await complete("late", id, [part])
    expect(await bodyOf("late")).toBe("x")
  })
})
