import { readdir, writeFile } from "node:fs/promises"
import { describe, expect, onTestFinished, test } from "vitest"
import { sealStream } from "../../src/agcm/stream.ts"
import { base64url, concat, fromBase64url, u32le, utf8 } from "../../src/bytes.ts"
import { SecretBytes } from "../../src/crypto/secret.ts"
import { createEnvelope, type Envelope } from "../../src/envelope/envelope.ts"
import { toUserMetadata } from "../../src/envelope/metadata.ts"
import { aesKek } from "../../src/keys/aes.ts"
import { systemRandom } from "../../src/keys/random.ts"
import type { ObjectInfo } from "../../src/store/store.ts"
import { type HostileStore, hostileStore, type StoreLie } from "../support/hostile-store.ts"
import { memoryLimits } from "../support/memory-model.ts"
import { MemoryStore } from "../support/memory-store.ts"
import { type Home, openHome, type Run, runCli } from "../support/run-cli.ts"
import { KEK } from "./cli-site.ts"

// Whatever a store makes of an object, no command takes it for the one that was written.

const CHUNK = 4096
const GEOMETRY = { chunkBytes: CHUNK, chunksPerSegment: 4 }
const SEGMENT = 80 + 4 * (CHUNK + 16)
const KEY = "tree/a.bin"
const PLAINTEXT = Buffer.from(Array.from({ length: 150_000 }, (_, at) => (at * 31) >>> 3))
const kek = () => aesKek(new SecretBytes(new Uint8Array(32).fill(7)), "test")

interface Site {
  readonly home: Home
  readonly store: HostileStore
  run(argv: readonly string[]): Promise<Run>
}

/** Two attempts at one object under one DEK, as an upload that was resumed makes them; the first one is stored. */
let made: Promise<{ bytes: Uint8Array; other: Uint8Array; metadata: Record<string, string> }> | undefined
async function sealedObject(key: string) {
  using dek = new SecretBytes(systemRandom(32))
  const attempt = async () => {
    const pieces: Uint8Array[] = []
    const source = (async function* () {
      yield Uint8Array.from(PLAINTEXT)
    })()
    for await (const piece of sealStream(dek, GEOMETRY, source, () => systemRandom(24))) pieces.push(piece)
    return concat(...pieces)
  }
  const privateMetadata = { name: "a.bin", size: PLAINTEXT.length }
  const random = systemRandom
  const envelope = await createEnvelope({
    dek,
    bind: "key",
    objectKey: key,
    writers: [kek()],
    privateMetadata,
    random,
  })
  return { bytes: await attempt(), other: await attempt(), metadata: toUserMetadata(envelope, memoryLimits) }
}

async function openSite(lie: StoreLie): Promise<Site> {
  made ??= sealedObject(KEY)
  const { bytes, metadata } = await made
  const home = await openHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  const memory = new MemoryStore()
  await memory.put({ bucket: "vault", key: KEY }, bytes, { settings: { metadata } })
  const store = hostileStore(memory)
  store.lies.set(KEY, lie)
  const run = (argv: readonly string[]) =>
    runCli([...argv, "--no-progress"], { home, store, env: { S3EP_KEK: KEK }, delay: async () => undefined })
  return { home, store, run }
}

const READING: readonly (readonly [string, readonly string[]])[] = [
  ["get", ["get", `s3://vault/${KEY}`, "out"]],
  ["get to a pipe", ["get", `s3://vault/${KEY}`, "-"]],
  ["get of a tree", ["get", "-r", "s3://vault/tree/", "out"]],
  ["verify", ["verify", `s3://vault/${KEY}`]],
  ["verify of a tree", ["verify", "-r", "s3://vault/tree/"]],
]

/** What holds whatever the lie: no file appears, a pipe gets only what was sealed, and not much is asked for. */
async function expectRefused(
  site: Site,
  argv: readonly string[],
  statuses: readonly number[] = [4],
): Promise<void> {
  const { status, stderr, data } = await site.run(argv)
  expect(statuses, stderr).toContain(status)
  const appeared = (await readdir(site.home.directory, { recursive: true })).filter((path) =>
    /^out$|a\.bin$/.test(path),
  )
  expect(argv.includes("-r") ? appeared.filter((path) => path !== "out") : appeared).toEqual([])
  if (argv.includes("-")) expect(PLAINTEXT.subarray(0, data.length).equals(data)).toBe(true)
  expect(site.store.takenBytes).toBeLessThan(20 * PLAINTEXT.length)
  expect(site.store.reads).toBeLessThan(500)
}

