import { randomBytes } from "node:crypto"
import dns from "node:dns"
import { createServer } from "node:http"
import fc from "fast-check"
import { describe, expect, test, vi } from "vitest"
import { S3epError } from "../../../src/errors.ts"
import { createS3Store } from "../../../src/store/s3.ts"
import type { ObjectSettings, ObjectStore } from "../../../src/store/store.ts"
import { openS3Fixture, type S3Fixture } from "../../support/s3-fixture.ts"
import type { FaultAction } from "../../support/s3-server/faults.ts"

const settings: ObjectSettings = { metadata: { "s3ep-v": "1", name: "a b" } }
const address = { bucket: "vault", key: "a/b c.tar" }
const body = randomBytes(5000)

/** Of its own the SDK's middleware numbers each call; nothing else does. */
function wentLong({ headers }: ReturnType<S3Fixture["latest"]>): boolean {
  return "amz-sdk-invocation-id" in headers
}

async function read(store: ObjectStore, range?: { start: number; end: number }) {
  const { info, body: slices } = await store.get(address, { ...(range && { range }) })
  const pieces: Uint8Array[] = []
  for await (const slice of slices) pieces.push(slice)
  return { info, bytes: Buffer.concat(pieces) }
}

/** A store that has made each kind of request once. */
async function warm(s3: S3Fixture): Promise<ObjectStore> {
  await s3.store.put(address, body, { settings })
  await s3.store.head(address)
  await read(s3.store)
  s3.server.requests.length = 0
  return s3.store
}

test("the first request of a kind goes the long way, the next ones the short one, with the same answers", async () => {
  await using s3 = await openS3Fixture()
  const answers: unknown[] = []
  for (const long of [true, false, false]) {
    const stored = await s3.store.put(address, body, { settings })
    expect(wentLong(s3.latest("PutObject"))).toBe(long)
    const { lastModified: _, versionId: __, ...head } = await s3.store.head(address)
    expect(wentLong(s3.latest("HeadObject"))).toBe(long)
    const { info, bytes } = await read(s3.store, { start: 10, end: 4000 })
    expect(wentLong(s3.latest("GetObject"))).toBe(long)
    expect(bytes).toEqual(body.subarray(10, 4000))
    expect(info.metadata).toEqual(settings.metadata)
    answers.push({ etag: stored.etag, head, bytes })
  }
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
})

test("the requests of both ways differ in nothing but the SDK's count of attempts", async () => {
  await using s3 = await openS3Fixture()
  const put = async () => {
    await s3.store.put(address, body, { settings })
    return s3.latest("PutObject").headers
  }
  const [long, short] = [await put(), await put()]
  const telling = (headers: object) =>
    Object.entries(headers).filter(([name]) => !/^(amz-sdk-.*|authorization|x-amz-date)$/.test(name))
  expect(Object.fromEntries(telling(short))).toEqual(Object.fromEntries(telling(long)))
  expect(short).toHaveProperty("x-amz-checksum-crc32")
  expect(short).toHaveProperty("user-agent")
})

test("any key", async () => {
  await using s3 = await openS3Fixture()
  const store = await warm(s3)
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), async (key) => {
      const at = { bucket: "vault", key }
      await store.put(at, Buffer.from(key), { settings: { metadata: {} } })
      expect(await store.head(at)).toMatchObject({ bytes: Buffer.byteLength(key) })
    }),
    { numRuns: 50 },
  )
  expect(s3.server.requests.some(wentLong)).toBe(false)
})

describe("errors are those of the long way", () => {
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
  }

  async function failure(s3: S3Fixture, operation: keyof typeof asks, action: FaultAction) {
    s3.server.faults.add({ when: { operation }, action, times: 2 })
    s3.server.requests.length = 0
    try {
      await asks[operation](s3.store)
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
    await using cold = await openS3Fixture()
    await cold.open().put(address, body, { settings })
    const expected = await failure(cold, ask, action)
    await using s3 = await openS3Fixture()
    await warm(s3)
    expect(await failure(s3, ask, action)).toEqual(expected)
    // Only what was refused is sent once more, as the SDK may know what to do about it.
    const again = "status" in action && (action.status === 400 || action.status === 403) ? 1 : 0
    const times = (fixture: S3Fixture) => fixture.operations().filter((each) => each === ask).length
    expect(times(s3)).toBe(times(cold) + again)
    await asks[ask](s3.store)
  })
})

test("a clock that goes wrong meanwhile", async () => {
  let ahead = 0
  await using s3 = await openS3Fixture({ clock: () => Date.now() + ahead })
  const store = await warm(s3)
  ahead = 3_600_000
  await store.put(address, body, { settings })
  expect(s3.notices).toEqual([expect.stringContaining("clock is off")])
  s3.server.requests.length = 0
  await store.put(address, body, { settings })
  expect(s3.server.requests.map(wentLong)).toEqual([false])
})

test("what the SDK has to prepare, or has no word for, goes the long way", async () => {
  await using s3 = await openS3Fixture()
  const store = await warm(s3)
  await store.put(address, body, { settings: { ...settings, expires: "0" } })
  expect(wentLong(s3.latest("PutObject"))).toBe(true)
  expect(s3.latest("PutObject").headers).toMatchObject({ expires: "0" })
  const customerKey = { bytes: randomBytes(32) }
  await store.get(address, { customerKey }).catch(() => undefined)
  expect(wentLong(s3.latest("GetObject"))).toBe(true)
})

test("a date of expiry that is none", async () => {
  await using s3 = await openS3Fixture()
  const store = await warm(s3)
  await store.put(address, body, { settings: { ...settings, expires: "0" } })
  expect(await store.head(address)).toMatchObject({ expires: "0" })
  expect((await read(store)).info).toMatchObject({ expires: "0" })
  expect([s3.latest("HeadObject"), s3.latest("GetObject")].map(wentLong)).toEqual([false, false])
})

test("what is given up is given up", async () => {
  await using s3 = await openS3Fixture()
  const store = await warm(s3)
  const stop = new AbortController()
  const onStrike = () => stop.abort(new Error("enough"))
  s3.server.faults.add({ when: { operation: "HeadObject" }, action: { hang: true }, onStrike })
  await expect(store.head(address, { signal: stop.signal })).rejects.toThrow("enough")
})

test("buckets that are part of the host's name", async () => {
  const asked: unknown[] = []
  const server = createServer((request, response) => {
    const { host, authorization } = request.headers
    asked.push([host, request.url, authorization?.includes("Signature=")])
    response.writeHead(200, { etag: '"e"', "content-length": "0" }).end()
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
    store.close()
    const from = (bucket: string) => [`${bucket}.localhost:${port}`, "/x/y%20z?x-id=PutObject", true]
    expect(asked).toEqual([from("one"), from("one"), from("two"), from("two")])
  } finally {
    resolving.mockRestore()
    server.closeAllConnections()
    server.close()
  }
})
