import { describe, expect, test } from "vitest"
import { base64, concat, hex, utf8 } from "../../../src/bytes.ts"
import { KeyMissingError } from "../../../src/errors.ts"
import { parseKeyBase64, parseKeyBytes, withoutLineEnding } from "../../../src/keys/text.ts"
import { exposureOf, secretOf, secretText, spellingsOf } from "../../support/secrets.ts"

const key = secretOf(1).bytes

describe("a key is", () => {
  test.each<[string, Uint8Array]>([
    ["32 raw bytes", key],
    ["32 raw bytes that look like text", utf8("#an0ther line of exactly 32 byte")],
    ["hex", utf8(hex(key))],
    ["hex in capitals", utf8(hex(key).toUpperCase())],
    ["hex and a line ending", utf8(`${hex(key)}\n`)],
    ["base64", utf8(base64(key))],
    ["base64 with a Windows line ending", utf8(`${base64(key)}\r\n`)],
    ["base64 among blank lines and comments", utf8(`# s3ep key x\n\n  # more\n\t${base64(key)}  \n\n# end`)],
  ])("%s", (_, bytes) => {
    const expected = bytes.length === 32 ? bytes : key
    expect(parseKeyBytes(bytes, "it").bytes).toEqual(expected)
  })

  test("in memory of its own", () => {
    const bytes = key.slice()
    const parsed = parseKeyBytes(bytes, "it")
    bytes.fill(0)
    expect(parsed.bytes).toEqual(key)
  })
})

const wrong: [string, Uint8Array][] = [
  ["nothing", utf8("")],
  ["a comment", utf8("# nothing but this comment, longer than a key is")],
  ["31 raw bytes", key.slice(1)],
  ["raw bytes and a line ending", concat(key, utf8("\n"))],
  ["hex of 31 bytes", utf8(hex(key.slice(1)))],
  ["hex of 33 bytes", utf8(`${hex(key)}00`)],
  ["hex with a wrong digit", utf8(`${hex(key).slice(0, 63)}g`)],
  ["base64 of 31 bytes", utf8(base64(key.slice(1)))],
  ["base64 of 33 bytes", utf8(base64(concat(key, key.slice(0, 1))))],
  ["base64 without padding", utf8(base64(key).slice(0, -1))],
  ["base64 not in its canonical spelling", utf8(base64(key).replace(/.=$/, "B="))],
  ["base64 cut by a space", utf8(`${base64(key).slice(0, 20)} ${base64(key).slice(20)}`)],
  ["two keys", utf8(`${base64(key)}\n${base64(key)}\n`)],
  ["base64 in UTF-16", new Uint8Array(Buffer.from(base64(key), "utf16le"))],
]

describe("a key is not", () => {
  test.each(wrong)("%s, and the error shows none of it", (_, bytes) => {
    const error = thrownBy(() => parseKeyBytes(bytes, "the key file x"))
    expect(error).toBeInstanceOf(KeyMissingError)
    expect(error).toHaveProperty("message", expect.stringContaining("the key file x"))
    const exposure = exposureOf(error)
    for (const spelling of [...spellingsOf(key), new TextDecoder().decode(bytes).slice(0, 12)]) {
      if (spelling !== "") expect(exposure).not.toContain(spelling)
    }
  })
})

describe("a key in the environment", () => {
  test("is base64, white space around it allowed", () => {
    expect(parseKeyBase64(` ${base64(key)}\n`, "S3EP_KEK").bytes).toEqual(key)
  })

  test.each(["", "x", hex(key), base64(key.slice(1)), `${base64(key)}!`, base64(key).slice(0, 43)])(
    "is not %j, and the error does not repeat it",
    (text) => {
      const error = thrownBy(() => parseKeyBase64(text, "S3EP_KEK"))
      expect(error).toBeInstanceOf(KeyMissingError)
      const exposure = exposureOf(error)
      expect(exposure).toContain("S3EP_KEK is not a key")
      if (text.length > 1) expect(exposure).not.toContain(text.slice(0, 12))
    },
  )
})

test.each([
  ["horse\n", "horse"],
  ["horse\r\n", "horse"],
  ["horse", "horse"],
  ["horse\n\n", "horse\n"],
  [" horse \n", " horse "],
  ["horse\r", "horse\r"],
  ["\n", ""],
  ["", ""],
])("of the passphrase %j remains %j", (text, expected) => {
  const secret = secretText(text)
  const { bytes } = secret
  expect(withoutLineEnding(secret).bytes).toEqual(utf8(expected))
  expect(bytes).toEqual(new Uint8Array(bytes.length))
})

function thrownBy(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}
