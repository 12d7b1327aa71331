import { describe, expect, test } from "vitest"
import { IntegrityError, KeyMissingError, PreconditionError, UsageError } from "../../../src/errors.ts"
import { downloadStream } from "../../../src/transfer/download-stream.ts"
import { faulty } from "../../support/faults.ts"
import {
  collect,
  geometry,
  kekOf,
  makeSite,
  plaintextOf,
  putSealed,
  windowBytes,
} from "./download-fixture.ts"

const address = { bucket: "vault", key: "a/file.bin" }
const sizes = [0, 1, 4095, 4096, 4097, 16_384, 16_385, 32_768, 32_769, 100_000]

test.each(sizes)("streams an object of %i bytes", async (bytes) => {
  const site = await makeSite()
  const plaintext = plaintextOf(bytes)
  await putSealed(site.store, address.key, plaintext)
  expect(await collect(downloadStream(site.context, { address, windowBytes }))).toEqual(plaintext)
  expect(site.events.at(0)).toMatchObject({ type: "started", bytes })
  expect(site.events.at(-1)).toMatchObject({ type: "finished" })
})

test.each([4112, 9000, 20_000, 1_000_000])("windows of %i bytes change nothing", async (windowBytes) => {
  const site = await makeSite()
  const plaintext = plaintextOf(70_001)
  await putSealed(site.store, address.key, plaintext)
  expect(await collect(downloadStream(site.context, { address, windowBytes }))).toEqual(plaintext)
})

describe("ranges", () => {
  const plaintext = plaintextOf(70_000)
  test.each([
    [0, 1],
    [0, 4096],
    [4095, 4097],
    [5000, 60_000],
    [16_384, 16_385],
    [65_536, 70_000],
    [69_999, 70_000],
    [3, undefined],
    [69_999, undefined],
    [60_000, 1_000_000],
    [7, 7],
  ])("from %i to %s", async (start, end) => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintext)
    const got = await collect(downloadStream(site.context, { address, range: { start, end }, windowBytes }))
    expect(got).toEqual(plaintext.slice(start, end))
  })

  test("fetches the chunks it needs and nothing more", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintext)
    await collect(downloadStream(site.context, { address, range: { start: 20_000, end: 20_001 } }))
    const fetched = site.store.calls.flatMap(({ operation, range }) => (operation === "get" ? [range] : []))
    // The object's header, the header of segment 1, and its first chunk's place comes with it.
    expect(fetched).toEqual([
      { start: 0, end: 80 },
      { start: 16_528, end: 16_528 + 80 + 4112 },
    ])
  })

  test("beyond the end names the length, once the length was verified", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, plaintext)
    const range = { start: 70_000, end: 70_001 }
    const refused = collect(downloadStream(site.context, { address, range }))
    await expect(refused).rejects.toThrow(UsageError)
    await expect(refused).rejects.toThrow("it has 70000 bytes")
    site.store.tamper(address.key, (data) => data.subarray(0, data.length - 4112))
    await expect(collect(downloadStream(site.context, { address, range }))).rejects.toThrow(IntegrityError)
  })

  test("of an empty object", async () => {
    const site = await makeSite()
    await putSealed(site.store, address.key, new Uint8Array())
    expect(await collect(downloadStream(site.context, { address, range: { start: 0 } }))).toHaveLength(0)
    await expect(collect(downloadStream(site.context, { address, range: { start: 1 } }))).rejects.toThrow(
      UsageError,
    )
  })
})

test("what verified before the damage is handed out, and nothing after", async () => {
  const site = await makeSite()
  const plaintext = plaintextOf(70_000)
  await putSealed(site.store, address.key, plaintext)
  site.store.tamper(address.key, (data) => {
    data[50_000] = (data[50_000] ?? 0) ^ 1
    return data
  })
  const released: Uint8Array[] = []
  const read = async () => {
    for await (const chunk of downloadStream(site.context, { address, windowBytes })) released.push(chunk)
  }
  await expect(read()).rejects.toThrow(
    "cannot open s3://vault/a/file.bin: a chunk fails authentication (segment 3, chunk 0)",
  )
  expect(Buffer.concat(released)).toEqual(Buffer.from(plaintext.subarray(0, 3 * 16_384)))
})

