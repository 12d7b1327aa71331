import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { looksFramed, NotFramedError, unframe } from "../../../src/compat/aws-chunked.ts"
import type { Found } from "../../../src/compat/format.ts"
import { S3EncryptionProxyFormat } from "../../../src/compat/s3-encryption-proxy.ts"
import { proxyFingerprint } from "../../../src/compat/s3-encryption-proxy-keys.ts"
import { readProxyMetadata } from "../../../src/compat/s3-encryption-proxy-metadata.ts"
import { proxyAesKey, proxyRsaKey } from "../../../src/compat/s3-encryption-proxy-providers.ts"
import { CtrStream } from "../../../src/crypto/ctr.ts"
import type { RawKey } from "../../../src/crypto/raw-key.ts"
import { rsaPublicKey } from "../../../src/crypto/rsa.ts"
import { IntegrityError, KeyMissingError } from "../../../src/errors.ts"
import {
  proxyBody,
  proxyFingerprints,
  proxyKeysOf,
  proxyPlaintext,
  proxyVector,
} from "../../support/proxy-vectors.ts"

async function* slices(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function all(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const gathered: Uint8Array[] = []
  for await (const piece of pieces) gathered.push(piece)
  return Buffer.concat(gathered)
}

function formatWith(keys: readonly RawKey[]): S3EncryptionProxyFormat {
  return new S3EncryptionProxyFormat({
    keys: async function* () {
      yield* keys
    },
  })
}

describe("fingerprints", () => {
  const usable = proxyFingerprints.aes.filter(({ error }) => error === undefined)
  test.each(usable.map((aes) => [JSON.stringify(aes.configValue), aes] as const))(
    "of aes_key %s",
    (_, aes) => {
      expect(proxyFingerprint(proxyAesKey(aes.configValue, "a"))).toBe(aes.fingerprint)
    },
  )

  const refused = proxyFingerprints.aes.filter(({ error }) => error !== undefined)
  test.each(refused.map(({ configValue }) => configValue))("aes_key %s is refused", (configValue) => {
    expect(() => proxyAesKey(configValue, "a")).toThrow(KeyMissingError)
    expect(() => proxyAesKey(configValue, "a")).not.toThrow(configValue)
  })

  test.each(proxyFingerprints.rsa.map((rsa) => [rsa.name, rsa] as const))(
    "of %s, in both spellings",
    (_, rsa) => {
      for (const pem of [rsa.publicKeyPem, rsa.publicKeyPkcs1Pem]) {
        const publicKey = rsaPublicKey(pem) ?? expect.fail("no key")
        const key = { type: "rsa", name: "r", publicKey, privateKey: null } as const
        expect(proxyFingerprint(key)).toBe(rsa.fingerprint)
      }
    },
  )

  test("RSA keys that do not belong together, or are none, are refused", () => {
    const [a, b] = [proxyVector("rsa-gcm-off-0"), proxyVector("rsa3072-gcm-off-1000")].map(({ kek }) => kek)
    const [publicPem, otherPrivate] = [a?.publicKeyPem ?? "", b?.privateKeyPem ?? ""]
    expect(() => proxyRsaKey(publicPem, otherPrivate, "r")).toThrow("do not match")
    expect(() => proxyRsaKey("nothing", otherPrivate, "r")).toThrow(KeyMissingError)
    expect(() => proxyRsaKey(publicPem, publicPem, "r")).toThrow(KeyMissingError)
  })
})

describe("recognition", () => {
  const { metadata } = proxyVector("aes-gcm-off-1").object
  const renamed = (prefix: string) =>
    Object.fromEntries(
      Object.entries(metadata).map(([name, value]) => [name.replace(/^s3ep-/, prefix), value]),
    )

  test("finds any prefix, and none", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9-]{0,20}$/), (prefix) => {
        expect(readProxyMetadata(renamed(prefix))).toMatchObject({ prefix, cipher: "aes-gcm" })
      }),
    )
  })

  test("of two prefixes only with the right one at hand", () => {
    const both = { ...renamed("a-"), ...renamed("b-") }
    expect(() => readProxyMetadata(both)).toThrow(IntegrityError)
    expect(readProxyMetadata(both, "b-")).toMatchObject({ prefix: "b-" })
  })

  test("is not fooled by what others write", () => {
    for (const others of [{}, { hmac: "x" }, { "my-kek-fingerprint": "x" }, { "encrypted-dek": "x" }]) {
      expect(readProxyMetadata(others)).toBeNull()
    }
    expect(() => readProxyMetadata({ "s3ep-encrypted-dek": "x" })).toThrow(IntegrityError)
  })

  test("whatever the metadata say, it is recognised, refused or not the proxy's", () => {
    const name = fc.constantFrom(...Object.keys(metadata), "s3ep-hmac")
    fc.assert(
      fc.property(fc.dictionary(name, fc.string()), fc.nat(100), (changes, bytes) => {
        const format = formatWith([])
        const found: Found = {
          objectKey: "k",
          metadata: { ...metadata, ...changes },
          bytes,
          parts: null,
          head: new Uint8Array(0),
        }
        try {
          expect(format.recognise(found)?.format).toBe("s3-encryption-proxy")
        } catch (error) {
          expect(error).toBeInstanceOf(IntegrityError)
        }
      }),
    )
  })
})