const swapped = (size: number, a: number, b: number) => (stored: Uint8Array) => {
  const piece = (index: number) => stored.subarray(index * size, (index + 1) * size)
  const bytes = Uint8Array.from(stored)
  bytes.set(piece(b), a * size)
  bytes.set(piece(a), b * size)
  return bytes
}
const flipped = (at: number) => (stored: Uint8Array) => {
  const bytes = Uint8Array.from(stored)
  const place = at < 0 ? bytes.length + at : at
  bytes[place] = (bytes[place] ?? 0) ^ 1
  return bytes
}

describe.each(READING)("%s", (_, argv) => {
  test.each<[string, (stored: Uint8Array) => Uint8Array]>([
    ["cut to nothing", () => new Uint8Array()],
    ["cut to its header", (stored) => stored.subarray(0, 80)],
    ["cut within a chunk", (stored) => stored.subarray(0, 50_000)],
    ["cut at a segment", (stored) => stored.subarray(0, 3 * SEGMENT)],
    [
      "cut at a segment, with its seal",
      (stored) => concat(stored.subarray(0, 3 * SEGMENT), stored.slice(-32)),
    ],
    ["without its seal", (stored) => stored.subarray(0, -32)],
    [
      "with a segment left out",
      (stored) => concat(stored.subarray(0, SEGMENT), stored.subarray(2 * SEGMENT)),
    ],
    ["with a segment twice", (stored) => concat(stored.subarray(0, 2 * SEGMENT), stored.subarray(SEGMENT))],
    ["with segments swapped", swapped(SEGMENT, 1, 2)],
    ["padded with zeros", (stored) => concat(stored, new Uint8Array(CHUNK + 16))],
    ["padded to a whole segment", (stored) => concat(stored, new Uint8Array(SEGMENT))],
    ["padded with itself", (stored) => concat(stored, stored)],
    ["with a bit of its header changed", flipped(20)],
    ["with a bit of a chunk changed", flipped(40_000)],
    ["with a bit of its seal changed", flipped(-1)],
    [
      "with a geometry of the largest numbers",
      (stored) =>
        concat(stored.subarray(0, 8), u32le(16 * 1024 ** 2), u32le(2 ** 31 - 1), stored.subarray(16)),
    ],
    [
      "with a geometry of the smallest numbers",
      (stored) => concat(stored.subarray(0, 8), u32le(CHUNK), u32le(1), stored.subarray(16)),
    ],
    [
      "with a geometry that there is not",
      (stored) => concat(stored.subarray(0, 8), u32le(1), u32le(0), stored.subarray(16)),
    ],
  ])("an object %s is refused", async (_, bytes) => {
    await expectRefused(await openSite({ bytes }), argv)
  })

  test("attempts at parts that do not belong together are refused", async () => {
    const site = await openSite({})
    const { other } = (await made) ?? { other: new Uint8Array() }
    site.store.lies.set(KEY, {
      bytes: (stored) =>
        concat(
          stored.subarray(0, SEGMENT),
          other.subarray(SEGMENT, 2 * SEGMENT),
          stored.subarray(2 * SEGMENT),
        ),
    })
    await expectRefused(site, argv)
  })

  test("another object in its place is refused", async () => {
    const site = await openSite({})
    const { bytes, metadata } = await sealedObject("tree/b.bin")
    site.store.lies.set(KEY, { bytes: () => bytes, info: (info) => ({ ...info, metadata }) })
    await expectRefused(site, argv)
  })

  test.each<[string, (info: ObjectInfo, request: number) => ObjectInfo]>([
    ["longer than it is", (info) => ({ ...info, bytes: info.bytes + 1 })],
    ["shorter than it is", (info) => ({ ...info, bytes: info.bytes - 1 })],
    ["of no length", (info) => ({ ...info, bytes: 0 })],
    ["of more bytes than can be counted", (info) => ({ ...info, bytes: Number.MAX_SAFE_INTEGER })],
    ["of a length that is no number", (info) => ({ ...info, bytes: Number.NaN })],
  ])("an object that is said to be %s is refused", async (_, info) => {
    await expectRefused(await openSite({ info }), argv)
  })

  test.each<[string, NonNullable<StoreLie["answer"]>]>([
    [
      "another range",
      ({ range, ...answer }) => ({ ...answer, range: { start: range.start + 1, end: range.end + 1 } }),
    ],
    ["a body that ends early", ({ body, ...answer }) => ({ ...answer, body: cut(body, 1000) })],
    ["a body that never ends", ({ body, ...answer }) => ({ ...answer, body: forever(body) })],
    ["an empty body", (answer) => ({ ...answer, body: cut(answer.body, 0) })],
  ])("answers with %s are refused", async (_, answer) => {
    await expectRefused(await openSite({ answer }), argv)
  })
})

