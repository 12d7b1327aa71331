import { open } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { LocalIoError, UnavailableError } from "../../../src/errors.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { PartMemory } from "../../../src/transfer/part-memory.ts"
import { uploadFile } from "../../../src/transfer/upload.ts"
import { faulty } from "../../support/faults.ts"
import { opened, openSite, type Site, thrown } from "./upload-site.ts"

const MIB = 1024 ** 2
const BYTES = 50 * MIB

/** A sparse file of 50 MiB, in parts of 40: too large to hold. */
async function large(site: Site) {
  const path = join(site.directory, "large")
  const file = await open(path, "w")
  await file.truncate(BYTES)
  await file.write("the end", BYTES - 7)
  await file.close()
  return site.request(path, { partBytes: 40 * MIB, chunkBytes: MIB })
}

/** A connection that breaks after the first slices of a body, so often. */
function breaking(site: Site, times: number, error: () => Error): ObjectStore {
  let broken = 0
  return {
    ...faulty(site.store, { call: 0, moment: "before" }),
    uploadPart: async (address, uploadId, partNumber, body, options) => {
      if (body instanceof Uint8Array || broken === times) {
        return site.store.uploadPart(address, uploadId, partNumber, body, options)
      }
      broken++
      let slices = 0
      for await (const slice of body.stream) {
        options.onSent?.(slice.length)
        if (++slices === 3) break
      }
      throw error()
    },
  }
}

describe("a part too large to hold is streamed", () => {
  test("and sealed anew, under another salt, when the connection breaks", async () => {
    await using site = await openSite()
    const salts: string[] = []
    const store = breaking(site, 2, () => new UnavailableError("reset", { transient: "network" }))
    const counted: ObjectStore = {
      ...store,
      uploadPart: (address, uploadId, partNumber, body, options) => {
        expect(body).not.toBeInstanceOf(Uint8Array)
        if (body instanceof Uint8Array) return store.uploadPart(address, uploadId, partNumber, body, options)
        const { bytes, stream } = body
        return store.uploadPart(address, uploadId, partNumber, { bytes, stream: noting(stream) }, options)
      },
    }
    async function* noting(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      let first = true
      for await (const slice of stream) {
        if (first) salts.push(Buffer.from(slice.subarray(24, 48)).toString("hex"))
        first = false
        yield slice
      }
    }
    const request = await large(site)
    const result = await uploadFile(site.context({ store: counted }), request)
    expect(result).toMatchObject({ bytes: BYTES, parts: 2 })
    const plaintext = await opened(site.store, site.kek)
    expect(plaintext).toHaveLength(BYTES)
    expect(Buffer.from(plaintext.subarray(-7)).toString()).toBe("the end")
    expect(new Set(salts).size).toBe(4)
    expect(site.events.filter(({ type }) => type === "retried")).toHaveLength(2)
    const told = site.events.flatMap((event) => (event.type === "advanced" ? [event.bytes] : []))
    expect(told.reduce((sum, bytes) => sum + bytes, 0)).toBe(BYTES)
  })

  test("but not again for what no retry helps", async () => {
    await using site = await openSite()
    const error = new LocalIoError("the disk failed")
    const store = breaking(site, 1, () => error)
    expect(await thrown(uploadFile(site.context({ store }), await large(site)))).toBe(error)
    expect(site.events.filter(({ type }) => type === "retried")).toEqual([])
  })

  test("and what its file says of itself is believed over what the store makes of it", async () => {
    await using site = await openSite()
    const request = await large(site)
    const store: ObjectStore = {
      ...faulty(site.store, { call: 0, moment: "before" }),
      uploadPart: async (...args) => {
        const file = await open(request.path, "r+")
        await file.truncate(MIB)
        await file.close()
        return site.store.uploadPart(...args).catch(() => {
          throw new UnavailableError("the body ended early", { transient: "network" })
        })
      },
    }
    const error = await thrown(uploadFile(site.context({ store }), request))
    expect(error).toMatchObject({ code: "S3EP_LOCAL_IO" })
  })
})

describe("memory for parts", () => {
  const { signal } = new AbortController()

  test("is given in the order of asking, up to the limit", async () => {
    const memory = new PartMemory(100)
    const order: string[] = []
    const first = await memory.take(60, signal)
    const second = memory.take(60, signal).then((buffer) => {
      order.push("second")
      return buffer
    })
    const third = memory.take(10, signal).then(() => order.push("third"))
    await Promise.resolve()
    expect(order).toEqual([])
    first.recycle()
    expect((await second).bytes).toBe(first.bytes)
    await third
    expect(order).toEqual(["second", "third"])
  })

  test("is given to one who asks for more than there is, once nobody holds any", async () => {
    const memory = new PartMemory(100)
    const large = await memory.take(1000, signal)
    large.abandon()
    expect((await memory.take(1000, signal)).bytes).not.toBe(large.bytes)
  })

  test("is not waited for after an interruption, nor lost by it", async () => {
    const memory = new PartMemory(100)
    const held = await memory.take(100, signal)
    const interrupt = new AbortController()
    const waiting = thrown(memory.take(100, interrupt.signal))
    const next = memory.take(50, signal)
    interrupt.abort(new Error("stop"))
    expect(await waiting).toMatchObject({ message: "stop" })
    held.recycle()
    expect((await next).bytes).toHaveLength(50)
  })
})
