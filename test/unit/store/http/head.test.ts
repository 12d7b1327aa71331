import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { isSendable, parseHead } from "../../../../src/store/http/head.ts"

const head = (...lines: string[]) => lines.join("\r\n")

test("status, headers, length", () => {
  const text = head("HTTP/1.1 206 Partial Content", "Content-Length: 5", 'ETag: "a"', "x-amz-meta-A:  b c \t")
  const { statusCode, headers, framing, keepAlive } = parseHead(text, "GET")
  expect({ statusCode, framing, keepAlive }).toEqual({ statusCode: 206, framing: 5, keepAlive: true })
  expect({ ...headers }).toEqual({ "content-length": "5", etag: '"a"', "x-amz-meta-a": "b c" })
})

test.each([
  ["GET", "HTTP/1.1 200 OK", ["Content-Length: 0"], 0, true],
  ["GET", "HTTP/1.1 200", ["Content-Length: 7"], 7, true],
  ["HEAD", "HTTP/1.1 200 OK", ["Content-Length: 7"], 0, true],
  ["HEAD", "HTTP/1.1 200 OK", ["Transfer-Encoding: chunked"], 0, true],
  ["GET", "HTTP/1.1 304 Not Modified", ["Content-Length: 7"], 0, true],
  ["GET", "HTTP/1.1 204 No Content", [], 0, true],
  ["GET", "HTTP/1.1 200 OK", ["Transfer-Encoding: Chunked"], "chunked", true],
  ["GET", "HTTP/1.1 200 OK", [], "until-close", false],
  ["GET", "HTTP/1.1 200 OK", ["Content-Length: 7", "Connection: close"], 7, false],
  ["GET", "HTTP/1.1 200 OK", ["Content-Length: 7", "Connection: x, Close"], 7, false],
  ["GET", "HTTP/1.0 200 OK", ["Content-Length: 7"], 7, false],
  ["GET", "HTTP/1.0 200 OK", ["Content-Length: 7", "Connection: keep-alive"], 7, true],
  ["GET", "HTTP/1.1 200 OK", ["Content-Length: 7", "Content-Length: 7"], 7, true],
] as const)("%s, %s, %j: framing %s, used again %s", (method, status, lines, framing, keepAlive) => {
  expect(parseHead(head(status, ...lines), method)).toMatchObject({ framing, keepAlive })
})

test.each([
  ["HTTP/2 200 OK"],
  ["HTTP/1.1 2000 OK"],
  ["HTTP/1.1 099 OK"],
  ["HTTP/1.1  200 OK"],
  ["ICY 200 OK"],
  [""],
  ["HTTP/1.1 200 O\u0000K"],
  ["HTTP/1.1 200 OK", "no colon"],
  ["HTTP/1.1 200 OK", " folded: yes"],
  ["HTTP/1.1 200 OK", "a: b", "\tfolded"],
  ["HTTP/1.1 200 OK", "space before : colon"],
  ["HTTP/1.1 200 OK", ": nameless"],
  ["HTTP/1.1 200 OK", "a: b\u0000c"],
  ["HTTP/1.1 200 OK", "a: b\rc"],
  ["HTTP/1.1 200 OK", "a: b\u007f"],
  ["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"],
  ["HTTP/1.1 200 OK", "Content-Length: -5"],
  ["HTTP/1.1 200 OK", "Content-Length: 0x5"],
  ["HTTP/1.1 200 OK", "Content-Length: 5, 5"],
  ["HTTP/1.1 200 OK", "Content-Length: "],
  ["HTTP/1.1 200 OK", "Content-Length: 9999999999999999"],
  ["HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"],
  ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"],
  ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
])("refused: %j", (...lines) => {
  expect(() => parseHead(head(...lines), "GET")).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^HPE_/) }),
  )
})

test("what is said twice is joined, but for what can only be said once", () => {
  const { headers } = parseHead(
    head("HTTP/1.1 200 OK", "x-amz-meta-a: 1", "etag: a", "X-Amz-Meta-A: 2", "etag: b"),
    "HEAD",
  )
  expect({ ...headers }).toEqual({ "x-amz-meta-a": "1, 2", etag: "a" })
})

test("a header named as what every object has is a header", () => {
  const { headers } = parseHead(head("HTTP/1.1 200 OK", "__proto__: a", "constructor: b"), "HEAD")
  expect(Object.entries(headers)).toEqual([
    ["__proto__", "a"],
    ["constructor", "b"],
  ])
})

test.each([
  ["timeout=5", 5000],
  ["timeout=5, max=100", 5000],
  ["max=100, timeout=15", 15_000],
  ["timeout=soon", undefined],
  ["mytimeout=5", undefined],
])("Keep-Alive: %s", (value, idleMs) => {
  const text = head("HTTP/1.1 204 No Content", `Keep-Alive: ${value}`)
  expect(parseHead(text, "GET").idleMs).toBe(idleMs)
})

test("whatever comes, there is a head or an error of its own kind", () => {
  const line = fc.oneof(
    fc.string({ unit: "binary-ascii" }),
    fc.constantFrom("Content-Length: 3", "Transfer-Encoding: chunked", "a: b"),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const text = head("HTTP/1.1 200 OK", ...lines)
      try {
        const { headers } = parseHead(text, "GET")
        for (const [name, value] of Object.entries(headers)) expect(isSendable(name, value)).toBe(true)
      } catch (error) {
        expect(error).toMatchObject({ name: "WireError" })
      }
    }),
  )
})

describe("what can be sent as a header", () => {
  test.each([
    ["a", "b", true],
    ["x-amz-meta-a", "", true],
    ["a", "\u00fc", true],
    ["a", "b\r\nc: d", false],
    ["a", "b\nc", false],
    ["a", "\u0100", false],
    ["a b", "c", false],
    ["", "c", false],
    ["a:", "c", false],
  ])("%j: %j: %s", (name, value, sendable) => {
    expect(isSendable(name, value)).toBe(sendable)
  })
})
