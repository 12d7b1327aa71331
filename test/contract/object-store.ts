import { hash, randomBytes, randomUUID } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { NotFoundError, PreconditionError, S3epError, UsageError } from "../../src/errors.ts"
import type { ListedObject, ObjectStore, PartBody, UploadedPart } from "../../src/store/store.ts"

export interface OpenedStore {
  readonly store: ObjectStore
  /** Exists, and may be written to. */
  readonly bucket: string
  /** Customer-provided keys work there. */
  readonly customerKeys: boolean
  readonly close?: () => Promise<void> | void
}

const MiB = 1024 ** 2
const settings = { metadata: { "s3ep-v": "1", "s3ep-e": "a+b=/c" }, contentType: "application/x-s3ep" }

/** What every object store must do: memory, embedded server and real services alike. */
export function describeObjectStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`object store contract: ${name}`, () => {
    let opened: OpenedStore
    const prefix = `contract-${randomUUID()}/`
    const at = (key: string) => ({ bucket: opened.bucket, key: prefix + key })
    const put = (key: string, body: Uint8Array | string, more = {}) =>
      opened.store.put(at(key), Buffer.from(body), { settings, ...more })
    const read = async (key: string, options = {}) => bytesOf((await opened.store.get(at(key), options)).body)

    beforeAll(async () => {
      opened = await open()
    })
    afterAll(async () => {
      const { store, bucket } = opened
      for await (const entry of store.list(bucket, { prefix })) await store.delete({ bucket, key: entry.key })
      for await (const { address, uploadId } of store.listUploads(bucket, { prefix })) {
        await store.abortUpload(address, uploadId)
      }
      store.close()
      await opened.close?.()
    })

    test.each([0, 1, 100_000])("an object of %i bytes is read as it was written", async (bytes) => {
      const body = randomBytes(bytes)
      const stored = await put(`whole-${bytes}`, body)
      const info = await opened.store.head(at(`whole-${bytes}`))
      expect(info).toMatchObject({ bytes, etag: stored.etag, ...settings, legalHold: false })
      expect(stored.etag).not.toMatch(/"/)
      const answer = await opened.store.get(at(`whole-${bytes}`))
      expect(answer.info).toMatchObject({ bytes, etag: stored.etag, ...settings })
      expect(answer.range).toEqual({ start: 0, end: bytes })
      expect(digest(await bytesOf(answer.body))).toBe(digest(body))
    })

    test.each([
      [{ start: 2, end: 5 }, "234", { start: 2, end: 5 }],
      [{ start: 7 }, "789", { start: 7, end: 10 }],
      [{ start: 8, end: 100 }, "89", { start: 8, end: 10 }],
      [{ start: 0, end: 10 }, "0123456789", { start: 0, end: 10 }],
    ])("the range %j of ten bytes", async (range, expected, held) => {
      await put("digits", "0123456789")
      const answer = await opened.store.get(at("digits"), { range })
      expect(answer.range).toEqual(held)
      expect(answer.info.bytes).toBe(10)
      expect(String(await bytesOf(answer.body))).toBe(expected)
    })

    test("a range behind the end is refused", async () => {
      await put("digits", "0123456789")
      await expect(opened.store.get(at("digits"), { range: { start: 10 } })).rejects.toThrow(UsageError)
    })

    test("a body nobody reads, or reads half, does no harm", async () => {
      await put("large", randomBytes(3 * MiB))
      for (let round = 0; round < 3; round += 1) {
        const unread = await opened.store.get(at("large"))
        await unread.body[Symbol.asyncIterator]().return?.()
        for await (const _ of (await opened.store.get(at("large"))).body) break
      }
      expect((await read("large")).length).toBe(3 * MiB)
    })

    test("a signal ends a body in the middle", async () => {
      await put("large", randomBytes(3 * MiB))
      const stop = new AbortController()
      const reason = new Error("enough")
      const { body } = await opened.store.get(at("large"), { signal: stop.signal })
      const reading = async () => {
        for await (const _ of body) stop.abort(reason)
      }
      await expect(reading()).rejects.toBe(reason)
    })

    test("what is not there is not found", async () => {
      const missing = { name: "NotFoundError", what: "object" }
      await expect(opened.store.head(at("missing"))).rejects.toMatchObject(missing)
      await expect(opened.store.get(at("missing"))).rejects.toMatchObject(missing)
      const address = { bucket: `no-such-${randomUUID()}`, key: "a" }
      await expect(opened.store.get(address)).rejects.toMatchObject({ name: "NotFoundError", what: "bucket" })
      await expect(opened.store.head(address)).rejects.toThrow(NotFoundError)
      await expect(opened.store.createUpload(address, { settings })).rejects.toMatchObject({ what: "bucket" })
    })

    test("an ETag pins what is read", async () => {
      const first = await put("pinned", "one")
      expect(String(await read("pinned", { ifMatch: first.etag }))).toBe("one")
      await put("pinned", "two")
      await expect(opened.store.get(at("pinned"), { ifMatch: first.etag })).rejects.toThrow(PreconditionError)
    })

    test("conditions on writing hold", async () => {
      const conditions = { ifNoneMatch: "*" } as const
      const { etag } = await put("once", "first", { conditions })
      await expect(put("once", "second", { conditions })).rejects.toThrow(PreconditionError)
      expect(String(await read("once"))).toBe("first")
      await put("once", "third", { conditions: { ifMatch: etag } })
      await expect(put("once", "fourth", { conditions: { ifMatch: etag } })).rejects.toThrow(
        PreconditionError,
      )
      expect(String(await read("once"))).toBe("third")
    })

    test("deleting works, twice too", async () => {
      await put("doomed", "x")
      await opened.store.delete(at("doomed"))
      await opened.store.delete(at("doomed"))
      await expect(opened.store.head(at("doomed"))).rejects.toThrow(NotFoundError)
    })

    const oddKeys = [
      "a b+c%20d",
      "quote'\"<&>",
      "sl//ash/",
      "emoji \u{1f512}",
      "nfc \u00e9",
      "nfd e\u0301",
      "../dots/./here",
      "query?x=1#y",
    ]
    test("keys are taken literally", async () => {
      for (const key of oddKeys) await put(`odd/${key}`, key)
      for (const key of oddKeys) expect(String(await read(`odd/${key}`))).toBe(key)
      const listed = await keysOf(opened.store.list(opened.bucket, { prefix: `${prefix}odd/` }))
      expect(listed).toEqual(inKeyOrder(oddKeys.map((key) => `${prefix}odd/${key}`)))
    })

    test("lists are in the order of keys' bytes, by prefix, level and start", async () => {
      // U+FF5E sorts after U+1F512 in UTF-16 and before it in UTF-8.
      const keys = ["a", "a/1", "a/2", "a0", "b/c/d", "\uff5e", "\u{1f512}"]
      for (const key of keys) await put(`ls/${key}`, key)
      const list = async (options: object) => {
        const found = await keysOf(opened.store.list(opened.bucket, { prefix: `${prefix}ls/`, ...options }))
        return found.map((key) => key.slice(`${prefix}ls/`.length))
      }
      expect(await list({})).toEqual(keys)
      expect(await list({ delimiter: "/" })).toEqual(["a", "a/", "a0", "b/", "\uff5e", "\u{1f512}"])
      expect(await list({ startAfter: `${prefix}ls/a/1` })).toEqual([
        "a/2",
        "a0",
        "b/c/d",
        "\uff5e",
        "\u{1f512}",
      ])
      expect(await list({ prefix: `${prefix}ls/a/` })).toHaveLength(2)
      const [entry] = await all(opened.store.list(opened.bucket, { prefix: `${prefix}ls/a/2` }))
      expect(entry).toMatchObject({ kind: "object", bytes: 3, lastModified: expect.any(Date) })
    })

    const startUpload = (key: string, more = {}) => opened.store.createUpload(at(key), { settings, ...more })
    const sendPart = (key: string, uploadId: string, partNumber: number, body: PartBody, more = {}) =>
      opened.store.uploadPart(at(key), uploadId, partNumber, body, more)

    test.each(["auto", "sha256", "none"] as const)("an upload in parts, checksum %s", async (checksum) => {
      const key = `parts-${checksum}`
      const bodies = [randomBytes(5 * MiB), randomBytes(5 * MiB), randomBytes(1000)] as const
      const uploadId = await startUpload(key, { checksum })
      const last = await sendPart(key, uploadId, 3, bodies[2], { checksum })
      await sendPart(key, uploadId, 1, randomBytes(10), { checksum })
      const second = await sendPart(key, uploadId, 2, bodies[1], { checksum })
      const first = await sendPart(key, uploadId, 1, bodies[0], { checksum })
      expect(first).toMatchObject({ partNumber: 1, bytes: 5 * MiB })
      const listed = await all(opened.store.listParts(at(key), uploadId))
      expect(listed.map(withoutExtras)).toEqual([first, second, last].map(withoutExtras))
      expect((await all(opened.store.listUploads(opened.bucket, { prefix: prefix + key })))[0]).toMatchObject(
        {
          address: at(key),
          uploadId,
        },
      )
      const stored = await opened.store.completeUpload(at(key), uploadId, [first, second, last], { checksum })
      const info = await opened.store.head(at(key))
      expect(info).toMatchObject({ ...settings, bytes: 10 * MiB + 1000, etag: stored.etag })
      expect(digest(await read(key))).toBe(digest(Buffer.concat(bodies)))
      expect(await all(opened.store.listUploads(opened.bucket, { prefix: prefix + key }))).toEqual([])
    })

    test.each(["with a space", "a+b", "ä%20%2B", "plain"])(
      "an unfinished upload is listed under its key: %s",
      async (key) => {
        const uploadId = await startUpload(key)
        const listed = await all(opened.store.listUploads(opened.bucket, { prefix: prefix + key }))
        expect(listed).toMatchObject([{ address: at(key), uploadId }])
        await opened.store.abortUpload(at(key), uploadId)
      },
    )

    test("an aborted upload is gone", async () => {
      const uploadId = await startUpload("aborted")
      const part = await sendPart("aborted", uploadId, 1, randomBytes(10))
      await opened.store.abortUpload(at("aborted"), uploadId)
      const gone = { name: "NotFoundError", what: "upload" }
      await expect(opened.store.abortUpload(at("aborted"), uploadId)).rejects.toMatchObject(gone)
      await expect(all(opened.store.listParts(at("aborted"), uploadId))).rejects.toMatchObject(gone)
      await expect(sendPart("aborted", uploadId, 2, randomBytes(10))).rejects.toMatchObject(gone)
      await expect(opened.store.completeUpload(at("aborted"), uploadId, [part], {})).rejects.toMatchObject(
        gone,
      )
      await expect(opened.store.head(at("aborted"))).rejects.toThrow(NotFoundError)
    })

    test("Complete refuses parts that are not those it has", async () => {
      const uploadId = await startUpload("other-parts")
      const part = await sendPart("other-parts", uploadId, 1, randomBytes(10))
      const other = { ...part, etag: "0123456789abcdef0123456789abcdef" }
      await expect(opened.store.completeUpload(at("other-parts"), uploadId, [other], {})).rejects.toThrow(
        S3epError,
      )
      await expect(opened.store.completeUpload(at("other-parts"), uploadId, [], {})).rejects.toThrow(
        RangeError,
      )
      await opened.store.completeUpload(at("other-parts"), uploadId, [part], {})
    })

    test("conditions on Complete hold, and the upload stays", async () => {
      const conditions = { ifNoneMatch: "*" } as const
      await put("complete-once", "first")
      const uploadId = await startUpload("complete-once")
      const part = await sendPart("complete-once", uploadId, 1, Buffer.from("second"))
      const complete = (more: object) =>
        opened.store.completeUpload(at("complete-once"), uploadId, [part], more)
      await expect(complete({ conditions })).rejects.toThrow(PreconditionError)
      expect(String(await read("complete-once"))).toBe("first")
      await opened.store.delete(at("complete-once"))
      await complete({ conditions })
      expect(String(await read("complete-once"))).toBe("second")
    })

    test("a part may be a stream of known length", async () => {
      const uploadId = await startUpload("streamed")
      const body = randomBytes(300_000)
      let sent = 0
      const onSent = (bytes: number) => {
        sent += bytes
      }
      const part = await sendPart(
        "streamed",
        uploadId,
        1,
        { bytes: body.length, stream: slices(body, 70_001) },
        { onSent },
      )
      expect(sent).toBe(body.length)
      const short = { bytes: 1001, stream: slices(randomBytes(1000), 100) }
      await expect(sendPart("streamed", uploadId, 2, short)).rejects.toThrow(RangeError)
      const failing = { bytes: 1000, stream: failingAfter(randomBytes(500), "the disk is gone") }
      await expect(sendPart("streamed", uploadId, 2, failing)).rejects.toThrow("the disk is gone")
      await opened.store.completeUpload(at("streamed"), uploadId, [part], {})
      expect(digest(await read("streamed"))).toBe(digest(body))
    })

    test("onSent counts what a buffer's part took", async () => {
      const uploadId = await startUpload("counted")
      const counts: number[] = []
      await sendPart("counted", uploadId, 1, randomBytes(700_000), {
        onSent: (bytes: number) => counts.push(bytes),
      })
      expect(counts.reduce((sum, bytes) => sum + bytes, 0)).toBe(700_000)
      await opened.store.abortUpload(at("counted"), uploadId)
    })

    const streaming = { settings, partBytes: 5 * MiB, concurrency: 2 }
    test.each([0, 1000, 5 * MiB, 11 * MiB])("a stream of %i bytes", async (bytes) => {
      const body = randomBytes(bytes)
      let sent = 0
      const onSent = (more: number) => {
        sent += more
      }
      const stored = await opened.store.putStream(at("stream"), slices(body, 999_983), {
        ...streaming,
        onSent,
      })
      expect(sent).toBe(bytes)
      expect(await opened.store.head(at("stream"))).toMatchObject({ ...settings, bytes, etag: stored.etag })
      expect(digest(await read("stream"))).toBe(digest(body))
    })

    test.each([1000, 999_983, 6 * MiB])("a stream whose slices of %i bytes are its own", async (bytes) => {
      const body = randomBytes(17 * MiB + 5)
      async function* own() {
        for (let at = 0; at < body.length; at += bytes) yield new Uint8Array(body.subarray(at, at + bytes))
      }
      await opened.store.putStream(at("stream-own"), own(), { ...streaming, ownMemory: true })
      expect(digest(await read("stream-own"))).toBe(digest(body))
    })

    test("a stream that fails leaves nothing behind", async () => {
      const body = failingAfter(randomBytes(7 * MiB), "the pipe broke")
      await expect(opened.store.putStream(at("broken"), body, streaming)).rejects.toThrow("the pipe broke")
      await expect(opened.store.head(at("broken"))).rejects.toThrow(NotFoundError)
      expect(await all(opened.store.listUploads(opened.bucket, { prefix: `${prefix}broken` }))).toEqual([])
    })

    test.each([10, 6 * MiB])("a stream of %i bytes keeps to its conditions", async (bytes) => {
      await put("stream-once", "first")
      const options = { ...streaming, conditions: { ifNoneMatch: "*" } as const }
      await expect(
        opened.store.putStream(at("stream-once"), slices(randomBytes(bytes), MiB), options),
      ).rejects.toThrow(PreconditionError)
      expect(String(await read("stream-once"))).toBe("first")
      expect(await all(opened.store.listUploads(opened.bucket, { prefix: `${prefix}stream-once` }))).toEqual(
        [],
      )
    })

    test("an aborted signal ends everything with its reason", async () => {
      await put("signal", "x")
      const uploadId = await startUpload("signal")
      const reason = new Error("enough")
      const signal = AbortSignal.abort(reason)
      const { store, bucket } = opened
      for (const call of [
        () => store.head(at("signal"), { signal }),
        () => store.get(at("signal"), { signal }),
        () => put("signal", "y", { signal }),
        () => store.putStream(at("signal"), slices(randomBytes(10), 5), { ...streaming, signal }),
        () => store.delete(at("signal"), { signal }),
        () => all(store.list(bucket, { prefix, signal })),
        () => sendPart("signal", uploadId, 1, randomBytes(10), { signal }),
        () => all(store.listParts(at("signal"), uploadId, { signal })),
        () => store.completeUpload(at("signal"), uploadId, [], { signal }),
        () => store.abortUpload(at("signal"), uploadId, { signal }),
        () => all(store.listUploads(bucket, { signal })),
        () => store.copy({ address: at("signal") }, at("signal"), { settings, signal }),
        () => store.uploadPartCopy({ address: at("signal") }, at("signal"), uploadId, 1, { signal }),
        () => all(store.listVersions(bucket, { signal })),
        () => store.getTags(at("signal"), { signal }),
        () => store.getAcl(at("signal"), { signal }),
      ]) {
        await expect(call()).rejects.toBe(reason)
      }
      expect(String(await read("signal"))).toBe("x")
    })

    test("a signal ends a stream in the middle, and leaves nothing behind", async () => {
      const reason = new Error("enough")
      const stop = new AbortController()
      async function* endless() {
        for (let slice = 0; ; slice += 1) {
          if (slice === 7) stop.abort(reason)
          yield randomBytes(MiB)
        }
      }
      const options = { ...streaming, signal: stop.signal }
      await expect(opened.store.putStream(at("stopped"), endless(), options)).rejects.toBe(reason)
      expect(await all(opened.store.listUploads(opened.bucket, { prefix: `${prefix}stopped` }))).toEqual([])
    })

    const kept = {
      metadata: { "s3ep-v": "2", theirs: "x y" },
      contentType: "text/x-copied",
      cacheControl: "no-cache",
      contentDisposition: "inline",
      contentEncoding: "br",
      contentLanguage: "de",
      expires: "Tue, 01 Jan 2030 00:00:00 GMT",
      websiteRedirect: "/elsewhere",
    }

    test("a copy onto itself replaces what is beside the bytes, and keeps bytes and tags", async () => {
      const tags = { owner: "them", "two words": "a+b=c/d" }
      const key = "copied/a b+c%20d é"
      const { etag } = await put(key, "the body", { settings: { ...settings, tags } })
      const stored = await opened.store.copy({ address: at(key), ifMatch: etag }, at(key), {
        settings: kept,
        conditions: { ifMatch: etag },
      })
      const info = await opened.store.head(at(key))
      expect(info).toMatchObject({ ...kept, bytes: 8, etag: stored.etag })
      expect(String(await read(key))).toBe("the body")
      expect(await opened.store.getTags(at(key))).toEqual(tags)
    })

    test("a copy may bring tags of its own", async () => {
      const tags = { two: "2" }
      await put("retagged", "x", { settings: { ...settings, tags: { one: "1" } } })
      await opened.store.copy({ address: at("retagged") }, at("retagged"), {
        settings: { ...settings, tags },
      })
      expect(await opened.store.getTags(at("retagged"))).toEqual(tags)
      await opened.store.putTags(at("retagged"), { three: "3" })
      expect(await opened.store.getTags(at("retagged"))).toEqual({ three: "3" })
    })

    test("a copy is pinned by its source's ETag, and by its target's", async () => {
      const { etag } = await put("pinned-copy", "one")
      await put("pinned-copy", "two")
      const source = { address: at("pinned-copy") }
      await expect(
        opened.store.copy({ ...source, ifMatch: etag }, at("pinned-copy"), { settings: kept }),
      ).rejects.toThrow(PreconditionError)
      await expect(
        opened.store.copy(source, at("pinned-copy"), { settings: kept, conditions: { ifMatch: etag } }),
      ).rejects.toThrow(PreconditionError)
      expect(await opened.store.head(at("pinned-copy"))).toMatchObject(settings)
      expect(String(await read("pinned-copy"))).toBe("two")
      await expect(
        opened.store.copy({ address: at("nothing"), ifMatch: etag }, at("nothing"), { settings: kept }),
      ).rejects.toThrow(NotFoundError)
    })

    test("a copy to another key leaves the source as it is", async () => {
      await put("from", "bytes")
      await opened.store.copy({ address: at("from") }, at("to"), { settings: kept })
      expect(await opened.store.head(at("to"))).toMatchObject(kept)
      expect(String(await read("to"))).toBe("bytes")
      expect(await opened.store.head(at("from"))).toMatchObject(settings)
    })

    test("grants are given with a copy, and can be read and set", async () => {
      await put("acl", "x")
      const alone = await opened.store.getAcl(at("acl"))
      expect(alone.grants).toEqual([
        { grantee: { kind: "user", id: alone.owner }, permission: "FULL_CONTROL" },
      ])
      const everyone = { kind: "group", id: "http://acs.amazonaws.com/groups/global/AllUsers" } as const
      const grants = [...alone.grants, { grantee: everyone, permission: "READ" } as const]
      await opened.store.copy({ address: at("acl") }, at("acl"), { settings: { ...settings, grants } })
      const inAnyOrder = expect.arrayContaining(grants)
      expect((await opened.store.getAcl(at("acl"))).grants).toEqual(inAnyOrder)
      await opened.store.putAcl(at("acl"), alone)
      expect(await opened.store.getAcl(at("acl"))).toEqual(alone)
      await opened.store.putAcl(at("acl"), { ...alone, grants })
      expect((await opened.store.getAcl(at("acl"))).grants).toEqual(inAnyOrder)
      expect(await opened.store.hasAcls(opened.bucket)).toBe(true)
    })

    test("parts may be copied from what is stored", async () => {
      const body = randomBytes(11 * MiB)
      const { etag } = await put("in-parts", body)
      const uploadId = await startUpload("in-parts", { settings: { ...kept, tags: { a: "b" } } })
      const source = { address: at("in-parts"), ifMatch: etag }
      const part = (partNumber: number, start: number, end: number) =>
        opened.store.uploadPartCopy(source, at("in-parts"), uploadId, partNumber, { range: { start, end } })
      const parts = [await part(1, 0, 6 * MiB), await part(2, 6 * MiB, 11 * MiB)]
      expect(parts.map(({ bytes }) => bytes)).toEqual([6 * MiB, 5 * MiB])
      await opened.store.completeUpload(at("in-parts"), uploadId, parts, { conditions: { ifMatch: etag } })
      const info = await opened.store.head(at("in-parts"))
      expect(info).toMatchObject({ ...kept, bytes: 11 * MiB, parts: 2 })
      const sizes = await opened.store.partSizes(at("in-parts"), info)
      expect(sizes === null || sizes).toEqual(sizes === null ? true : [6 * MiB, 5 * MiB])
      expect(digest(await read("in-parts"))).toBe(digest(body))
    })

    test("an upload in parts has the tags it was created with", async () => {
      const tags = { a: "b" }
      const uploadId = await startUpload("tagged", { settings: { ...settings, tags } })
      const part = await sendPart("tagged", uploadId, 1, Buffer.from("x"))
      await opened.store.completeUpload(at("tagged"), uploadId, [part], { tags })
      expect(await opened.store.getTags(at("tagged"))).toEqual(tags)
    })

    test("a bucket without versions lists what is there", async () => {
      for (const key of ["a", "b c", "é"]) await put(`versions/${key}`, key)
      const listed = await all(opened.store.listVersions(opened.bucket, { prefix: `${prefix}versions/` }))
      expect(listed.map(({ key }) => key.slice(`${prefix}versions/`.length))).toEqual(["a", "b c", "é"])
      expect(listed[0]).toMatchObject({ kind: "version", versionId: "null", isLatest: true, bytes: 1 })
    })

    test("a customer's key is needed for what it was given with", async () => {
      if (!opened.customerKeys) return
      const customerKey = { bytes: randomBytes(32) }
      const sealed = { ...settings, encryption: { kind: "sse-c", key: customerKey } } as const
      await put("sse-c", "secret", { settings: sealed })
      expect(String(await read("sse-c", { customerKey }))).toBe("secret")
      expect(await opened.store.head(at("sse-c"), { customerKey })).toMatchObject({ bytes: 6 })
      await expect(opened.store.head(at("sse-c"))).rejects.toThrow(S3epError)
      await expect(read("sse-c", { customerKey: { bytes: randomBytes(32) } })).rejects.toThrow(S3epError)
      const uploadId = await startUpload("sse-c-parts", { settings: sealed })
      const part = await sendPart("sse-c-parts", uploadId, 1, Buffer.from("in parts"), { customerKey })
      await opened.store.completeUpload(at("sse-c-parts"), uploadId, [part], { customerKey })
      expect(String(await read("sse-c-parts", { customerKey }))).toBe("in parts")
    })

    test("the limits make sense", async () => {
      const limits = await opened.store.limits(opened.bucket)
      expect(limits.maxParts).toBeGreaterThanOrEqual(1000)
      expect(limits.maxPartBytes).toBeGreaterThan(limits.minPartBytes)
      expect(limits.maxObjectBytes).toBeGreaterThan(limits.maxPutBytes)
    })
  })
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

async function keysOf(entries: AsyncIterable<ListedObject>): Promise<string[]> {
  return (await all(entries)).map(({ key }) => key)
}

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await all(body))
}

// Comparing megabytes element by element takes seconds.
function digest(bytes: Uint8Array): string {
  return hash("sha256", bytes)
}

function inKeyOrder(keys: string[]): string[] {
  return keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

function withoutExtras({ partNumber, etag, bytes }: UploadedPart) {
  return { partNumber, etag, bytes }
}

async function* slices(body: Uint8Array, sliceBytes: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < body.length; start += sliceBytes) yield body.subarray(start, start + sliceBytes)
}

async function* failingAfter(body: Uint8Array, message: string): AsyncGenerator<Uint8Array> {
  yield body
  throw new Error(message)
}
