import { createDecipheriv, createHmac, hkdfSync } from "node:crypto"
import { appendFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { proxyAesKey } from "../../../src/compat/s3-encryption-proxy-providers.ts"
import { CtrStream } from "../../../src/crypto/ctr.ts"
import type { RawKey } from "../../../src/crypto/raw-key.ts"
import { IntegrityError, PreconditionError, UsageError } from "../../../src/errors.ts"
import type { ObjectStore } from "../../../src/store/store.ts"
import { downloadStream } from "../../../src/transfer/download-stream.ts"
import { uploadForProxy, uploadStreamForProxy } from "../../../src/transfer/upload-proxy.ts"
import { faulty } from "../../support/faults.ts"
import { proxyKeysOf, proxyVector } from "../../support/proxy-vectors.ts"
import { bytesOf, type ForeignSite, makeForeignSite, plaintextOf } from "./foreign-fixture.ts"

const MIB = 1024 ** 2
const SECRET = Buffer.alloc(32, 9)
const AES = proxyAesKey(SECRET.toString("base64"), "current")
const [RSA] = proxyKeysOf(proxyVector("rsa-gcm-off-0"))
const address = { bucket: "vault", key: "dir/ü.bin" }
const settings = { metadata: { owner: "ada" }, contentType: "text/plain" }

async function put(
  site: ForeignSite,
  plaintext: Uint8Array,
  key: RawKey = AES,
  store: ObjectStore = site.store,
) {
  const path = join(site.directory, "source")
  await writeFile(path, plaintext)
  const context = { ...site.reading([]), store }
  return uploadForProxy(context, { path, address, settings, partBytes: 5 * MIB }, { key, prefix: "s3ep-" })
}

/** As the proxy's description has it, with nothing of ours but the counter's arithmetic. */
async function readAsProxy(site: ForeignSite): Promise<Buffer> {
  const { info, body } = await site.store.get(address)
  const stored = await bytesOf(body)
  const value = (name: string) => Buffer.from(info.metadata[`s3ep-${name}`] ?? "", "base64")
  const wrapped = value("encrypted-dek")
  const unwrap = createDecipheriv("aes-256-ctr", SECRET, wrapped.subarray(0, 16))
  const dek = unwrap.update(wrapped.subarray(16))
  if (info.metadata["s3ep-dek-algorithm"] === "aes-gcm") {
    expect(stored.subarray(0, 12)).toEqual(value("aes-iv"))
    const decipher = createDecipheriv("aes-256-gcm", dek, stored.subarray(0, 12))
    decipher.setAAD(Buffer.from(address.key))
    decipher.setAuthTag(stored.subarray(-16))
    return Buffer.concat([decipher.update(stored.subarray(12, -16)), decipher.final()])
  }
  const plaintext = createDecipheriv("aes-256-ctr", dek, value("aes-iv")).update(stored)
  const macKey = Buffer.from(hkdfSync("sha256", dek, "s3-proxy-integrity-v1", "file-hmac-key", 32))
  expect(createHmac("sha256", macKey).update(plaintext).digest()).toEqual(value("hmac"))
  return plaintext
}

describe("what is written for the proxy", () => {
  test.each([0, 1, 15, 16, 17, 70_001, 5 * MIB - 1])(
    "of %i bytes is aes-gcm, in one request",
    async (bytes) => {
      const site = await makeForeignSite()
      const result = await put(site, plaintextOf(bytes))
      expect(result).toMatchObject({ bytes, storedBytes: bytes + 28, parts: 1, resumedParts: 0 })
      expect((await readAsProxy(site)).equals(plaintextOf(bytes))).toBe(true)
      const { metadata, contentType } = await site.store.head(address)
      expect(Object.keys(metadata).sort()).toEqual(
        ["aes-iv", "dek-algorithm", "encrypted-dek", "kek-algorithm", "kek-fingerprint"]
          .map((name) => `s3ep-${name}`)
          .concat("owner")
          .sort(),
      )
      expect(contentType).toBe("text/plain")
      const read = await bytesOf(downloadStream(site.reading([AES]), { address }))
      expect(read.equals(plaintextOf(bytes))).toBe(true)
    },
  )

  test.each([5 * MIB, 5 * MIB + 1, 11 * MIB])(
    "of %i bytes is aes-ctr with an HMAC, sent at once",
    async (bytes) => {
      const site = await makeForeignSite()
      expect(await put(site, plaintextOf(bytes))).toMatchObject({
        bytes,
        storedBytes: bytes,
        parts: Math.ceil(bytes / (5 * MIB)),
      })
      expect((await readAsProxy(site)).equals(plaintextOf(bytes))).toBe(true)
      expect(site.store.calls.map(({ operation }) => operation)).not.toContain("copy")
      const read = await bytesOf(downloadStream(site.reading([AES]), { address }))
      expect(read.equals(plaintextOf(bytes))).toBe(true)
    },
  )

  test("from a pipe is the same", async () => {
    for (const bytes of [0, 1000, 6 * MIB]) {
      const site = await makeForeignSite()
      const source = async function* () {
        for (let at = 0; at < bytes; at += 99_999) yield plaintextOf(bytes).slice(at, at + 99_999)
      }
      const writer = { key: AES, prefix: "s3ep-" }
      const result = await uploadStreamForProxy(
        site.reading([]),
        { source: source(), address, settings },
        writer,
      )
      expect(result.bytes).toBe(bytes)
      expect((await readAsProxy(site)).equals(plaintextOf(bytes))).toBe(true)
    }
  })

  test("opens under an RSA key too", async () => {
    const site = await makeForeignSite()
    if (!RSA) throw new Error("no key")
    await put(site, plaintextOf(1000), RSA)
    const read = await bytesOf(downloadStream(site.reading([RSA]), { address }))
    expect(read.equals(plaintextOf(1000))).toBe(true)
  })

  test("has another DEK, IV and nonce each time", async () => {
    const seen = new Set<string>()
    for (const bytes of [10, 10, 5 * MIB, 5 * MIB]) {
      const site = await makeForeignSite()
      await put(site, plaintextOf(bytes))
      const { metadata } = await site.store.head(address)
      seen.add(metadata["s3ep-encrypted-dek"] ?? "").add(metadata["s3ep-aes-iv"] ?? "")
    }
    expect(seen.size).toBe(8)
  })
})

describe("any bit that changes is refused", () => {
  const positions = (bytes: number) => [
    0,
    1,
    11,
    12,
    Math.floor(bytes / 2),
    bytes - 17,
    bytes - 16,
    bytes - 1,
  ]

  test("in a body", async () => {
    const site = await makeForeignSite()
    for (const bytes of [100, 5 * MIB]) {
      const { storedBytes } = await put(site, plaintextOf(bytes))
      for (const position of positions(storedBytes)) {
        const flip = (data: Uint8Array) => {
          const flipped = data.slice()
          flipped[position] = (flipped[position] ?? 0) ^ 0x10
          return flipped
        }
        site.store.tamper(address.key, flip)
        await expect(bytesOf(downloadStream(site.reading([AES]), { address }))).rejects.toThrow(
          IntegrityError,
        )
        site.store.tamper(address.key, flip)
      }
    }
  })

  test("in what reading depends on beside it", async () => {
    const site = await makeForeignSite()
    for (const [bytes, names] of [
      [100, ["encrypted-dek"]],
      [5 * MIB, ["encrypted-dek", "aes-iv", "hmac"]],
    ] as const) {
      await put(site, plaintextOf(bytes))
      const { info, body } = await site.store.get(address)
      const data = await bytesOf(body)
      for (const name of names) {
        const value = Buffer.from(info.metadata[`s3ep-${name}`] ?? "", "base64")
        value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
        const metadata = { ...info.metadata, [`s3ep-${name}`]: value.toString("base64") }
        await site.store.put(address, data, { settings: { metadata } })
        await expect(bytesOf(downloadStream(site.reading([AES]), { address }))).rejects.toThrow(
          IntegrityError,
        )
      }
    }
  })
})

describe("it does not write", () => {
  test.each(["a b", "/a", "a//b", "a/./b", "../a", "a/.."])(
    "under the key %j, which the proxy cannot serve",
    async (key) => {
      const site = await makeForeignSite()
      const path = join(site.directory, "source")
      await writeFile(path, "x")
      const request = { path, address: { bucket: "vault", key }, settings }
      await expect(uploadForProxy(site.reading([]), request, { key: AES, prefix: "s3ep-" })).rejects.toThrow(
        UsageError,
      )
    },
  )

  test("what changed between its two passes", async () => {
    const site = await makeForeignSite()
    const path = join(site.directory, "source")
    await writeFile(path, plaintextOf(6 * MIB))
    // The first pass ends with the HMAC, which nothing shows but the request that takes it.
    const putStream: ObjectStore["putStream"] = async (...given) => {
      await appendFile(path, "more")
      return site.store.putStream(...given)
    }
    const store = { ...faulty(site.store, { moment: "before", call: 0 }), putStream }
    const request = { path, address, settings }
    await expect(
      uploadForProxy({ ...site.reading([]), store }, request, { key: AES, prefix: "s3ep-" }),
    ).rejects.toThrow(PreconditionError)
    await expect(site.store.head(address)).rejects.toThrow("no such")
  })

  test("metadata under the proxy's own prefix, or more than the service keeps", async () => {
    const site = await makeForeignSite()
    const path = join(site.directory, "source")
    await writeFile(path, "x")
    for (const metadata of [{ "enc-x": "1" }, { long: "x".repeat(3000) }]) {
      const request = { path, address, settings: { metadata } }
      await expect(uploadForProxy(site.reading([]), request, { key: AES, prefix: "enc-" })).rejects.toThrow(
        UsageError,
      )
    }
  })
})

test("an answer that got lost is settled by looking", async () => {
  for (const bytes of [100, 5 * MIB]) {
    const site = await makeForeignSite()
    const lost = faulty(site.store, { moment: "after", operation: bytes === 100 ? "put" : "putStream" })
    const { etag } = await put(site, plaintextOf(bytes), AES, lost)
    expect(etag).toBe((await site.store.head(address)).etag)
  }
})

test("how the stored bytes are sliced never changes what is read", async () => {
  for (const sliceBytes of [1, 13, 4096]) {
    const site = await makeForeignSite({ sliceBytes })
    await put(site, plaintextOf(3001))
    const read = await bytesOf(downloadStream(site.reading([AES]), { address }))
    expect(read.equals(plaintextOf(3001))).toBe(true)
  }
})

test("the counter carries from any place of the keystream", () => {
  const iv = Buffer.alloc(16, 0xff)
  const whole = new CtrStream(SECRET, iv).update(new Uint8Array(200))
  for (const offset of [0, 1, 15, 16, 17, 100]) {
    expect(new CtrStream(SECRET, iv, offset).update(new Uint8Array(20))).toEqual(
      whole.subarray(offset, offset + 20),
    )
  }
})