test("an altered seal fails the stream at its end", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(70_000))
  site.store.tamper(address.key, (data) => data.with(-1, (data.at(-1) ?? 0) ^ 1))
  await expect(collect(downloadStream(site.context, { address }))).rejects.toThrow(/seal/)
})

test("segments of two uploads do not pass for one", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(70_000))
  site.store.tamper(address.key, (data) => {
    const segment = 80 + 4 * 4112
    const swapped = Uint8Array.from(data)
    swapped.set(data.subarray(segment, 2 * segment), 2 * segment)
    swapped.set(data.subarray(2 * segment, 3 * segment), segment)
    return swapped
  })
  await expect(collect(downloadStream(site.context, { address }))).rejects.toThrow(IntegrityError)
})

test("without the key it fails with the key's status and names the object", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(10), { kek: kekOf(2) })
  const failed = collect(downloadStream(site.context, { address }))
  await expect(failed).rejects.toThrow(KeyMissingError)
  await expect(failed).rejects.toThrow("cannot open s3://vault/a/file.bin: ")
})

test("an object in another's place is refused", async () => {
  const site = await makeSite()
  await putSealed(site.store, "elsewhere", plaintextOf(10))
  await site.store.put(address, site.store.bytes("elsewhere"), { settings: site.store.settings("elsewhere") })
  await expect(collect(downloadStream(site.context, { address }))).rejects.toThrow(IntegrityError)
})

test.each([0, 10, 1000])("a foreign object of %i bytes is in no known format", async (bytes) => {
  const site = await makeSite()
  await site.store.put(address, new Uint8Array(bytes), { settings: { metadata: {} } })
  await expect(collect(downloadStream(site.context, { address }))).rejects.toThrow(
    "s3://vault/a/file.bin is in no format that s3ep knows: it carries no envelope",
  )
})

test("an object that is replaced while it is read is noticed", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(100_000))
  const stream = downloadStream(site.context, { address, windowBytes, concurrency: 1 })
  await stream.next()
  await putSealed(site.store, address.key, plaintextOf(100_000, "another"))
  await expect(collect(stream)).rejects.toThrow(PreconditionError)
})

test("a version goes on being read after a newer one was written", async () => {
  const site = await makeSite({ versioned: true })
  const plaintext = plaintextOf(100_000)
  await putSealed(site.store, address.key, plaintext)
  const stream = downloadStream(site.context, { address, windowBytes, concurrency: 1 })
  const { value } = await stream.next()
  await putSealed(site.store, address.key, plaintextOf(100_000, "another"))
  expect(Buffer.concat([value ?? new Uint8Array(), await collect(stream)])).toEqual(Buffer.from(plaintext))
})

test("ending early leaves no request behind", async () => {
  const site = await makeSite()
  await putSealed(site.store, address.key, plaintextOf(400_000))
  const stream = downloadStream(site.context, { address, windowBytes, concurrency: 2 })
  await stream.next()
  await stream.return()
  const calls = site.store.calls.length
  await new Promise((resolve) => setImmediate(resolve))
  expect(site.store.calls.length).toBe(calls)
  expect(calls).toBeLessThan(6)
})

test.each(["before", "after", "during"] as const)(
  "a connection lost %s an answer ends it",
  async (moment) => {
    for (const call of [1, 2, 3]) {
      const site = await makeSite()
      await putSealed(site.store, address.key, plaintextOf(100_000))
      const context = site.with({ store: faulty(site.store, { call, moment, operation: "get" }) })
      await expect(collect(downloadStream(context, { address, windowBytes }))).rejects.toThrow(/reset/)
    }
  },
)

test("geometry is the one the fixture promises", () => {
  expect(windowBytes).toBe(2 * (80 + geometry.chunksPerSegment * (geometry.chunkBytes + 16)))
})
