import { readdir, readFile, rm, writeFile } from "node:fs/promises"
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest"
import { createS3Store } from "../../src/store/s3.ts"
import {
  type Exchange,
  endless,
  type HostileServer,
  type Lie,
  startHostileServer,
} from "../support/hostile-server.ts"
import { type Home, openHome, type Run, runCli } from "../support/run-cli.ts"
import { KEK } from "./cli-site.ts"

// What goes over the wire is made up: headers, lengths, documents. No command takes it, loops on it or gathers it.

const MIB = 1024 ** 2
const KEY = "tree/a.bin"
const PLAINTEXT = Buffer.alloc(300_000, "0123456789abcdef!")
/** Of more than one window. */
const LARGE_KEY = "large/b.bin"
const LARGE = Buffer.alloc(9 * MIB, "fedcba9876543210?")
/** An answer that is gathered before it is understood is cut off here; a socket's buffers come on top. */
const DOCUMENT_BYTES = 8 * MIB
const ATTEMPTS = 4

let server: HostileServer
let home: Home
beforeAll(async () => {
  server = await startHostileServer()
  const { honest } = server
  const credentials = { accessKeyId: honest.accessKeyId, secretAccessKey: honest.secretAccessKey }
  const client = new S3Client({
    endpoint: honest.endpoint,
    region: honest.region,
    forcePathStyle: true,
    credentials,
  })
  await client.send(new CreateBucketCommand({ Bucket: "vault" }))
  client.destroy()
  await using first = await openHome()
  for (const [key, content] of [
    [KEY, PLAINTEXT],
    [LARGE_KEY, LARGE],
  ] as const) {
    await writeFile(first.path("file"), content)
    const put = await run(["put", "file", `s3://vault/${key}`, "--part-size", "5MiB"], first)
    expect(put.status, put.stderr).toBe(0)
  }
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(async () => {
  home = await openHome()
  const own = home
  onTestFinished(async () => {
    server.lie = undefined
    await own[Symbol.asyncDispose]()
  })
})

async function run(argv: readonly string[], where: Home = home): Promise<Run> {
  const { honest, endpoint } = server
  const store = createS3Store({
    endpoint,
    region: honest.region,
    credentials: { accessKeyId: honest.accessKeyId, secretAccessKey: honest.secretAccessKey },
    pathStyle: true,
    service: "generic",
    onNotice: () => undefined,
  })
  return runCli([...argv, "--no-progress"], {
    home: where,
    store,
    env: { S3EP_KEK: KEK },
    delay: async () => undefined,
  })
}

/** What a run of a command asked for and took while the server lied. */
async function measured(
  argv: readonly string[],
  lie: HostileServer["lie"],
): Promise<Run & { sent: number; requests: number }> {
  const before = { sent: server.sentBytes, requests: server.requests }
  server.lie = lie
  const result = await run(argv)
  server.lie = undefined
  expect(result.stderr).not.toContain("this is a bug")
  return Object.assign(result, {
    sent: server.sentBytes - before.sent,
    requests: server.requests - before.requests,
  })
}

const isRead = ({ method, url }: Exchange) => method === "GET" && url.pathname.endsWith(".bin")
const isListing = ({ url }: Exchange) => url.searchParams.has("list-type")

const READING: readonly (readonly string[])[] = [
  ["get", `s3://vault/${KEY}`, "file"],
  ["get", `s3://vault/${KEY}`, "-"],
  ["get", `s3://vault/${KEY}`, "file", "--range", "100-200"],
  ["get", "-r", "s3://vault/tree/", "out"],
  ["verify", `s3://vault/${KEY}`],
  ["verify", "-r", "s3://vault/tree/"],
]
/** These say what there is; of what is in it they prove nothing. */
const DESCRIBING: readonly (readonly string[])[] = [
  ["stat", `s3://vault/${KEY}`],
  ["ls", "-r", "s3://vault/tree/"],
]
const LARGE_READING: readonly (readonly string[])[] = [
  ["get", `s3://vault/${LARGE_KEY}`, "file"],
  ["verify", `s3://vault/${LARGE_KEY}`],
]

/** Files that a download would have made. */
async function appeared(): Promise<string[]> {
  return (await readdir(home.directory, { recursive: true })).filter((path) =>
    /^file$|(^|\/)[ab]\.bin$/.test(path),
  )
}

describe("an object", () => {
  const lies: [string, (exchange: Exchange) => Lie | undefined][] = [
    [
      "a length that is not the range's",
      ({ headers, body }) => ({
        headers: { ...headers, "content-length": String(body.length - 1) },
        body: body.subarray(1),
      }),
    ],
    ["a length that is none", ({ headers }) => ({ headers: { ...headers, "content-length": "lots" } })],
    ["two lengths", ({ headers }) => ({ headers: { ...headers, "Content-Length": "7" } })],
    [
      "another range",
      ({ headers }) => ({
        headers: {
          ...headers,
          "content-range": String(headers["content-range"]).replace(
            /bytes (\d+)-(\d+)/,
            (_, a, b) => `bytes ${+a + 1}-${+b + 1}`,
          ),
        },
      }),
    ],
    [
      "a range that makes no sense",
      ({ headers }) => ({ headers: { ...headers, "content-range": "bytes 9-1/4" } }),
    ],
    ["a range in words", ({ headers }) => ({ headers: { ...headers, "content-range": "all of it" } })],
    [
      "a total that it has not",
      ({ headers }) => ({
        headers: {
          ...headers,
          "content-range": String(headers["content-range"]).replace(/\d+$/, (total) => String(+total + 1)),
        },
      }),
    ],
    [
      "a body that does not end",
      ({ headers: { "content-length": _, ...headers }, body }) => ({
        headers,
        body: (function* () {
          yield body
          yield* endless(Buffer.alloc(65_536))
        })(),
      }),
    ],
    [
      "a date that is none",
      ({ headers }) => ({ headers: { ...headers, "last-modified": "yesterday, or so" } }),
    ],
    [
      "no ETag",
      ({ headers: { etag: _, ...headers }, body }) => ({
        headers,
        body: body.map((byte, at) => (at === 500 ? byte ^ 1 : byte)),
      }),
    ],
    [
      "headers without end",
      ({ headers }) => ({
        headers: {
          ...headers,
          ...Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`x-${at}`, "a".repeat(100)])),
        },
      }),
    ],
    ["what is not HTTP", () => ({ raw: "\u0000\u0001\u0002 220 smtp ready\r\n\r\n" })],
    [
      "a bit of another colour",
      ({ body }) => ({
        body: body.map((byte, at) => (at === 3000 || (body.length < 3000 && at === 90) ? byte ^ 1 : byte)),
      }),
    ],
    [
      "an envelope of somebody else's",
      ({ headers }) => ({ headers: { ...headers, "x-amz-meta-s3ep-envelope-0": "AAAA" } }),
    ],
  ]
  test.each(lies)("with %s", async (_, lie) => {
    for (const argv of READING) {
      const { status, stderr, data, sent, requests } = await measured(argv, (exchange) =>
        isRead(exchange) ? lie(exchange) : undefined,
      )
      if (argv.includes("--range") && status === 0) {
        // How long the rest is, a range does not depend on.
        expect(await readFile(home.path("file"))).toEqual(PLAINTEXT.subarray(100, 201))
        await rm(home.path("file"))
      } else expect([4, 5], `${argv.join(" ")}: ${stderr}`).toContain(status)
      expect(await appeared()).toEqual([])
      if (argv.includes("-")) expect(PLAINTEXT.subarray(0, data.length).equals(data)).toBe(true)
      expect(sent).toBeLessThan(ATTEMPTS * (2 * DOCUMENT_BYTES))
      expect(requests).toBeLessThan(40)
    }
    for (const argv of DESCRIBING) {
      const { status, stderr, requests } = await measured(argv, (exchange) =>
        isRead(exchange) ? lie(exchange) : undefined,
      )
      expect([0, 4], `${argv.join(" ")}: ${stderr}`).toContain(status)
      expect(requests).toBeLessThan(40)
    }
  })

  test.each(LARGE_READING)("with another ETag at each look: %s", async (...argv) => {
    let looks = 0
    const { status, stderr } = await measured(argv, (exchange) =>
      isRead(exchange) && ++looks > 1 ? { headers: { ...exchange.headers, etag: `"${looks}"` } } : undefined,
    )
    expect(status, stderr).toBe(4)
    expect(await appeared()).toEqual([])
  })

  test.each(LARGE_READING)("that was replaced, by all that the store says: %s", async (...argv) => {
    let looks = 0
    const { status, stderr } = await measured(argv, (exchange) =>
      exchange.url.pathname.endsWith(LARGE_KEY) && ++looks > 1
        ? { headers: { ...exchange.headers, etag: '"other"' } }
        : undefined,
    )
    expect(status, stderr).toBe(8)
    expect(await appeared()).toEqual([])
  })

  test.each([READING[0] ?? [], READING[4] ?? []])(
    "whose connection breaks off after every few bytes: %s",
    async (...argv) => {
      const { status, stderr, requests } = await measured(argv, (exchange) =>
        isRead(exchange) ? { body: exchange.body.subarray(0, 1000) } : undefined,
      )
      expect(status, stderr).toBe(9) // as when the network is at fault: what came is kept
      expect(await appeared()).toEqual([])
      expect(requests).toBeLessThan(1000)
    },
  )

  test.each([
    [404, 6],
    [403, 7],
    [500, 4],
    [400, 4],
  ])("whose refusal with status %i does not end", async (answered, ended) => {
    const body = () => endless("<Error>".repeat(10_000))
    const { status, stderr, sent } = await measured(READING[0] ?? [], (exchange) =>
      isRead(exchange) ? { status: answered, headers: {}, body: body() } : undefined,
    )
    expect(status, stderr).toBe(ended)
    expect(sent).toBeLessThan(ATTEMPTS * 2 * DOCUMENT_BYTES)
  })
})

