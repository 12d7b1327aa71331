import { readdir, readFile } from "node:fs/promises"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { proxyAesKey } from "../../../src/compat/s3-encryption-proxy-providers.ts"
import { type ProxyKey, ProxyObject } from "../../../src/compat/s3-encryption-proxy-writer.ts"
import { IntegrityError, UsageError } from "../../../src/errors.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import { downloadFile } from "../../../src/transfer/download.ts"
import { downloadStream } from "../../../src/transfer/download-stream.ts"
import { Spool } from "../../../src/transfer/spool.ts"
import { verifyObject } from "../../../src/transfer/verify.ts"
import { bytesOf, type ForeignSite, makeForeignSite, plaintextOf } from "./foreign-fixture.ts"

const MIB = 1024 ** 2
const KEY = proxyAesKey(Buffer.alloc(32, 3).toString("base64"), "k")
const WRITER: ProxyKey = { key: KEY, prefix: "s3ep-" }
const address = { bucket: "vault", key: "object" }

type Kind = "aes-gcm" | "aes-ctr with HMAC" | "aes-ctr"

/** Put what the proxy would have made of a plaintext. */
async function put(site: ForeignSite, plaintext: Uint8Array, kind: Kind, key = address.key): Promise<void> {
  using object = new ProxyObject(WRITER, systemRandom)
  const made = kind === "aes-gcm" ? object.sealWhole(plaintext, key) : await largeObject(object, plaintext)
  const { "s3ep-hmac": hmac, ...rest } = made.metadata
  const metadata = kind === "aes-ctr" || hmac === undefined ? rest : { ...rest, "s3ep-hmac": hmac }
  await site.store.put({ ...address, key }, made.body, { settings: { metadata } })
}

async function largeObject(object: ProxyObject, plaintext: Uint8Array) {
  const mac = object.mac()
  mac.update(plaintext)
  const source = async function* () {
    yield plaintext
  }
  return { body: await bytesOf(object.encrypt(source())), metadata: object.metadata(mac.digest()) }
}

const kinds: readonly Kind[] = ["aes-gcm", "aes-ctr with HMAC", "aes-ctr"]
const allowance = (kind: Kind) => ({ allowUnauthenticated: kind === "aes-ctr" })

const HELLO = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"

describe.each(kinds)("%s", (kind) => {
  const sizes = [0, 1, 5000, ...(kind === "aes-gcm" ? [] : [9 * MIB])]

  test.each(sizes)("of %i bytes comes to a file, a pipe and a check", async (bytes) => {
    const site = await makeForeignSite({ sliceBytes: 100_000 })
    await put(site, plaintextOf(bytes), kind)
    const context = site.reading([KEY], allowance(kind))
    const { target } = site
    expect(await downloadFile(context, { address, target })).toMatchObject({ bytes, resumedBytes: 0 })
    expect((await readFile(target)).equals(plaintextOf(bytes))).toBe(true)
    expect((await bytesOf(downloadStream(context, { address }))).equals(plaintextOf(bytes))).toBe(true)
    expect(await verifyObject(context, { address })).toMatchObject({ bytes, kek: { name: "k" } })
  })

  test("gives ranges as a slice has them", async () => {
    const site = await makeForeignSite()
    await put(site, plaintextOf(5000), kind)
    const context = site.reading([KEY], allowance(kind))
    for (const [start, end] of [
      [0, 1],
      [15, 17],
      [4999, 5000],
      [1000, 9000],
      [4000, undefined],
    ] as const) {
      const part = await bytesOf(downloadStream(context, { address, range: { start, end } }))
      expect(part.equals(plaintextOf(5000).subarray(start, end))).toBe(true)
    }
    const beyond = bytesOf(downloadStream(context, { address, range: { start: 5000 } }))
    await expect(beyond).rejects.toThrow(UsageError)
  })

  test("is freed of framing, wherever it goes", async () => {
    const site = await makeForeignSite({ sliceBytes: 7 })
    await put(site, Buffer.from(HELLO + HELLO), kind)
    const context = site.reading([KEY], allowance(kind))
    await downloadFile(context, { address, target: site.target })
    expect(await readFile(site.target, "utf8")).toBe("hellohello")
    expect((await bytesOf(downloadStream(context, { address }))).toString()).toBe("hellohello")
    expect(await verifyObject(context, { address })).toMatchObject({ bytes: 10 })
    expect(site.notices().filter((notice) => notice.includes("aws-chunked"))).toHaveLength(3)
  })

  test.each([
    `5\r\nhello, and more than a line that looks like framing`,
    HELLO.replace("hello", "jello"),
    "5\r\n",
    "a\r\n",
  ])("keeps data that only begin like framing: %j", async (text) => {
    const site = await makeForeignSite({ sliceBytes: 11 })
    await put(site, Buffer.from(text), kind)
    const context = site.reading([KEY], allowance(kind))
    await downloadFile(context, { address, target: site.target })
    expect(await readFile(site.target, "utf8")).toBe(text)
    expect((await bytesOf(downloadStream(context, { address }))).toString()).toBe(text)
    expect(await verifyObject(context, { address })).toMatchObject({ bytes: text.length })
    expect(site.notices().filter((notice) => notice.includes("aws-chunked"))).toEqual([])
  })
})

