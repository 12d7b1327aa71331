import { expect, test } from "vitest"
import { LocalIoError } from "../../../src/errors.ts"
import { runProducer } from "../../../src/transfer/producer.ts"
import { type StreamRequest, uploadStream } from "../../../src/transfer/upload-stream.ts"
import { faulty } from "../../support/faults.ts"
import { CHUNK, callsOf, noise, opened, openSite, PART, slices, thrown } from "./upload-site.ts"

function requestOf(source: AsyncIterable<Uint8Array>, over: Partial<StreamRequest> = {}): StreamRequest {
  const address = { bucket: "vault", key: "a.bin" }
  return { source, address, settings: { metadata: {} }, partBytes: PART, chunkBytes: CHUNK, ...over }
}

test.each([0, 1, CHUNK, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 5])(
  "a stream of %i bytes comes out as it went in, in one request if it fits one segment",
  async (bytes) => {
    await using site = await openSite()
    const result = await uploadStream(site.context(), requestOf(slices(noise(bytes), 777)))
    expect(await opened(site.store, site.kek)).toEqual(noise(bytes))
    expect(result).toMatchObject({ bytes, storedBytes: site.store.bytes("a.bin").length })
    expect(callsOf(site.store, "put")).toHaveLength(bytes <= PART ? 1 : 0)
    const told = site.events.flatMap((event) => (event.type === "advanced" ? [event.bytes] : []))
    expect(told.reduce((sum, some) => sum + some, 0)).toBe(bytes)
  },
)

test("a source that fails leaves nothing behind, and its error is passed on", async () => {
  await using site = await openSite()
  const error = new LocalIoError("pg_dump failed with status 1")
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield* slices(noise(3 * PART))
    throw error
  }
  expect(await thrown(uploadStream(site.context(), requestOf(failing())))).toBe(error)
  expect(await thrown(site.store.head({ bucket: "vault", key: "a.bin" }))).toMatchObject({ what: "object" })
})

test("a stream that outgrows the parts is stopped before the limit, and told what helps", async () => {
  await using site = await openSite({ limits: { maxParts: 3 } })
  const error = await thrown(uploadStream(site.context(), requestOf(slices(noise(3 * PART)))))
  expect(error).toMatchObject({ code: "S3EP_USAGE", hint: expect.stringContaining("--expected-size") })
  expect(await thrown(site.store.head({ bucket: "vault", key: "a.bin" }))).toMatchObject({ what: "object" })
})

test("an expected size makes the parts large enough", async () => {
  await using site = await openSite({ limits: { maxParts: 3 } })
  const bytes = 40 * 1024 * 1024
  const request = requestOf(slices(noise(100)), {
    expectedBytes: bytes,
    partBytes: undefined,
    multipart: true,
  })
  await uploadStream(site.context(), request)
  const header = new DataView(site.store.bytes("a.bin").buffer)
  expect(2 * header.getUint32(8, true) * header.getUint32(12, true)).toBeGreaterThanOrEqual(bytes)
})

test("an answer that got lost after the last byte is settled by looking", async () => {
  await using site = await openSite()
  const store = faulty(site.store, { operation: "putStream", moment: "after" })
  const result = await uploadStream(site.context({ store }), requestOf(slices(noise(3 * PART))))
  expect(result.bytes).toBe(3 * PART)
})

test("the source is ended when the upload fails", async () => {
  await using site = await openSite()
  let ended = false
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield* slices(noise(3 * PART))
    } finally {
      ended = true
    }
  }
  const store = faulty(site.store, { operation: "putStream", moment: "before" })
  await thrown(uploadStream(site.context({ store }), requestOf(source())))
  expect(ended).toBe(true)
})

test("a program's output is passed on, and its success is a normal end", async () => {
  const { signal } = new AbortController()
  const pieces: Uint8Array[] = []
  for await (const piece of runProducer([process.execPath, "-e", "process.stdout.write('abc')"], {
    signal,
  })) {
    pieces.push(piece)
  }
  expect(Buffer.concat(pieces).toString()).toBe("abc")
})

test.each([
  ["fails", ["-e", "process.stdout.write('abc'); process.exitCode = 3"], "failed with status 3"],
  ["is killed", ["-e", "process.kill(process.pid, 'SIGKILL')"], "was killed by SIGKILL"],
])("a program that %s makes the upload fail", async (_, parameters, message) => {
  await using site = await openSite()
  const source = runProducer([process.execPath, ...parameters], { signal: site.context().signal })
  const error = await thrown(uploadStream(site.context(), requestOf(source)))
  expect(error).toMatchObject({ code: "S3EP_LOCAL_IO", message: expect.stringContaining(message) })
  expect(callsOf(site.store, "put")).toEqual([])
})

test("a program that does not exist is said not to run", async () => {
  const source = runProducer(["/nonexistent/program"], { signal: new AbortController().signal })
  expect(await thrown(source.next())).toMatchObject({ message: expect.stringContaining("could not be run") })
})

test("aborting ends the program", async () => {
  const interrupt = new AbortController()
  const source = runProducer(
    [process.execPath, "-e", "process.stdout.write('x'); setInterval(() => {}, 1000)"],
    {
      signal: interrupt.signal,
    },
  )
  await source.next()
  interrupt.abort(new Error("stop"))
  expect(await thrown(source.next())).toMatchObject({ message: "stop" })
})

test("an interruption does not wait for a pipe that has nothing to say", async () => {
  await using site = await openSite()
  const interrupt = new AbortController()
  async function* idle(): AsyncGenerator<Uint8Array> {
    yield noise(10)
    interrupt.abort(new Error("stop"))
    await new Promise(() => undefined)
  }
  const context = site.context({ signal: interrupt.signal })
  expect(await thrown(uploadStream(context, requestOf(idle())))).toMatchObject({ message: "stop" })
})