async function* cut(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    yield piece.subarray(0, bytes)
    return
  }
}

async function* forever(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* body
  for (;;) yield new Uint8Array(10_000)
}

describe("an envelope that a store made up", () => {
  /** The true envelope with something else in it, in as many pieces as it takes. */
  function envelope(change: (json: Record<string, unknown>) => unknown): NonNullable<StoreLie["info"]> {
    return (info) => {
      const pieces = Object.keys(info.metadata)
        .filter((name) => name.startsWith("s3ep-envelope-"))
        .sort()
      const json = Buffer.from(
        fromBase64url(pieces.map((name) => info.metadata[name]).join("")) ?? [],
      ).toString()
      const changed = change(JSON.parse(json))
      const text = base64url(utf8(typeof changed === "string" ? changed : JSON.stringify(changed)))
      const metadata: Record<string, string> = { "s3ep-format": "agcm2" }
      for (let at = 0; at * 60_000 < text.length; at++) {
        metadata[`s3ep-envelope-${at}`] = text.slice(at * 60_000, (at + 1) * 60_000)
      }
      return { ...info, metadata }
    }
  }
  const passphrase = (members: object) => ({
    kek: "passphrase:00112233445566778899aabbccddeeff",
    alg: "Argon2id-A256GCM",
    ct: "AAAA",
    s: base64url(new Uint8Array(16)),
    t: 3,
    m: 65_536,
    p: 4,
    ...members,
  })
  const recipients = (json: Record<string, unknown>) => (json as unknown as Envelope).recipients
  const lies: [string, NonNullable<StoreLie["info"]>, readonly number[]][] = [
    [
      "of ten thousand recipients",
      envelope((json) => ({ ...json, recipients: Array(10_000).fill(recipients(json)[0]) })),
      [4],
    ],
    [
      "of a thousand recipients that are not ours",
      envelope((json) => ({
        ...json,
        recipients: Array.from({ length: 600 }, (_, at) => ({
          kek: `aes:${at}`,
          alg: "HKDF-A256GCM",
          ct: "AAAA",
        })),
      })),
      [5],
    ],
    [
      "with an Argon2 that takes all memory",
      envelope((json) => ({ ...json, recipients: [passphrase({ m: 2 ** 32 })] })),
      [4, 5],
    ],
    [
      "with an Argon2 that takes for ever",
      envelope((json) => ({ ...json, recipients: [passphrase({ t: 1e9 })] })),
      [4, 5],
    ],
    [
      "with an Argon2 of no numbers",
      envelope((json) => ({ ...json, recipients: [passphrase({ m: "1", p: "x" })] })),
      [4, 5],
    ],
    ["that is nested deeply", envelope(() => `${"[".repeat(20_000)}${"]".repeat(20_000)}`), [4]],
    ["that nests objects deeply", envelope(() => `${'{"a":'.repeat(8000)}1${"}".repeat(8000)}`), [4]],
    ["of the wrong types", envelope((json) => ({ ...json, recipients: { length: 1 } })), [4]],
    ["that is no object", envelope(() => [1, 2, 3]), [4]],
    ["without recipients", envelope((json) => ({ ...json, recipients: [] })), [4]],
    [
      "with a prototype",
      envelope((json) => JSON.stringify(json).replace("{", '{"__proto__":{"fmt":"agcm2"},')),
      [4],
    ],
    [
      "with a recipient's prototype",
      envelope((json) => JSON.stringify(json).replace("[{", '[{"__proto__":{"x":1},')),
      [4],
    ],
    [
      "with a constructor",
      envelope((json) => ({ ...json, constructor: { prototype: { polluted: 1 } }, bind: "none" })),
      [4],
    ],
    ["that is bound to nothing", envelope((json) => ({ ...json, bind: "none" })), [4]],
    ["of a newer version", envelope((json) => ({ ...json, v: 3 })), [4]],
    [
      "of another key",
      envelope((json) => ({
        ...json,
        recipients: recipients(json).map((one) => ({ ...one, kek: "aes:00112233445566778899aabbccddeeff" })),
      })),
      [5],
    ],
    [
      "with a wrapped key that is damaged",
      envelope((json) => ({
        ...json,
        recipients: recipients(json).map((one) => ({ ...one, ct: base64url(new Uint8Array(80)) })),
      })),
      [4],
    ],
    [
      "with private metadata of something else",
      envelope((json) => ({ ...json, meta: base64url(new Uint8Array(60)) })),
      [4],
    ],
    [
      "that is not base64",
      (info) => ({ ...info, metadata: { "s3ep-format": "agcm2", "s3ep-envelope-0": "\u0000ÿ" } }),
      [4],
    ],
    [
      "of which a piece is missing",
      (info) => ({ ...info, metadata: { "s3ep-format": "agcm2", "s3ep-envelope-7": "AAAA" } }),
      [4],
    ],
    ["that is not there", (info) => ({ ...info, metadata: { "s3ep-format": "agcm2" } }), [4]],
    [
      "of another format",
      (info) => ({ ...info, metadata: { ...info.metadata, "s3ep-format": "\u001b[2Jrot13" } }),
      [4],
    ],
    ["that was taken away", (info) => ({ ...info, metadata: {} }), [4]],
  ]
  const DESCRIBING: readonly (readonly string[])[] = [["stat", `s3://vault/${KEY}`]]
  test.each(lies)("%s", async (_, info, statuses) => {
    for (const argv of [...READING.map(([, words]) => words)])
      await expectRefused(await openSite({ info }), argv, statuses)
    for (const argv of DESCRIBING) {
      const { status, stdout, stderr } = await (await openSite({ info })).run(argv)
      expect([0, 4], stderr).toContain(status)
      // Without a key that opens it, an object can be described; nothing in that is said to be proven.
      if (status === 0) expect(stdout).toContain("no key at hand")
    }
    // Rotating changes no envelope that it cannot open.
    const rotated = await (await openSite({ info })).run(["rotate-key", `s3://vault/${KEY}`])
    if (rotated.status === 0) expect(rotated.stderr + rotated.stdout).toContain("moved 0 objects")
    else expect([4, 5], rotated.stderr).toContain(rotated.status)
    const listed = await (await openSite({ info })).run(["ls", "-r", "s3://vault/"])
    expect(listed.status).toBe(0)
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false)
  })
})

