import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { base64url, concat, utf8 } from "../../../src/bytes.ts"
import { encodeEnvelope, parseEnvelope } from "../../../src/envelope/codec.ts"
import type { Envelope } from "../../../src/envelope/envelope.ts"
import { IntegrityError } from "../../../src/errors.ts"
import { exposureOf } from "../../support/secrets.ts"

const recipient = { kek: "aes:00ff", alg: "HKDF-A256GCM", ct: "AAAA" }
const envelope: Envelope = { v: 2, fmt: "agcm2", bind: "key", recipients: [recipient], meta: "AAAA" }
const parse = (value: unknown) => parseEnvelope(utf8(JSON.stringify(value)))
const parseText = (text: string) => parseEnvelope(utf8(text))

test("members come in one order, recipients in theirs", () => {
  const shuffled: Envelope = {
    meta: "AAAA",
    recipients: [
      { p: 4, m: 65_536, ct: "BBBB", t: 3, s: "AAAA", alg: "Argon2id-A256GCM", kek: "passphrase:00" },
      recipient,
    ],
    bind: "none",
    fmt: "agcm2",
    v: 2,
  }
  const text =
    '{"v":2,"fmt":"agcm2","bind":"none","recipients":' +
    '[{"kek":"passphrase:00","alg":"Argon2id-A256GCM","ct":"BBBB","m":65536,"p":4,"s":"AAAA","t":3},' +
    '{"kek":"aes:00ff","alg":"HKDF-A256GCM","ct":"AAAA"}],"meta":"AAAA"}'
  expect(encodeEnvelope(shuffled)).toBe(text)
  expect(parseText(text)).toEqual(shuffled)
  expect(encodeEnvelope(parseText(text))).toBe(text)
})

test("what was encoded is parsed", () => {
  const base64urls = fc.uint8Array({ minLength: 1, maxLength: 40 }).map(base64url)
  const names = fc.stringMatching(/^[a-z]{1,8}$/)
  const recipients = fc
    .tuple(
      fc.dictionary(names, fc.oneof(fc.string(), fc.integer())),
      fc.record({
        kek: fc.stringMatching(/^[a-z]{1,9}:[!-~]{1,40}$/),
        alg: fc.stringMatching(/^[!-~]{1,20}$/),
        ct: base64urls,
      }),
    )
    .map(([others, members]) => ({ ...others, ...members }))
  const envelopes = fc.record(
    {
      v: fc.constant(2 as const),
      fmt: fc.constant("agcm2" as const),
      bind: fc.constantFrom("key" as const, "none" as const),
      recipients: fc.array(recipients, { minLength: 1, maxLength: 5 }),
      meta: base64urls,
    },
    { requiredKeys: ["v", "fmt", "bind", "recipients"] },
  )
  fc.assert(
    fc.property(envelopes, (any) => {
      expect(parseText(encodeEnvelope(any))).toEqual(any)
    }),
  )
})

describe("tolerated", () => {
  test("members nobody knows are left out", () => {
    expect(parse({ ...envelope, later: { deep: [1] } })).toEqual(envelope)
  })

  test("recipients of unknown kinds are kept whole", () => {
    const later = { kek: "tpm:slot/3", alg: "TPM2", ct: "AAAA", policy: "x", level: -1.5 }
    expect(parse({ ...envelope, recipients: [later, recipient] }).recipients).toEqual([later, recipient])
  })

  test("one KEK twice", () => {
    expect(parse({ ...envelope, recipients: [recipient, recipient] }).recipients).toHaveLength(2)
  })

  test("a thousand recipients", () => {
    const short = { kek: "a:", alg: "x", ct: "AA" }
    const recipients = Array.from({ length: 1000 }, () => short)
    expect(parse({ ...envelope, recipients }).recipients).toHaveLength(1000)
  })
})

