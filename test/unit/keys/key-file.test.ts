import fc from "fast-check"
import { expect, test } from "vitest"
import { utf8 } from "../../../src/bytes.ts"
import { bodyOf, encodeKeyFile, type KeyFacts, readKeyFacts } from "../../../src/keys/key-file.ts"

const facts: fc.Arbitrary<KeyFacts & { id: string }> = fc.record({
  id: fc.stringMatching(/^(?:aes|rsa|age|kms):[!-~]{1,80}$/),
  created: fc.option(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("2100-01-01") }), {
    nil: undefined,
  }),
  state: fc.constantFrom("active", "retired", "revoked"),
  place: fc.constantFrom("file", "protected", "keychain"),
  writesOnly: fc.boolean(),
  publicLine: fc.option(fc.stringMatching(/^age1[a-z0-9]{4,60}$/), { nil: undefined }),
})
const body = fc
  .array(fc.stringMatching(/^[A-Za-z0-9+/={}":-]{0,80}$/))
  .map((lines) => lines.map((line) => `${line}\n`).join(""))

test("a key file says of its key what was written, and holds what was put into it", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/),
      facts,
      body,
      (name, facts, text) => {
        const content = encodeKeyFile(name, facts, utf8(text))
        expect(readKeyFacts(content)).toEqual(facts)
        expect(bodyOf(content)).toEqual(utf8(text))
      },
    ),
  )
})

test("any bytes are read, as a file that says nothing at worst", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (content) => {
      expect(readKeyFacts(content)).toMatchObject({ state: "active", place: "file", writesOnly: false })
      expect(bodyOf(content).length).toBeLessThanOrEqual(content.length)
    }),
  )
})

test("of two states the stricter one holds", () => {
  expect(readKeyFacts(utf8("# revoked\n# retired\n")).state).toBe("revoked")
  expect(readKeyFacts(utf8("# retired\n# revoked\n")).state).toBe("revoked")
})