test.each<[string, (stored: Uint8Array) => Uint8Array]>([
  ["nothing", () => new Uint8Array()],
  ["no JSON", () => utf8("<html>")],
  ["deep JSON", () => utf8(`${"[".repeat(100_000)}${"]".repeat(100_000)}`)],
  ["a prototype", (stored) => utf8(Buffer.from(stored).toString().replace("{", '{"__proto__":{"x":1},'))],
  ["more than there may be", (stored) => concat(stored, new Uint8Array(9_000_000).fill(32))],
  ["half of it", (stored) => stored.subarray(0, stored.length / 2)],
  ["a bit more", flipped(150)],
  ["another spelling", (stored) => concat(stored, utf8("\n"))],
])("a keyring of which a store makes %s is refused by all that need it", async (_, bytes) => {
  const site = await openSite({})
  expect((await site.run(["keyring", "init", "s3://vault/ring/", "--yes"])).status).toBe(0)
  await writeFile(site.home.path("file"), "content")
  expect((await site.run(["put", "file", "s3://vault/ring/object"])).status).toBe(0)
  site.store.lies.set("ring/.s3ep/keyring.json", { bytes })
  for (const argv of [
    ["keyring", "show", "s3://vault/ring/"],
    ["put", "file", "s3://vault/ring/other"],
    ["get", "s3://vault/ring/object", "back"],
    ["verify", "s3://vault/ring/object"],
  ]) {
    const { status, stderr } = await site.run(argv)
    expect([4, 5], `${argv.join(" ")}: ${stderr}`).toContain(status)
  }
  expect(await readdir(site.home.directory)).not.toContain("back")
})