describe("bodies", () => {
  test.each(["aes-gcm-off-70001", "aes-ctr-strict-65541", "old-v2.1.1-aes-256-ctr"])(
    "%s, sliced anyhow",
    async (id) => {
      const vector = proxyVector(id)
      const format = new S3EncryptionProxyFormat({
        keys: async function* () {
          yield* proxyKeysOf(vector)
        },
      })
      const body = proxyBody(vector)
      const { metadata } = vector.object
      const found = {
        objectKey: vector.objectKey,
        metadata,
        bytes: body.length,
        parts: null,
        head: body.subarray(0, 80),
      }
      const reader = format.recognise(found) ?? expect.fail("not recognised")
      using open = await reader.open()
      for (const size of [7, 16, 1000, body.length]) {
        expect((await all(open.decrypt(slices(body, size)))).equals(proxyPlaintext(vector))).toBe(true)
      }
      if (!open.at) return
      for (const [start, end] of [
        [0, 1],
        [15, 17],
        [1000, 1999],
      ] as const) {
        const place = open.at.place({ start, end })
        const part = await all(open.at.decrypt(start, slices(body.subarray(place.start, place.end), 100)))
        expect(part.equals(proxyPlaintext(vector).subarray(start, end))).toBe(true)
      }
    },
  )

  test("of releases before 2.0.0 begin with their IV", async () => {
    const vector = proxyVector("old-v2.1.1-aes-256-ctr")
    const { "s3ep-aes-iv": iv = "", ...metadata } = vector.object.metadata
    const body = Buffer.concat([Buffer.from(iv, "base64"), proxyBody(vector)])
    const format = formatWith(proxyKeysOf(vector))
    const found = { objectKey: "k", metadata, bytes: body.length, parts: null, head: body.subarray(0, 80) }
    const reader = format.recognise(found) ?? expect.fail("not recognised")
    expect(reader).toMatchObject({ ranges: false, proof: "never", plaintextBytes: vector.plaintext?.size })
    using open = await reader.open()
    expect((await all(open.decrypt(slices(body, 5)))).equals(proxyPlaintext(vector))).toBe(true)
  })

  test("the counter of aes-ctr is 128 bits wide, wherever one begins", () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    fc.assert(
      fc.property(bytes(32), bytes(16), fc.nat(500), fc.nat(100), (key, iv, offset, length) => {
        const whole = new CtrStream(key, iv).update(new Uint8Array(offset + length))
        const part = new CtrStream(key, iv, offset).update(new Uint8Array(length))
        expect(Buffer.from(part).equals(whole.subarray(offset))).toBe(true)
      }),
    )
  })
})

describe("framing", () => {
  const SIGNATURE = `;chunk-signature=${"0a".repeat(32)}`
  const framed = (parts: readonly string[], signature = "", trailer = "") =>
    `${parts.map((part) => `${part.length.toString(16)}${signature}\r\n${part}\r\n`).join("")}0${signature}\r\n${trailer}\r\n`

  test("of a signed upload is taken away, sliced anyhow", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[ -~]{1,300}$/), { maxLength: 5 }),
        fc.integer({ min: 1, max: 50 }),
        async (parts, size) => {
          const bytes = Buffer.from(framed(parts, SIGNATURE))
          expect(looksFramed(bytes.subarray(0, 128))).toBe(true)
          expect((await all(unframe(slices(bytes, size)))).toString()).toBe(parts.join(""))
        },
      ),
    )
  })

  test("of the parts of a multipart upload is taken away one after the other", async () => {
    const bytes = Buffer.from(framed(["one"], SIGNATURE) + framed(["two", "three"], SIGNATURE))
    expect((await all(unframe(slices(bytes, 9)))).toString()).toBe("onetwothree")
  })

  test.each([
    ["crc32", "x-amz-checksum-crc32:NhCmhg=="],
    ["sha256", "x-amz-checksum-sha256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="],
    ["sha1", "x-amz-checksum-sha1:qvTGHdzF6KLavt4PO0gs2a6pQ00="],
  ])("with a checksum by %s behind it is taken away if that is right", async (_, trailer) => {
    const good = Buffer.from(framed(["hello"], "", `${trailer}\r\n`))
    expect((await all(unframe(slices(good, 4)))).toString()).toBe("hello")
    const bad = Buffer.from(framed(["hellO"], "", `${trailer}\r\n`))
    await expect(all(unframe(slices(bad, 4)))).rejects.toThrow(NotFramedError)
  })

  test.each([
    ["no checksum and no signature", framed(["hello"])],
    ["no end", "5\r\nhello\r\n"],
    ["a wrong length", "4\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"],
    ["something behind it", `${framed(["hello"], SIGNATURE)}more`],
    ["a trailer of something else", framed(["hello"], "", "content-type: x\r\n")],
  ])("with %s is no framing", async (_, text) => {
    await expect(all(unframe(slices(Buffer.from(text), 3)))).rejects.toThrow(NotFramedError)
  })
})
