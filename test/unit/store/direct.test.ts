import { randomBytes } from "node:crypto"
import dns from "node:dns"
import { createServer } from "node:http"
import fc from "fast-check"
import { describe, expect, test, vi } from "vitest"
import { S3epError } from "../../../src/errors.ts"
import { createS3Store } from "../../../src/store/s3.ts"
import type { ListedObject, ListOptions, ObjectSettings, ObjectStore } from "../../../src/store/store.ts"
import { handledStore } from "../../support/handled-store.ts"
import { openS3Fixture, type S3Fixture } from "../../support/s3-fixture.ts"
import type { FaultAction } from "../../support/s3-server/faults.ts"

const settings: ObjectSettings = { metadata: { "s3ep-v": "1", name: "a b" } }
const address = { bucket: "vault", key: "a/b c.tar" }
const body = randomBytes(5000)

/** Of its own the SDK's middleware numbers each call; nothing else does. */
function wasTheSdks({ headers }: ReturnType<S3Fixture["latest"]>): boolean {
  return "amz-sdk-invocation-id" in headers
}

/** Credentials that have to be looked for: only the SDK can tell where requests go, and how they are signed. */
const onlyBySdk = ({ server }: S3Fixture) => {
  const { accessKeyId, secretAccessKey } = server
  return { credentials: async () => ({ accessKeyId, secretAccessKey }) }
}

async function read(store: ObjectStore, range?: { start: number; end: number }) {
  const { info, body: slices } = await store.get(address, { ...(range && { range }) })
  const pieces: Uint8Array[] = []
  for await (const slice of slices) pieces.push(slice)
  return { info, bytes: Buffer.concat(pieces) }
}

async function listed(
  store: ObjectStore,
  options: ListOptions = {},
  bucket = "vault",
): Promise<ListedObject[]> {
  const found: ListedObject[] = []
  for await (const entry of store.list(bucket, options)) found.push(entry)
  return found
}

test("where the SDK has to be asked, it is once, and then what it knew is enough: the answers are the same", async () => {
  await using s3 = await openS3Fixture()
  const answers: unknown[] = []
  const learning = s3.open(onlyBySdk(s3))
  for (const [store, bySdk] of [
    [learning, true],
    [learning, false],
    [s3.store, false],
  ] as const) {
    const stored = await store.put(address, body, { settings })
    expect(wasTheSdks(s3.latest("PutObject"))).toBe(bySdk)
    const { lastModified: _, versionId: __, ...head } = await store.head(address)
    expect(wasTheSdks(s3.latest("HeadObject"))).toBe(false)
    const { info, bytes } = await read(store, { start: 10, end: 4000 })
    expect(wasTheSdks(s3.latest("GetObject"))).toBe(false)
    expect(bytes).toEqual(body.subarray(10, 4000))
    expect(info.metadata).toEqual(settings.metadata)
    answers.push({ etag: stored.etag, head, bytes })
  }
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
})

