import { describe, expect, test } from "vitest"
import { base64url, utf8 } from "../../../src/bytes.ts"
import { encodeEnvelope } from "../../../src/envelope/codec.ts"
import type { Envelope } from "../../../src/envelope/envelope.ts"
import { fromUserMetadata, toUserMetadata } from "../../../src/envelope/metadata.ts"
import { IntegrityError, UsageError } from "../../../src/errors.ts"

const aws = { maxMetadataBytes: 2048, maxMetadataValueBytes: 2048 }
const ct = base64url(new Uint8Array(80).fill(1))
const envelopeOf = (recipients: number): Envelope => ({
  v: 2,
  fmt: "agcm2",
  bind: "key",
  recipients: Array.from({ length: recipients }, (_, index) => ({
    kek: `aes:${index.toString(16).padStart(32, "0")}`,
    alg: "HKDF-A256GCM",
    ct,
  })),
})
const sizeOf = (metadata: Record<string, string>) =>
  Object.entries(metadata).reduce((bytes, [name, value]) => bytes + name.length + value.length, 0)

describe("written", () => {
  test("in pieces of 240 characters, with format and KEKs", () => {
    const envelope = envelopeOf(2)
    const encoded = base64url(utf8(encodeEnvelope(envelope)))
    expect(encoded.length).toBeGreaterThan(480)
    expect(toUserMetadata(envelope, aws)).toEqual({
      "s3ep-format": "agcm2",
      "s3ep-envelope-0": encoded.slice(0, 240),
      "s3ep-envelope-1": encoded.slice(240, 480),
      "s3ep-envelope-2": encoded.slice(480),
      "s3ep-kek-fingerprint": `aes:${"0".repeat(32)},aes:${"0".repeat(31)}1`,
    })
  })

  test("with as many KEKs named as 240 characters hold", () => {
    const metadata = toUserMetadata(envelopeOf(7), { ...aws, maxMetadataBytes: 8192 })
    expect(metadata["s3ep-kek-fingerprint"]).toHaveLength(240)
    expect(Object.values(metadata).every((value) => value.length <= 240)).toBe(true)
  })

  test("in smaller pieces where a service takes no larger ones", () => {
    const metadata = toUserMetadata(envelopeOf(2), { ...aws, maxMetadataValueBytes: 100 })
    expect(Object.values(metadata).every((value) => value.length <= 100)).toBe(true)
    expect(fromUserMetadata(metadata)).toEqual(envelopeOf(2))
  })

  test("beside the user's own, in lower case", () => {
    const metadata = toUserMetadata(envelopeOf(1), aws, { Project: "Backup 2026", empty: "" })
    expect(metadata).toMatchObject({ project: "Backup 2026", empty: "", "s3ep-format": "agcm2" })
  })
})

describe("refused before anything is uploaded", () => {
  test("one byte more than the service takes: says how many, of what, and the way out", () => {
    const own = { note: "" }
    const left = 2048 - sizeOf(toUserMetadata(envelopeOf(2), aws, own))
    const fitting = toUserMetadata(envelopeOf(2), aws, { note: "x".repeat(left) })
    expect(sizeOf(fitting)).toBe(2048)
    const envelopeBytes = sizeOf(toUserMetadata(envelopeOf(2), aws))
    expect(() => toUserMetadata(envelopeOf(2), aws, { note: "x".repeat(left + 1) })).toThrow(
      expect.objectContaining({
        code: "S3EP_USAGE",
        message:
          "the object's metadata need 2049 bytes and the service takes 2048:" +
          ` ${envelopeBytes} for the envelope with 2 recipients, ${2049 - envelopeBytes} of your own`,
        hint: "give less metadata of your own, or wrap to a keyring instead of to many KEKs: `s3ep keyring init`",
      }),
    )
  })

  test("more recipients than fit", () => {
    const most = Array.from({ length: 20 }, (_, index) => index + 1).findLast((recipients) => {
      try {
        return fromUserMetadata(toUserMetadata(envelopeOf(recipients), aws)) !== null
      } catch {
        return false
      }
    })
    expect(most).toBe(6)
    expect(() => toUserMetadata(envelopeOf(7), aws)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("with 7 recipients, 0 of your own"),
        hint: "wrap to fewer KEKs (`--kek`), or to a keyring, which has room: `s3ep keyring init`",
      }),
    )
  })

  test.each<[string, Record<string, string>]>([
    ["a reserved name", { "s3ep-format": "x" }],
    ["a reserved name in capitals", { "S3EP-Anything": "x" }],
    ["a name with a space", { "a b": "x" }],
    ["a name with a colon", { "a:b": "x" }],
    ["an empty name", { "": "x" }],
    ["a name beyond ASCII", { ä: "x" }],
    ["a value beyond ASCII", { a: "ä" }],
    ["a value with a line ending", { a: "x\r\ny: z" }],
    ["one name in two cases", { a: "x", A: "y" }],
  ])("%s", (_, own) => {
    expect(() => toUserMetadata(envelopeOf(1), aws, own)).toThrow(UsageError)
  })

  test("a value longer than the service takes", () => {
    const limits = { ...aws, maxMetadataValueBytes: 256 }
    expect(toUserMetadata(envelopeOf(1), limits, { a: "x".repeat(256) })["a"]).toHaveLength(256)
    expect(() => toUserMetadata(envelopeOf(1), limits, { a: "x".repeat(257) })).toThrow(
      "metadata a has 257 bytes",
    )
  })
})