describe("a listing", () => {
  const page = (keys: readonly string[], more = "", encoding = "") =>
    `<?xml version="1.0"?><ListBucketResult><Name>vault</Name>${encoding}<IsTruncated>${more !== ""}</IsTruncated>${
      more === "" ? "" : `<NextContinuationToken>${more}</NextContinuationToken>`
    }${keys.map((key) => `<Contents><Key>${key}</Key><Size>200</Size><ETag>"a"</ETag></Contents>`).join("")}</ListBucketResult>`
  const xml = (body: string): Lie => ({
    status: 200,
    headers: { "content-type": "application/xml" },
    body: Buffer.from(body),
  })
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${"bcdefghij"
    .split("")
    .map((name, at) => `<!ENTITY ${name} "${`&${"abcdefghij"[at]};`.repeat(10)}">`)
    .join("")}]>`

  const lies: [string, (exchange: Exchange) => Lie][] = [
    [
      "that is a page of HTML",
      () => ({ status: 200, headers: {}, body: Buffer.from("<html><body>sign in</body></html>") }),
    ],
    ["that is no XML", () => xml("<ListBucketResult><Contents>")],
    ["that is JSON", () => xml('{"Contents":[]}')],
    ["that is empty", () => xml("")],
    [
      "without end",
      () => ({
        status: 200,
        headers: {},
        body: endless(
          `<ListBucketResult><Name>vault</Name>${"<Contents><Key>a</Key></Contents>".repeat(1000)}`,
        ),
      }),
    ],
    ["that is nested without end", () => ({ status: 200, headers: {}, body: endless("<a>".repeat(10_000)) })],
    ["that is nested deeply", () => xml(`<ListBucketResult>${"<a>".repeat(100_000)}`)],
    ["that goes on where it was", () => xml(page(["tree/a"], "again"))],
    ["that begins anew with each page", ({ count }) => xml(page(["tree/a", "tree/b"], `t${count}`))],
    ["of keys from elsewhere", () => xml(page(["elsewhere/a"]))],
    ["of keys in no order", () => xml(page(["tree/b", "tree/a"]))],
    ["of keys that cannot be decoded", () => xml(page(["tree/%zz"], "", "<EncodingType>url</EncodingType>"))],
    ["of keys without a name", () => xml(page([""]))],
    ["with sizes that are none", () => xml(page(["tree/a"]).replace("<Size>200", "<Size>many"))],
    [
      "with prototypes",
      () =>
        xml(
          page(["tree/a"])
            .replace("<Name>vault", "<__proto__><polluted>1</polluted></__proto__><Name>vault")
            .replace("<Size>200", "<Size>x"),
        ),
    ],
  ]
  const LISTING: readonly (readonly string[])[] = [
    ["ls", "-r", "s3://vault/tree/"],
    ["get", "-r", "s3://vault/tree/", "out"],
    ["verify", "-r", "s3://vault/tree/"],
    ["rm", "-r", "s3://vault/tree/"],
  ]
  test.each(lies)("%s", async (_, lie) => {
    for (const argv of LISTING) {
      const { status, stderr, sent, requests } = await measured(argv, (exchange) =>
        isListing(exchange) ? lie(exchange) : undefined,
      )
      expect([4, 3], `${argv.join(" ")}: ${stderr}`).toContain(status)
      expect(sent).toBeLessThan(ATTEMPTS * 2 * DOCUMENT_BYTES)
      expect(requests).toBeLessThan(1000)
      expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false)
    }
    // Nothing was deleted on the word of such a listing.
    expect((await run(["stat", `s3://vault/${KEY}`])).status).toBe(0)
  })

  test("of page after empty page is given up", async () => {
    const { status, stderr, requests } = await measured(["ls", "-r", "s3://vault/tree/"], (exchange) =>
      isListing(exchange) ? xml(page([], `t${exchange.count}`)) : undefined,
    )
    expect(status, stderr).toBe(4)
    expect(requests).toBeLessThan(1000)
  })

  test("of entities that grow stays as small as it is", async () => {
    const { status, stdout, stderr } = await measured(["ls", "-r", "s3://vault/tree/"], (exchange) =>
      isListing(exchange) ? xml(`${bomb}${page(["tree/&j;"])}`) : undefined,
    )
    expect([0, 4], stderr).toContain(status)
    expect(stdout.length).toBeLessThan(1000)
  })

  test("keys that would lead out of the directory are not written", async () => {
    const keys = ["tree/../../escape", "tree//etc/escape", "tree/./escape", "tree/a\u0000escape"]
    const listing = page(
      keys.toSorted().map((key) => encodeURIComponent(key)),
      "",
      "<EncodingType>url</EncodingType>",
    )
    const { status, stderr } = await measured(["get", "-r", "s3://vault/tree/", "out"], (exchange) =>
      isListing(exchange) ? xml(listing) : undefined,
    )
    expect(status, stderr).toBe(2)
    expect(
      (await readdir(home.directory, { recursive: true })).filter((path) => path.includes("escape")),
    ).toEqual([])
  })
})