describe("the SDK's requests and the direct ones differ in nothing but its count of attempts", () => {
  const everything: ObjectSettings = {
    metadata: { "s3ep-v": "1", name: "a b" },
    contentType: "text/plain; charset=utf-8",
    cacheControl: "no-store",
    contentDisposition: "attachment",
    contentEncoding: "zstd",
    contentLanguage: "de",
    expires: "0",
    websiteRedirect: "/elsewhere",
    storageClass: "STANDARD_IA",
    grants: [
      { grantee: { kind: "user", id: "1" }, permission: "READ" },
      { grantee: { kind: "group", id: "2" }, permission: "FULL_CONTROL" },
    ],
    tags: { team: "a b", "k&y": "v=1" },
    encryption: { kind: "sse-kms", keyId: "arn:key", bucketKey: true },
    retention: { mode: "GOVERNANCE", until: new Date("2031-01-02T03:04:05Z") },
    legalHold: true,
  }
  const asks: [
    string,
    string,
    (store: ObjectStore, known: { etag: string; versionId?: string }) => unknown,
  ][] = [
    ["put", "PutObject", (store) => store.put(address, body, { settings })],
    [
      "put with all there is",
      "PutObject",
      (store) => store.put(address, body, { settings: everything, requesterPays: true, checksum: "sha256" }),
    ],
    ["put of nothing", "PutObject", (store) => store.put(address, new Uint8Array(0), { settings })],
    [
      "a part",
      "UploadPart",
      async (store) => {
        const uploadId = await store.createUpload(address, { settings })
        await store.uploadPart(address, uploadId, 1, body, {})
      },
    ],
    ["head", "HeadObject", (store) => store.head(address, { wholeChecksum: true })],
    ["get", "GetObject", (store) => read(store)],
    ["a listing", "ListObjectsV2", (store) => listed(store)],
    [
      "a listing with all there is",
      "ListObjectsV2",
      (store) =>
        listed(store, { prefix: "a/b (c)*+&é", delimiter: "/", startAfter: "a/b (", requesterPays: true }),
    ],
    ["a listing after nothing", "ListObjectsV2", (store) => listed(store, { prefix: "", startAfter: "" })],
    [
      "get of a range of a version",
      "GetObject",
      async (store, { etag, versionId }) => {
        const { body: slices } = await store.get(address, { range: { start: 3 }, ifMatch: etag, versionId })
        for await (const _ of slices);
      },
    ],
  ]
  test.each(asks)("%s", async (_, operation, ask) => {
    await using s3 = await openS3Fixture()
    const { etag, versionId } = await s3.store.put(address, body, { settings })
    const learning = s3.open(onlyBySdk(s3))
    const request = async (bySdk: boolean) => {
      s3.server.requests.length = 0
      await ask(learning, { etag, ...(versionId !== undefined && { versionId }) })
      const first = s3.server.requests.find((each) => each.operation === operation)
      if (!first) throw new Error(`no ${operation} was asked for`)
      expect(wasTheSdks(first)).toBe(bySdk)
      const { method, path, query, headers } = first
      const told = Object.entries(headers).filter(
        ([name]) => !/^(amz-sdk-.*|authorization|x-amz-date)$/.test(name),
      )
      return { method, path, query: { ...query, uploadId: "any" }, headers: Object.fromEntries(told) }
    }
    const bySdk = await request(true)
    expect(await request(false)).toEqual(bySdk)
  })
})

test("any key", async () => {
  await using s3 = await openS3Fixture()
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), async (key) => {
      const at = { bucket: "vault", key }
      await s3.store.put(at, Buffer.from(key), { settings: { metadata: {} } })
      expect(await s3.store.head(at)).toMatchObject({ bytes: Buffer.byteLength(key) })
    }),
    { numRuns: 50 },
  )
  expect(s3.server.requests.some(wasTheSdks)).toBe(false)
})

describe("errors are those of the SDK", () => {
  const actions: FaultAction[] = [
    { reset: true },
    { status: 503, code: "SlowDown", retryAfter: 2 },
    { status: 429, code: "TooManyRequests" },
    { status: 500, code: "InternalError" },
    { status: 404, code: "NoSuchKey" },
    { status: 404, code: "NoSuchBucket" },
    { status: 412, code: "PreconditionFailed" },
    { status: 403, code: "AccessDenied" },
    { status: 400, code: "InvalidArgument" },
    { status: 501, code: "NotImplemented" },
    { errorIn200: "InternalError" },
  ]
  const asks = {
    PutObject: (store: ObjectStore) => store.put(address, body, { settings }),
    HeadObject: (store: ObjectStore) => store.head(address),
    GetObject: (store: ObjectStore) => read(store),
    ListObjectsV2: (store: ObjectStore) => listed(store),
  }

  async function failure(
    s3: S3Fixture,
    store: ObjectStore,
    operation: keyof typeof asks,
    action: FaultAction,
  ) {
    s3.server.faults.add({ when: { operation }, action, times: 2 })
    s3.server.requests.length = 0
    try {
      await asks[operation](store)
      return null
    } catch (error) {
      if (!(error instanceof S3epError)) throw error
      const { name, message, hint } = error
      const [transient, retryAfter] = ["transient", "retryAfterSeconds"].map((each) =>
        Reflect.get(error, each),
      )
      return { name, message, hint, transient, retryAfter }
    } finally {
      s3.server.faults.clear()
    }
  }

  const cases = Object.keys(asks).flatMap((operation) =>
    actions.map((action) => [operation, action] as const),
  )
  test.each(cases)("%s %j", async (operation, action) => {
    const ask = operation as keyof typeof asks
    await using s3 = await openS3Fixture()
    await s3.store.put(address, body, { settings })
    const times = () => s3.operations().filter((each) => each === ask).length
    const bySdk = { failure: await failure(s3, s3.open(onlyBySdk(s3)), ask, action), times: times() }
    expect({ failure: await failure(s3, s3.store, ask, action), times: times() }).toEqual(bySdk)
    await asks[ask](s3.store)
  })
})