describe("read", () => {
  const metadata = toUserMetadata(envelopeOf(2), aws, { project: "x" })
  const without = (all: Record<string, string>, name: string) => {
    const { [name]: _, ...others } = all
    return others
  }

  test("whatever the case and order of names", () => {
    const shouted = Object.entries(metadata).map(([name, value]) => [name.toUpperCase(), value])
    expect(fromUserMetadata(Object.fromEntries(shouted.reverse()))).toEqual(envelopeOf(2))
  })

  test("without the KEKs' names, which are for people", () => {
    expect(fromUserMetadata(without(metadata, "s3ep-kek-fingerprint"))).toEqual(envelopeOf(2))
  })

  test.each<Record<string, string>>([{}, { project: "x" }, { "s3ep-kek-fingerprint": "aes:00" }])(
    "%j is not s3ep's",
    (others) => {
      expect(fromUserMetadata(others)).toBeNull()
    },
  )

  test.each<[string, Record<string, string>]>([
    ["no format", without(metadata, "s3ep-format")],
    ["another format", { ...metadata, "s3ep-format": "agcm3" }],
    ["no pieces", { "s3ep-format": "agcm2" }],
    ["no first piece", without(metadata, "s3ep-envelope-0")],
    ["no piece in the middle", without(metadata, "s3ep-envelope-1")],
    ["no last piece", without(metadata, "s3ep-envelope-2")],
    ["a piece too many", { ...metadata, "s3ep-envelope-3": "AAAA" }],
    ["a piece far off", { ...metadata, "s3ep-envelope-9": "AAAA" }],
    ["a piece with a leading zero", { ...metadata, "s3ep-envelope-03": "AAAA" }],
    ["a piece without a number", { ...metadata, "s3ep-envelope-": "AAAA" }],
    ["a piece twice", { ...metadata, "S3EP-Envelope-0": metadata["s3ep-envelope-0"] ?? "" }],
    ["an empty piece in the place of one", { ...metadata, "s3ep-envelope-1": "" }],
    ["a piece cut", { ...metadata, "s3ep-envelope-2": metadata["s3ep-envelope-2"]?.slice(1) ?? "" }],
    ["a piece with white space", { ...metadata, "s3ep-envelope-0": ` ${metadata["s3ep-envelope-0"]}` }],
    ["two pieces swapped", swapped(metadata)],
    ["pieces in base64", { "s3ep-format": "agcm2", "s3ep-envelope-0": "eyJ2IjoyfQ==" }],
    ["an empty envelope", { "s3ep-format": "agcm2", "s3ep-envelope-0": "" }],
    ["more pieces than anybody writes", manyPieces(1025)],
    ["pieces that make more than 64 KiB", manyPieces(1024)],
  ])("%s: refused", (_, others) => {
    expect(() => fromUserMetadata(others)).toThrow(IntegrityError)
  })
})

function swapped(metadata: Record<string, string>): Record<string, string> {
  const { "s3ep-envelope-0": first = "", "s3ep-envelope-1": second = "" } = metadata
  return { ...metadata, "s3ep-envelope-0": second, "s3ep-envelope-1": first }
}

function manyPieces(count: number): Record<string, string> {
  const pieces = Array.from({ length: count }, (_, piece) => [`s3ep-envelope-${piece}`, "A".repeat(240)])
  return { "s3ep-format": "agcm2", ...Object.fromEntries(pieces) }
}
