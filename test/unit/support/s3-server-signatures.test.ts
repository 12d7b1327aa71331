import { request } from "node:http"
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { decodeAwsChunked } from "../../support/s3-server/chunked.ts"
import { deriveSigningKey, hmac, sha256Hex } from "../../support/s3-server/sigv4.ts"
import { BUCKET, openS3Site, refusal, type S3Site } from "./s3-site.ts"

const NOW_MS = Date.parse("2013-05-24T00:00:00Z")

let nowMs = Date.now()
let site: S3Site
beforeAll(async () => {
  site = await openS3Site({ clock: () => nowMs })
})
beforeEach(() => {
  nowMs = Date.now()
  site.server.credentials.splice(1)
})
afterAll(() => site[Symbol.asyncDispose]())

const list = (client = site.s3) => client.send(new ListObjectsV2Command({ Bucket: BUCKET }))

describe("refusals", () => {
  test.each([
    ["another secret", "testkey", "wrong", "403 SignatureDoesNotMatch"],
    ["an unknown key", "nobody", "wrong", "403 InvalidAccessKeyId"],
  ])("%s", async (_what, accessKeyId, secretAccessKey, expected) => {
    const client = site.client({ credentials: { accessKeyId, secretAccessKey } })
    expect(await refusal(list(client))).toBe(expected)
  })

  test("no signature at all", async () => {
    const answer = await fetch(`${site.server.endpoint}/${BUCKET}?list-type=2`)
    expect(answer.status).toBe(403)
    expect(await answer.text()).toContain("<Code>AccessDenied</Code>")
  })

  test("a clock that is off by 16 minutes", async () => {
    nowMs += 16 * 60_000
    // A client of its own: the SDK sets its clock by the refusal.
    expect(await refusal(list(site.client()))).toBe("403 RequestTimeTooSkewed")
  })

  test("session tokens: right, wrong, expired", async () => {
    const credentials = { accessKeyId: "session", secretAccessKey: "s", sessionToken: "token" }
    site.server.credentials.push({ ...credentials, expiresMs: nowMs + 1000 })
    expect(await refusal(list(site.client({ credentials })))).toBe("accepted")
    const forged = site.client({ credentials: { ...credentials, sessionToken: "other" } })
    expect(await refusal(list(forged))).toBe("400 InvalidToken")
    nowMs += 1000
    expect(await refusal(list(site.client({ credentials })))).toBe("400 ExpiredToken")
  })

  test("a body other than the one signed", async () => {
    const client = site.client({ requestChecksumCalculation: "WHEN_REQUIRED" })
    client.middlewareStack.add(
      (next) => (args) => {
        Object.assign(args.request as object, { body: "tampered" })
        return next(args)
      },
      { step: "finalizeRequest", priority: "low" },
    )
    const put = client.send(new PutObjectCommand({ Bucket: BUCKET, Key: "t", Body: "original" }))
    expect(await refusal(put)).toBe("400 XAmzContentSHA256Mismatch")
    const get = site.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: "t" }))
    expect(await refusal(get)).toBe("404 NoSuchKey")
  })

  test("another region, in the dialect that minds", async () => {
    const client = site.client({ region: "eu-west-1" })
    expect(await refusal(list(client))).toBe("accepted")
    site.server.dialect.foreignRegion = "refused"
    expect(await refusal(list(client))).toBe("400 AuthorizationHeaderMalformed")
    site.server.dialect.foreignRegion = "accepted"
  })
})

test("a virtual-hosted bucket is the same bucket", async () => {
  const { endpoint } = site.server
  const client = site.client({ endpoint: endpoint.replace("127.0.0.1", "localhost"), forcePathStyle: false })
  client.middlewareStack.add(
    (next) => (args) => {
      // Nothing resolves bucket.localhost everywhere; the Host header alone makes the difference.
      const sent = args.request as { headers: Record<string, string>; hostname: string }
      expect(sent.headers["host"]).toMatch(/^bucket\.localhost/)
      sent.hostname = "127.0.0.1"
      return next(args)
    },
    { step: "finalizeRequest", priority: "low" },
  )
  await client.send(new HeadBucketCommand({ Bucket: BUCKET }))
})