describe("a listing of uploads", () => {
  const uploads = (entries: string, more = "") =>
    `<ListMultipartUploadsResult><Bucket>vault</Bucket><IsTruncated>${more !== ""}</IsTruncated>${more}${entries}</ListMultipartUploadsResult>`
  const one = (id: string) => `<Upload><Key>a</Key><UploadId>${id}</UploadId></Upload>`
  const parts = (entries: string, more = "") =>
    `<ListPartsResult><Bucket>vault</Bucket><IsTruncated>${more !== ""}</IsTruncated>${more}${entries}</ListPartsResult>`
  const part = (number: number) => `<Part><PartNumber>${number}</PartNumber><Size>1</Size></Part>`
  const xml = (body: string): Lie => ({ status: 200, headers: {}, body: Buffer.from(body) })

  const lies: [string, (exchange: Exchange) => Lie][] = [
    ["that goes on where it was", () => xml(uploads(one("1"), "<NextKeyMarker>a</NextKeyMarker>"))],
    ["that is no listing", () => xml("<html></html>")],
    ["without end", () => ({ status: 200, headers: {}, body: endless(uploads(one("1").repeat(1000))) })],
  ]
  test.each(lies)("%s", async (_, lie) => {
    const { status, stderr, requests } = await measured(["mp-upload", "list", "s3://vault"], (exchange) =>
      exchange.url.searchParams.has("uploads") ? lie(exchange) : undefined,
    )
    expect(status, stderr).toBe(4)
    expect(requests).toBeLessThan(20)
  })

  test.each<[string, (exchange: Exchange) => Lie]>([
    [
      "that go on where they were",
      () => xml(parts(part(1), "<NextPartNumberMarker>1</NextPartNumberMarker>")),
    ],
    [
      "that begin anew",
      ({ count }) => xml(parts(part(1), `<NextPartNumberMarker>${count}</NextPartNumberMarker>`)),
    ],
    ["that there cannot be", () => xml(parts(part(10_001)))],
    ["of a length that is none", () => xml(parts(part(1).replace("<Size>1", "<Size>-1")))],
  ])("with parts %s", async (_, lie) => {
    const { status, stderr, requests } = await measured(["mp-upload", "list", "s3://vault"], (exchange) => {
      if (exchange.url.searchParams.has("uploads")) return xml(uploads(one("1")))
      return exchange.url.searchParams.has("uploadId") ? lie(exchange) : undefined
    })
    expect(status, stderr).toBe(4)
    expect(requests).toBeLessThan(20)
  })
})