test("a clock that goes wrong meanwhile", async () => {
  let ahead = 0
  await using s3 = await openS3Fixture({ clock: () => Date.now() + ahead })
  await s3.store.put(address, body, { settings })
  ahead = 3_600_000
  await s3.store.put(address, body, { settings })
  expect(s3.notices).toEqual([expect.stringContaining("clock is off")])
  s3.server.requests.length = 0
  await s3.store.put(address, body, { settings })
  expect(s3.server.requests.map(wasTheSdks)).toEqual([false])
})

test("what the SDK has to prepare is left to it", async () => {
  await using s3 = await openS3Fixture()
  await s3.store.put(address, body, { settings })
  const customerKey = { bytes: randomBytes(32) }
  await s3.store.get(address, { customerKey }).catch(() => undefined)
  expect(wasTheSdks(s3.latest("GetObject"))).toBe(true)
})

test("a header that would end its line is refused, and not sent", async () => {
  await using s3 = await openS3Fixture()
  const evil = { ...settings, contentType: "text/plain\r\nx-amz-acl: public-read" }
  await expect(s3.store.put(address, body, { settings: evil })).rejects.toMatchObject({
    name: "UsageError",
    message: expect.stringContaining("Invalid character"),
    hint: expect.stringContaining("one line"),
  })
  expect(s3.operations()).toEqual([])
})

test("a date of expiry that is none", async () => {
  await using s3 = await openS3Fixture()
  const { store } = s3
  await store.put(address, body, { settings: { ...settings, expires: "0" } })
  expect(await store.head(address)).toMatchObject({ expires: "0" })
  expect((await read(store)).info).toMatchObject({ expires: "0" })
  expect([s3.latest("HeadObject"), s3.latest("GetObject")].map(wasTheSdks)).toEqual([false, false])
})

test("what is given up is given up", async () => {
  await using s3 = await openS3Fixture()
  const { store } = s3
  const stop = new AbortController()
  const onStrike = () => stop.abort(new Error("enough"))
  s3.server.faults.add({ when: { operation: "HeadObject" }, action: { hang: true }, onStrike })
  await expect(store.head(address, { signal: stop.signal })).rejects.toThrow("enough")
})

