import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type BodyFraming, bodyFraming } from "../../../../src/store/http/body-framing.ts"

/** What of the bytes is the body, what is behind it, and whether it ended. */
function read(framing: BodyFraming, bytes: Uint8Array, cuts: readonly number[] = []) {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  const pieces: Uint8Array[] = []
  let beyond = 0
  for (const [index, start] of [0, ...at].entries()) {
    const taken = framing.take(bytes.subarray(start, [...at, bytes.length][index]))
    pieces.push(...taken.pieces)
    beyond += taken.beyond
  }
  return { body: Buffer.concat(pieces).toString("latin1"), beyond, ended: framing.ended }
}

const latin1 = (text: string) => Buffer.from(text, "latin1")
const chunked = (text: string, cuts?: readonly number[]) => read(bodyFraming("chunked"), latin1(text), cuts)

test.each([
  ["abc", 3, { body: "abc", beyond: 0, ended: true }],
  ["abcd", 3, { body: "abc", beyond: 1, ended: true }],
  ["ab", 3, { body: "ab", beyond: 0, ended: false }],
  ["", 0, { body: "", beyond: 0, ended: true }],
  ["a", 0, { body: "", beyond: 1, ended: true }],
])("%j of %i bytes", (text, bytes, expected) => {
  expect(read(bodyFraming(bytes), latin1(text))).toEqual(expected)
})

test("until the connection ends", () => {
  const framing = bodyFraming("until-close")
  expect(read(framing, latin1("abc"))).toEqual({ body: "abc", beyond: 0, ended: false })
  expect(framing.close()).toBe(true)
  expect(bodyFraming(3).close()).toBe(false)
  expect(bodyFraming("chunked").close()).toBe(false)
})

describe("chunked", () => {
  test.each([
    ["0\r\n\r\n", "", 0],
    ["3\r\nabc\r\n0\r\n\r\n", "abc", 0],
    ["3;name=value\r\nabc\r\n00000\r\n\r\n", "abc", 0],
    ["A\r\n0123456789\r\n1\r\nx\r\n0\r\nTrailer: a\r\n\r\nrest", "0123456789x", 4],
  ])("%j", (text, body, beyond) => {
    expect(chunked(text)).toEqual({ body, beyond, ended: true })
  })

  test.each([
    "g\r\n",
    "\r\n",
    "-1\r\n",
    "0x3\r\nabc",
    "3 \r\nabc",
    "3\nabc\r\n",
    "3\r\nabcd\r\n",
    "3\r\nabc\n0\r\n\r\n",
    "fffffffffffff\r\n",
    `3;${"x".repeat(300)}\r\n`,
    "0\r\nno colon\r\n\r\n",
    `0\r\n${`a: ${"b".repeat(1000)}\r\n`.repeat(40)}\r\n`,
    "1".repeat(300),
  ])("refused: %j", (text) => {
    expect(() => chunked(text)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^HPE_/) }))
  })

  test("how it is cut on the way changes nothing", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary-ascii", minLength: 1 })),
        fc.array(fc.nat()),
        (chunks, cuts) => {
          const text = [...chunks, ""].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")
          expect(chunked(`${text}beyond`, cuts)).toEqual({ body: chunks.join(""), beyond: 6, ended: true })
        },
      ),
    )
  })
})
