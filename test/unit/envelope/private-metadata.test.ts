import { createDecipheriv, hkdfSync } from "node:crypto"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { base64url, concat, fromBase64url, utf8 } from "../../../src/bytes.ts"
import { aeadSeal } from "../../../src/crypto/aead.ts"
import { hkdfSha512 } from "../../../src/crypto/kdf.ts"
import { createEnvelope, openPrivateMetadata, type PrivateMetadata } from "../../../src/envelope/envelope.ts"
import { formatMtime, parseMtime } from "../../../src/envelope/private-metadata.ts"
import { IntegrityError } from "../../../src/errors.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import { countingRandom, secretOf } from "../../support/secrets.ts"

const dek = secretOf(1)
const all: PrivateMetadata = {
  name: "ünï 🎒.tar",
  size: 2 ** 45,
  mtime: "2026-03-01T12:00:00.123456789Z",
  mode: 0o644,
  type: "application/x-tar",
}

async function metaOf(privateMetadata: PrivateMetadata): Promise<string> {
  const writers = [aesKek(secretOf(2), "a")]
  const request = { dek, bind: "key" as const, objectKey: "a", writers, privateMetadata }
  const { meta = "" } = await createEnvelope({ ...request, random: countingRandom() })
  return meta
}

function sealedJson(json: string | Uint8Array): string {
  const key = hkdfSha512(dek.bytes, new Uint8Array(0), utf8("s3ep AGCM v2 metadata"), 32)
  const nonce = new Uint8Array(12)
  return base64url(concat(nonce, aeadSeal(key.bytes, nonce, typeof json === "string" ? utf8(json) : json)))
}

test("are sealed as the format says", async () => {
  const sealed = fromBase64url(await metaOf(all)) ?? new Uint8Array()
  const key = hkdfSync("sha512", dek.bytes, "", "s3ep AGCM v2 metadata", 32)
  const decipher = createDecipheriv("aes-256-gcm", new Uint8Array(key), sealed.subarray(0, 12))
  decipher.setAuthTag(sealed.subarray(-16))
  const json = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
  expect(JSON.parse(json.toString("utf8"))).toEqual(all)
})

test.each<PrivateMetadata>([all, {}, { name: "" }, { size: 0 }, { mode: 0 }, { mode: 0o7777 }])(
  "%j come back",
  async (metadata) => {
    expect(openPrivateMetadata({ meta: await metaOf(metadata) }, dek)).toEqual(metadata)
  },
)

test("are absent where none were given", async () => {
  const writers = [aesKek(secretOf(2), "a")]
  const envelope = await createEnvelope({
    dek,
    bind: "none",
    objectKey: "",
    writers,
    random: countingRandom(),
  })
  expect(envelope).not.toHaveProperty("meta")
  expect(openPrivateMetadata(envelope, dek)).toBeNull()
})

test("any flipped bit, any cut, another DEK: refused", async () => {
  const sealed = fromBase64url(await metaOf({ name: "a" })) ?? new Uint8Array()
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const copy = sealed.slice()
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    expect(() => openPrivateMetadata({ meta: base64url(copy) }, dek)).toThrow(IntegrityError)
  }
  for (let length = 0; length < sealed.length; length++) {
    expect(() => openPrivateMetadata({ meta: base64url(sealed.slice(0, length)) }, dek)).toThrow(
      IntegrityError,
    )
  }
  expect(() => openPrivateMetadata({ meta: base64url(sealed) }, secretOf(3))).toThrow(IntegrityError)
  expect(() => openPrivateMetadata({ meta: "§" }, dek)).toThrow(IntegrityError)
})

describe("once open", () => {
  test("members of a later version are left out", () => {
    expect(openPrivateMetadata({ meta: sealedJson('{"name":"a","xattr":{"b":[1]}}') }, dek)).toEqual({
      name: "a",
    })
  })

  test.each([
    "null",
    "[]",
    '"a"',
    "{",
    "",
    '{"name":1}',
    '{"name":null}',
    '{"size":-1}',
    '{"size":1.5}',
    '{"size":"1"}',
    '{"size":9007199254740992}',
    '{"mtime":0}',
    '{"mtime":"yesterday"}',
    '{"mode":-1}',
    '{"mode":4096}',
    '{"mode":"644"}',
    '{"type":[]}',
  ])("%s is refused", (json) => {
    expect(() => openPrivateMetadata({ meta: sealedJson(json) }, dek)).toThrow(IntegrityError)
  })

  test("text that is no UTF-8 is refused", () => {
    const json = concat(utf8('{"name":"'), new Uint8Array([0xff]), utf8('"}'))
    expect(() => openPrivateMetadata({ meta: sealedJson(json) }, dek)).toThrow(IntegrityError)
  })
})

describe("times", () => {
  test.each([
    [0n, "1970-01-01T00:00:00.000000000Z"],
    [1n, "1970-01-01T00:00:00.000000001Z"],
    [-1n, "1969-12-31T23:59:59.999999999Z"],
    [1_772_366_400_123_456_789n, "2026-03-01T12:00:00.123456789Z"],
    [253_402_300_799_999_999_999n, "9999-12-31T23:59:59.999999999Z"],
    [-62_167_219_200_000_000_000n, "0000-01-01T00:00:00.000000000Z"],
  ])("%i ns is %s", (mtimeNs, mtime) => {
    expect(formatMtime(mtimeNs)).toBe(mtime)
    expect(parseMtime(mtime)).toBe(mtimeNs)
  })

  test.each([253_402_300_800_000_000_000n, -62_167_219_200_000_000_001n, 10n ** 30n, -(10n ** 30n)])(
    "%i ns has none",
    (mtimeNs) => {
      expect(formatMtime(mtimeNs)).toBeUndefined()
    },
  )

  test.each([
    ["2026-03-01T12:00:00Z", 1_772_366_400_000_000_000n],
    ["2026-03-01T12:00:00.5Z", 1_772_366_400_500_000_000n],
    ["2026-02-31T12:00:00Z", null],
    ["2026-03-01T24:00:00Z", null],
    ["2026-03-01T12:00:60Z", null],
    ["2026-03-01T12:00:00", null],
    ["2026-03-01T12:00:00+01:00", null],
    ["2026-03-01T12:00:00.1234567890Z", null],
    ["2026-03-01", null],
    ["", null],
  ])("%j is read as %s", (mtime, mtimeNs) => {
    expect(parseMtime(mtime)).toBe(mtimeNs)
  })

  test("written are read", () => {
    const limit = 253_402_300_799_999_999_999n
    fc.assert(
      fc.property(fc.bigInt({ min: -62_167_219_200_000_000_000n, max: limit }), (mtimeNs) => {
        expect(parseMtime(formatMtime(mtimeNs) ?? "")).toBe(mtimeNs)
      }),
    )
  })
})