test("buckets that are part of the host's name", async () => {
  const asked: unknown[] = []
  const told: unknown[] = []
  const signedOf = (authorization = "") =>
    /SignedHeaders=([^,]*)/
      .exec(authorization)?.[1]
      ?.split(";")
      .filter((name) => !name.startsWith("amz-sdk-"))
  const server = createServer((request, response) => {
    const { host, authorization, ...headers } = request.headers
    asked.push([host, request.url, authorization?.includes("Signature=")])
    if (request.method === "GET") told.push([!("amz-sdk-invocation-id" in headers), signedOf(authorization)])
    const listing = "<ListBucketResult><Name>one</Name><IsTruncated>false</IsTruncated></ListBucketResult>"
    response.writeHead(200, { etag: '"e"' }).end(request.method === "GET" ? listing : "")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { lookup } = dns
  const resolving = vi
    .spyOn(dns, "lookup")
    .mockImplementation(((name: string, ...rest: [object, () => void]) =>
      lookup(name.endsWith(".localhost") ? "127.0.0.1" : name, ...rest)) as typeof dns.lookup)
  try {
    const found = server.address()
    const port = typeof found === "object" ? found?.port : 0
    const credentials = { accessKeyId: "a", secretAccessKey: "b" }
    const endpoint = `http://localhost:${port}`
    const store = createS3Store({ endpoint, credentials, pathStyle: false, onNotice: () => undefined })
    for (const bucket of ["one", "one", "two", "two"]) {
      await store.put({ bucket, key: "x/y z" }, body, { settings })
    }
    const from = (bucket: string) => [`${bucket}.localhost:${port}`, "/x/y%20z?x-id=PutObject", true]
    expect(asked.splice(0)).toEqual([from("one"), from("one"), from("two"), from("two")])
    for (const bucket of ["one", "three", "three"]) {
      expect(await listed(store, { prefix: "a b/", requesterPays: true }, bucket)).toEqual([])
    }
    store.close()
    const listing = (bucket: string) => [
      `${bucket}.localhost:${port}`,
      "/?encoding-type=url&list-type=2&prefix=a%20b%2F",
      true,
    ]
    const sorted = ([host, url, signed]: unknown[]) => {
      const [path, query = ""] = String(url).split("?")
      return [host, `${path}?${query.split("&").sort().join("&")}`, signed]
    }
    expect(asked.map((each) => sorted(each as unknown[]))).toEqual(["one", "three", "three"].map(listing))
    expect(told.map((each) => (each as unknown[])[0])).toEqual([true, false, true])
    const signed = told.map((each) => (each as unknown[])[1])
    expect(signed).toEqual([signed[1], signed[1], signed[1]])
    expect(signed[1]).toContain("x-amz-request-payer")
  } finally {
    resolving.mockRestore()
    server.closeAllConnections()
    server.close()
  }
})

describe("a listing", () => {
  const page = (keys: string, token: string) =>
    `<?xml version="1.0"?><ListBucketResult><Name>vault</Name><IsTruncated>${token !== ""}</IsTruncated>${
      token && `<NextContinuationToken>${token}</NextContinuationToken>`
    }${keys}</ListBucketResult>`
  const object = (key: string) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`

  /** Lists from a server that answers with these, one for each token that is asked with. */
  async function listedFrom(answers: Readonly<Record<string, string>>, type = "application/xml") {
    const asked: (readonly [token: string, by: "direct" | "sdk"])[] = []
    using handled = await handledStore(({ url = "", headers }, response) => {
      const token = new URL(url, "http://localhost").searchParams.get("continuation-token") ?? ""
      asked.push([token, "amz-sdk-invocation-id" in headers ? "sdk" : "direct"])
      response.writeHead(200, { "content-type": type }).end(answers[token])
    })
    try {
      const keys = (await listed(handled.store)).map(({ key }) => key)
      return { keys, asked }
    } catch (error) {
      return { error, asked }
    }
  }

  test("goes from page to page, with tokens of any kind", async () => {
    const token = "1 +/=&amp;?é"
    const { keys, asked } = await listedFrom({
      "": page(object("a"), token),
      "1 +/=&?é": page(`${object("b")}<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>`, ""),
    })
    expect(keys).toEqual(["a", "b", "c/"])
    expect(asked).toEqual([
      ["", "direct"],
      ["1 +/=&?é", "direct"],
    ])
  })

  test.each([
    ["a comment", page(`<!-- b -->${object("b")}`, "2")],
    ["CDATA", page(object("<![CDATA[b]]>"), "2")],
    ["attributes", page(`${object("b")}<Unknown a="b"/>`, "2")],
  ])("with %s in a page is the SDK's to read", async (_, odd) => {
    const { keys, asked } = await listedFrom({
      "": page(object("a"), "1"),
      "1": odd,
      "2": page(object("c"), ""),
    })
    expect(keys).toEqual(["a", "b", "c"])
    expect(asked).toEqual([
      ["", "direct"],
      ["1", "direct"],
      ["1", "sdk"],
      ["2", "direct"],
    ])
  })

  test.each([
    ["no XML", "{}"],
    ["no listing", "<html></html>"],
    ["cut off", page(object("a"), "").slice(0, -10)],
    ["empty", ""],
  ])("that is %s is garbled, as the SDK says too", async (_, text) => {
    const { error, asked } = await listedFrom({ "": text })
    expect(error).toMatchObject({ name: "UnavailableError", transient: "garbled" })
    expect(asked.map(([, by]) => by)).toEqual(["direct", "sdk"])
  })

  test("without end is cut off, and the SDK is not asked for as much again", async () => {
    const { error, asked } = await listedFrom({ "": page(object("a".repeat(9 * 1024 ** 2)), "") })
    expect(error).toMatchObject({ name: "UnavailableError", transient: "garbled" })
    expect(asked.map(([, by]) => by)).toEqual(["direct"])
  })

  test("of as many and as long keys as there can be is read directly", async () => {
    const keys = Array.from({ length: 1000 }, (_, at) => `${"é".repeat(510)}${String(at).padStart(4, "0")}`)
    const contents = keys.map((key) => object(encodeURIComponent(key))).join("")
    const { keys: found, asked } = await listedFrom({
      "": page(`<EncodingType>url</EncodingType>${contents}`, ""),
    })
    expect(found).toEqual(keys)
    expect(asked.map(([, by]) => by)).toEqual(["direct"])
  })

  test("of what is there, and of no bucket", async () => {
    await using s3 = await openS3Fixture()
    await s3.store.put(address, body, { settings })
    expect((await listed(s3.store)).map(({ key }) => key)).toEqual([address.key])
    await expect(listed(s3.store, {}, "nowhere")).rejects.toMatchObject({
      name: "NotFoundError",
      what: "bucket",
    })
    expect(s3.server.requests.some(wasTheSdks)).toBe(false)
  })
})