describe("refused", () => {
  const withRecipient = (change: object) => ({ ...envelope, recipients: [{ ...recipient, ...change }] })

  test.each<[string, unknown]>([
    ["no object", []],
    ["null", null],
    ["text", "envelope"],
    ["a number", 2],
    ["version 1", { ...envelope, v: 1 }],
    ["a version in text", { ...envelope, v: "2" }],
    ["no version", { ...envelope, v: undefined }],
    ["another format", { ...envelope, fmt: "agcm1" }],
    ["no format", { ...envelope, fmt: undefined }],
    ["another binding", { ...envelope, bind: "bucket" }],
    ["a binding to a number", { ...envelope, bind: 0 }],
    ["no binding", { ...envelope, bind: undefined }],
    ["no recipients", { ...envelope, recipients: undefined }],
    ["an empty list of recipients", { ...envelope, recipients: [] }],
    ["recipients in an object", { ...envelope, recipients: { 0: recipient, length: 1 } }],
    [
      "1,001 recipients",
      { ...envelope, recipients: Array.from({ length: 1001 }, () => ({ kek: "a:", alg: "x", ct: "AA" })) },
    ],
    ["a recipient that is text", { ...envelope, recipients: ["aes:00ff"] }],
    ["a recipient that is null", { ...envelope, recipients: [null] }],
    ["a recipient that is a list", { ...envelope, recipients: [[recipient]] }],
    ["no KEK", withRecipient({ kek: undefined })],
    ["a KEK without a type", withRecipient({ kek: "00ff" })],
    ["a KEK that is a number", withRecipient({ kek: 5 })],
    ["a KEK that would move the cursor", withRecipient({ kek: "aes:\u001b[2J" })],
    ["a KEK with a space", withRecipient({ kek: "aes:00 ff" })],
    ["a KEK of 513 characters", withRecipient({ kek: `aes:${"0".repeat(509)}` })],
    ["no algorithm", withRecipient({ alg: undefined })],
    ["an empty algorithm", withRecipient({ alg: "" })],
    ["no wrapped DEK", withRecipient({ ct: undefined })],
    ["an empty wrapped DEK", withRecipient({ ct: "" })],
    ["a wrapped DEK with padding", withRecipient({ ct: "AA==" })],
    ["a wrapped DEK in base64", withRecipient({ ct: "++//" })],
    ["a wrapped DEK in another spelling", withRecipient({ ct: "AB" })],
    ["a member that is an object", withRecipient({ s: {} })],
    ["a member that is a list", withRecipient({ s: ["AAAA"] })],
    ["a member that is null", withRecipient({ s: null })],
    ["a member that is true", withRecipient({ s: true })],
    ["metadata that are an object", { ...envelope, meta: {} }],
    ["metadata that are null", { ...envelope, meta: null }],
    ["metadata in base64", { ...envelope, meta: "++//" }],
    ["empty metadata", { ...envelope, meta: "" }],
    ["more than 64 KiB", { ...envelope, later: "x".repeat(65_536) }],
  ])("%s", (_, value) => {
    expect(() => parse(value)).toThrow(IntegrityError)
  })

  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["something after it", `${JSON.stringify(envelope)}x`],
    ["a byte order mark", `\ufeff${JSON.stringify(envelope)}`],
    ["a number too large", JSON.stringify(withRecipient({ t: 1 })).replace('"t":1', '"t":1e999')],
    ["__proto__ in it", JSON.stringify(envelope).replace("{", '{"__proto__":{"v":2},')],
    ["__proto__ in a recipient", JSON.stringify(envelope).replace('{"kek"', '{"__proto__":"x","kek"')],
    ["30,000 lists in each other", "[".repeat(30_000) + "]".repeat(30_000)],
    ["30,000 objects in each other", `${'{"v":'.repeat(10_000)}2${"}".repeat(10_000)}`],
  ])("%s", (_, text) => {
    expect(() => parseText(text)).toThrow(IntegrityError)
  })

  test("text that is not UTF-8", () => {
    const json = utf8(JSON.stringify(withRecipient({ s: "§" })))
    const broken = concat(json.subarray(0, json.indexOf(0xc2)), json.subarray(json.indexOf(0xc2) + 1))
    expect(() => parseEnvelope(broken)).toThrow(IntegrityError)
  })

  test("a later version, with the way out", () => {
    expect(() => parse({ ...envelope, v: 3 })).toThrow(
      expect.objectContaining({
        code: "S3EP_INTEGRITY",
        hint: "upgrade s3ep",
        message: expect.stringMatching(/version 3, newer/),
      }),
    )
  })

  test("anything at all, with nothing but an IntegrityError that quotes none of it", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        let error: unknown
        try {
          parseText(text)
        } catch (thrown) {
          error = thrown
        }
        expect(error).toBeInstanceOf(IntegrityError)
      }),
    )
    const quoting = () => parseText('{"v":2,"secret-looking":sixteen')
    expect(quoting).toThrow(IntegrityError)
    try {
      quoting()
    } catch (error) {
      expect(exposureOf(error)).not.toContain("secret-looking")
    }
  })

  test("any flipped bit of an encoded one is refused or leaves a sound envelope", () => {
    const json = utf8(encodeEnvelope(envelope))
    let sound = 0
    for (let bit = 0; bit < json.length * 8; bit++) {
      const copy = json.slice()
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      try {
        const parsed = parseEnvelope(copy)
        expect(parseText(encodeEnvelope(parsed))).toEqual(parsed)
        sound++
      } catch (error) {
        expect(error).toBeInstanceOf(IntegrityError)
      }
    }
    expect(sound).toBeLessThan(json.length * 8)
  })
})

test("what JSON says of members does not reach the prototype", () => {
  const parsed = parseText(
    JSON.stringify(envelope).replace('{"kek"', '{"constructor":"x","toString":1,"kek"'),
  )
  expect(Object.getPrototypeOf(parsed.recipients[0])).toBe(Object.prototype)
  expect(parsed.recipients[0]?.["constructor"]).toBe("x")
})