/** Sign a query as a presigner does. */
function presign(method: string, key: string, expiresSeconds: number): string {
  const { endpoint, accessKeyId, secretAccessKey } = site.server
  const date = `${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "")}`
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`
  const query = [
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    `X-Amz-Credential=${encodeURIComponent(`${accessKeyId}/${scope}`)}`,
    `X-Amz-Date=${date}`,
    `X-Amz-Expires=${expiresSeconds}`,
    "X-Amz-SignedHeaders=host",
  ].join("&")
  const path = `/${BUCKET}/${key}`
  const canonical = [method, path, query, `host:${new URL(endpoint).host}\n`, "host", "UNSIGNED-PAYLOAD"]
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256Hex(canonical.join("\n"))].join("\n")
  const key1 = deriveSigningKey(secretAccessKey, date.slice(0, 8), "us-east-1", "s3")
  return `${endpoint}${path}?${query}&X-Amz-Signature=${hmac(key1, toSign).toString("hex")}`
}

test("presigned requests, until they expire", async () => {
  const put = await fetch(presign("PUT", "pre", 60), { method: "PUT", body: "hi" })
  expect(put.status).toBe(200)
  const url = presign("GET", "pre", 60)
  expect(await (await fetch(url)).text()).toBe("hi")
  expect((await fetch(url.replace("/pre?", "/prf?"))).status).toBe(403)
  nowMs += 61_000
  expect((await fetch(url)).status).toBe(403)
})

// The worked examples of "Signature calculations for the Authorization header: transferring payload in
// multiple chunks", Amazon S3 API reference.
const example = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
const chunks = (signatures: [string, string, string]) =>
  `10000;chunk-signature=${signatures[0]}\r\n${"a".repeat(65536)}\r\n` +
  `400;chunk-signature=${signatures[1]}\r\n${"a".repeat(1024)}\r\n` +
  `0;chunk-signature=${signatures[2]}\r\n`

describe("signed chunks", () => {
  const signatures: [string, string, string] = [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
  ]
  const body = `${chunks(signatures)}\r\n`

  function sendExample(content: string): Promise<number> {
    const { hostname, port } = new URL(site.server.endpoint)
    return new Promise((resolve, reject) => {
      const sent = request({
        hostname,
        port,
        method: "PUT",
        path: "/examplebucket/chunkObject.txt",
        headers: {
          host: "s3.amazonaws.com",
          "x-amz-date": "20130524T000000Z",
          "x-amz-storage-class": "REDUCED_REDUNDANCY",
          authorization:
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class, Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
          "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
          "content-encoding": "aws-chunked",
          "x-amz-decoded-content-length": "66560",
          "content-length": "66824",
        },
      })
      sent.on("response", (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      })
      sent.on("error", reject)
      sent.end(content)
    })
  }

  test("the example is taken, and with one byte changed it is not", async () => {
    site.server.credentials.push(example)
    await site.s3.send(new CreateBucketCommand({ Bucket: "examplebucket" }))
    nowMs = NOW_MS
    expect(await sendExample(body.replace("aaa\r\n0;", "aab\r\n0;"))).toBe(403)
    expect(await sendExample(body)).toBe(200)
    nowMs = Date.now()
    const get = new GetObjectCommand({ Bucket: "examplebucket", Key: "chunkObject.txt" })
    const stored = await site.s3.send(get)
    expect(await stored.Body?.transformToString()).toBe("a".repeat(66560))
    expect(stored.ContentEncoding).toBeUndefined()
  })

  test("a signed trailer, cut into pieces of any size", async () => {
    const withTrailer =
      chunks([
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
      ]) +
      "x-amz-checksum-crc32c:sOO8/Q==\r\n" +
      "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    const authentication = {
      accessKeyId: example.accessKeyId,
      payloadHash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
      signingKey: deriveSigningKey(example.secretAccessKey, "20130524", "us-east-1", "s3"),
      date: "20130524T000000Z",
      scope: "20130524/us-east-1/s3/aws4_request",
      signature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    }
    for (const size of [1000, 8191, 1_000_000]) {
      const trailers = new Map<string, string>()
      const decoded = await collect(decodeAwsChunked(slices(withTrailer, size), authentication, trailers))
      expect(decoded.equals(Buffer.alloc(66560, "a"))).toBe(true)
      expect(trailers.get("x-amz-checksum-crc32c")).toBe("sOO8/Q==")
    }
    const forged = slices(withTrailer.replace("sOO8/Q==", "sOO8/A=="), 1000)
    const reading = collect(decodeAwsChunked(forged, authentication, new Map()))
    await expect(reading).rejects.toMatchObject({ code: "SignatureDoesNotMatch" })
  })
})

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts)
}

async function* slices(text: string, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size))
}
