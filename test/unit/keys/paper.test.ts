import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { utf8 } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { KeyMissingError } from "../../../src/errors.ts"
import { paper } from "../../../src/keys/import/paper.ts"
import { decodePaper, encodePaper, isPaperLine, paperCode } from "../../../src/keys/paper.ts"
import { keyOfSheet, renderSheet } from "../../../src/keys/sheet.ts"
import { exposureOf, secretOf } from "../../support/secrets.ts"

const lines = encodePaper({ tag: 1, bytes: secretOf(1) })
const text = lines.join("\n")
const decode = (typed: string) => decodePaper(utf8(typed))

test("the lines of a sheet are as the format says, and stay readable", () => {
  expect(lines).toHaveLength(4)
  for (const line of lines) expect(line).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4} ){4}[0-9A-HJKMNP-TV-Z]$/)
  expect(lines).toMatchInlineSnapshot(`
    [
      "06ZC BK6K VBGY HVZP 0",
      "ZM20 P4GS 40KJ WD9W Q",
      "8D55 2P2Z CSPQ 8YW2 K",
      "H689 FH0R 29KK CZ0T 4",
    ]
  `)
})

test("any key comes back as it was", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(255), (key, tag) => {
      const sheet = encodePaper({ tag, bytes: new SecretBytes(new Uint8Array(key)) }).join("\n")
      const packed = decode(sheet)
      expect([packed?.tag, packed?.bytes.bytes]).toEqual([tag, key])
    }),
  )
})

test.each<[string, (text: string) => string]>([
  ["small letters", (text) => text.toLowerCase()],
  ["no spaces", (text) => text.replaceAll(" ", "")],
  ["hyphens", (text) => text.replaceAll(" ", "-")],
  ["one line", (text) => text.replaceAll("\n", " ")],
  ["O for 0", (text) => text.replaceAll("0", "O").replaceAll("O", "o")],
  ["I and l for 1", (text) => text.replace("1", "I").replaceAll("1", "l")],
  ["blank lines and comments", (text) => `# from the safe\n\n${text.replaceAll("\n", "\r\n\r\n")}\n`],
  ["what the code says", () => paperCode(lines)],
])("it is read back with %s", (_how, change) => {
  expect(decode(change(text))?.bytes.bytes).toEqual(secretOf(1).bytes)
})

test("any symbol mistyped is noticed, and most often in its line", () => {
  const symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
  const at = fc.nat(text.length - 1).filter((at) => /\S/.test(text.charAt(at)))
  let told = 0
  let runs = 0
  fc.assert(
    fc.property(at, fc.constantFrom(...symbols), (at, symbol) => {
      fc.pre(text.charAt(at) !== symbol)
      const mistyped = `${text.slice(0, at)}${symbol}${text.slice(at + 1)}`
      const line = text.slice(0, at).split("\n").length
      runs++
      try {
        decode(mistyped)
        expect.fail("it was not noticed")
      } catch (error) {
        expect(error).toBeInstanceOf(KeyMissingError)
        expect(exposureOf(error)).not.toContain(mistyped.split("\n")[line - 1])
        if (error instanceof Error && error.message === `line ${line} of the recovery sheet is mistyped`)
          told++
      }
    }),
    { numRuns: 300 },
  )
  expect(told / runs).toBeGreaterThan(0.85)
})

test.each<[string, string]>([
  ["a symbol missing", text.replace(/(.*\n.{7})./, "$1")],
  ["a symbol too many", text.replace(/(.*\n.{7})/, "$1A")],
  ["a symbol that does not exist", text.replace(/(.*\n.{7})./, "$1U")],
])("with %s, the line is named", (_what, typed) => {
  expect(() => decode(typed)).toThrow("line 2 of the recovery sheet is mistyped")
})

test("lines that changed places are noticed", () => {
  const [first = "", second = "", ...rest] = lines
  expect(() => decode([second, first, ...rest].join("\n"))).toThrow("line 1")
})

test("lines of two sheets do not make one", () => {
  const other = encodePaper({ tag: 1, bytes: secretOf(2) })
  const mixed = [...lines.slice(0, 2), ...other.slice(2)].join("\n")
  expect(() => decode(mixed)).toThrow("do not belong together")
})

test("a line is checked on its own, in its own place", () => {
  expect(lines.map((line, index) => isPaperLine(utf8(line.toLowerCase()), index))).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(isPaperLine(utf8(lines[0] ?? ""), 1)).toBe(false)
  expect(isPaperLine(utf8(""), 0)).toBe(false)
  expect(isPaperLine(Uint8Array.of(0xff, 0x00), 0)).toBe(false)
})

test.each(["", "hello", "a\nb\nc\nd", "c/zRQfFScAvLD9N4vIzODSKvP+wVS2WETaWzVSB9Wdk="])(
  "%j is no sheet",
  (other) => {
    expect(decode(other)).toBeNull()
  },
)

describe("the sheet", () => {
  const html = renderSheet({ name: "default", id: "aes:00", created: new Date("2026-03-01") }, lines)

  test("holds the key as text and as a code, loads nothing and runs nothing", () => {
    for (const line of lines) expect(html).toContain(line)
    expect(html).toMatch(/<svg [^>]*>.*<path/)
    expect(html).toContain("2026-03-01")
    expect(html).not.toMatch(/<script|src=|href=|url\(|@import/)
  })

  test("is read back as a file", async () => {
    expect(keyOfSheet(html)?.trim()).toBe(text)
    expect(keyOfSheet("<p>")).toBeNull()
    const [key] = (await paper(utf8(html), { origin: "it" })) ?? []
    expect(key?.material.id).toMatch(/^aes:/)
  })

  test("of a kind that nobody knows is refused", async () => {
    const foreign = encodePaper({ tag: 99, bytes: secretOf(1) }).join("\n")
    await expect(paper(utf8(foreign), { origin: "it" })).rejects.toThrow("does not know")
  })
})
