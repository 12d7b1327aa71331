import { WireError } from "./wire-error.ts"

/** The status line and the headers of an answer, and what they say of its body and of the connection. */
export interface AnswerHead {
  readonly statusCode: number
  /** Names in lower case, values as ISO 8859-1. */
  readonly headers: Record<string, string>
  readonly framing: Framing
  /** Whether the connection may be used again after it. */
  readonly keepAlive: boolean
  /** How long the server keeps an idle connection open, in milliseconds, where it says. */
  readonly idleMs: number | undefined
}

/** How the end of a body is told: by its length in bytes, by chunks, or by the end of the connection. */
export type Framing = number | "chunked" | "until-close"

/** Of a head, in bytes. S3's own is within 8 KiB; Node takes 16 KiB. */
export const MAX_HEAD_BYTES = 32 * 1024

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const LENGTH = /^\d{1,16}$/
/** Of which a second one is left out, as Node does. The others are joined with commas. */
const SINGLE = new Set([
  "content-type",
  "date",
  "etag",
  "expires",
  "last-modified",
  "location",
  "retry-after",
  "server",
])

/**
 * Parse a head, strictly: what two readers could understand in two ways is refused.
 *
 * @param text - the head without the empty line at its end, as ISO 8859-1.
 * @param method - of the request, as an answer to HEAD has no body whatever its headers say.
 * @throws {WireError} if it is not one of HTTP/1.1.
 * @see RFC 9112, sections 2 to 6
 */
export function parseHead(text: string, method: string): AnswerHead {
  const [first = "", ...lines] = text.split("\r\n")
  const [, minor, status = ""] = STATUS_LINE.exec(first) ?? []
  if (minor === undefined) throw new WireError("STATUS_LINE", "the answer does not begin as HTTP does")
  const headers = parseFields(lines)
  const statusCode = Number(status)
  const connection = (headers["connection"] ?? "").toLowerCase().split(/[\t ,]+/)
  const framing = framingOf(headers, statusCode, method)
  return {
    statusCode,
    headers,
    framing,
    keepAlive:
      framing !== "until-close" &&
      (minor === "1" ? !connection.includes("close") : connection.includes("keep-alive")),
    idleMs: idleMsOf(headers["keep-alive"]),
  }
}

/** Lines of `name: value`, into an object without inherited members. */
export function parseFields(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null)
  for (const line of lines) {
    const colon = line.indexOf(":")
    const name = line.slice(0, Math.max(0, colon)).toLowerCase()
    const value = line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, "")
    if (!NAME.test(name) || !VALUE.test(value)) {
      throw new WireError("HEADER", "the answer has a header that is none")
    }
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (name === "content-length" && before !== value) {
      throw new WireError("LENGTH", "the answer has two lengths")
    } else if (name !== "content-length" && !SINGLE.has(name)) headers[name] = `${before}, ${value}`
  }
  return headers
}

/** Whether a header can be sent as it is: nothing in it ends its line, or stands for something else in ISO 8859-1. */
export function isSendable(name: string, value: string): boolean {
  return NAME.test(name) && VALUE.test(value)
}

function framingOf(headers: Record<string, string>, statusCode: number, method: string): Framing {
  const length = headers["content-length"]
  const coding = headers["transfer-encoding"]
  if (length !== undefined && (!LENGTH.test(length) || !Number.isSafeInteger(Number(length)))) {
    throw new WireError("LENGTH", "the answer has a length that is none")
  }
  if (method === "HEAD" || statusCode < 200 || statusCode === 204 || statusCode === 304) return 0
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked" || length !== undefined) {
      throw new WireError("CODING", "the end of the answer can be told in two ways")
    }
    return "chunked"
  }
  return length === undefined ? "until-close" : Number(length)
}

function idleMsOf(keepAlive: string | undefined): number | undefined {
  const seconds = /(?:^|[\t ,])timeout=(\d{1,6})(?:$|[\t ,;])/i.exec(keepAlive ?? "")?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}