test("that a large one would start over is said", async () => {
  const site = await makeForeignSite({ sliceBytes: MIB })
  for (const bytes of [MIB, 9 * MIB]) {
    await put(site, new Uint8Array(bytes), "aes-ctr with HMAC")
    await downloadFile(site.reading([KEY]), { address, target: site.target })
    expect(site.notices().some((notice) => notice.includes("starts over"))).toBe(bytes > 8 * MIB)
  }
})

describe("what is not proven", () => {
  test("leaves no file behind", async () => {
    const site = await makeForeignSite()
    await put(site, plaintextOf(9 * MIB), "aes-ctr with HMAC")
    site.store.tamper(address.key, (data) => data.with(data.length - 1, (data.at(-1) ?? 0) ^ 1))
    const { target, targets } = site
    await expect(downloadFile(site.reading([KEY]), { address, target })).rejects.toThrow(IntegrityError)
    expect(await readdir(targets)).toEqual([])
  })

  test("comes out of a pipe only where that is allowed", async () => {
    const site = await makeForeignSite({ sliceBytes: 1000 })
    await put(site, plaintextOf(50_000), "aes-ctr with HMAC")
    site.store.tamper(address.key, (data) => data.with(49_999, (data[49_999] ?? 0) ^ 1))
    for (const allowUnauthenticated of [false, true]) {
      let released = 0
      const drain = async () => {
        const context = site.reading([KEY], { allowUnauthenticated })
        for await (const piece of downloadStream(context, { address })) released += piece.length
      }
      await expect(drain()).rejects.toThrow(IntegrityError)
      expect(released).toBe(allowUnauthenticated ? 50_000 : 0)
    }
  })

  test("is told once in a run, and not for our own objects", async () => {
    const site = await makeForeignSite()
    await put(site, plaintextOf(10), "aes-ctr with HMAC")
    await put(site, plaintextOf(10), "aes-ctr with HMAC", "another")
    const context = site.reading([KEY], { told: new Set() })
    for (const key of [address.key, "another"]) await verifyObject(context, { address: { ...address, key } })
    expect(site.notices()).toHaveLength(2)
    expect(site.notices().join("\n")).toMatch(/wrapped without authentication[\s\S]*not bound to its key/)
  })
})

test("large objects are fetched in several requests at once", async () => {
  const site = await makeForeignSite({ sliceBytes: MIB })
  await put(site, new Uint8Array(20 * MIB), "aes-ctr with HMAC")
  site.store.calls.length = 0
  await verifyObject(site.reading([KEY]), { address })
  const ranges = site.store.calls.map((call) => ("range" in call ? call.range : undefined))
  expect(ranges).toEqual([
    { start: 0, end: 8 * MIB },
    { start: 8 * MIB, end: 12 * MIB },
    { start: 12 * MIB, end: 16 * MIB },
    { start: 16 * MIB, end: 20 * MIB },
  ])
})

describe("a spool", () => {
  test.each([
    ["in memory", 10_000],
    ["in a file", 999],
    ["in a file from the first byte", 0],
  ])("%s gives back what it was given, as often as it is asked", async (_, memoryBytes) => {
    const { targets } = await makeForeignSite()
    vi.stubEnv("TMPDIR", targets)
    onTestFinished(() => void vi.unstubAllEnvs())
    await using spool = new Spool(systemRandom, memoryBytes)
    const source = async function* () {
      const reused = new Uint8Array(100)
      for (let at = 0; at < 5000; at += 100) {
        reused.set(plaintextOf(5000).subarray(at, at + 100))
        yield reused
      }
    }
    let passed = 0
    for await (const piece of spool.keep(source())) passed += piece.length
    expect(passed).toBe(5000)
    for (let time = 0; time < 2; time++) {
      expect((await bytesOf(spool.read())).equals(plaintextOf(5000))).toBe(true)
    }
    // Nobody else can open it, and nothing is left of it however the process ends.
    expect(await readdir(targets)).toEqual([])
  })
})
