import type { IncomingMessage } from "node:http"
import type { Dialect } from "./dialect.ts"
import { refuseIf, S3Error } from "./errors.ts"
import { operationOf } from "./operations.ts"

/** One request, taken apart; nothing of it is verified yet. */
export interface S3Request {
  readonly id: string
  readonly method: string
  /** Path as sent, without the query. */
  readonly path: string
  readonly bucket: string | undefined
  readonly key: string | undefined
  /** The S3 operation it asks for, such as `UploadPart`. */
  readonly operation: string
  /** Decoded, in the order sent. */
  readonly queryPairs: readonly (readonly [string, string])[]
  readonly query: ReadonlyMap<string, string>
  /** Lower-case names; repeated headers joined with a comma; values one character per byte. */
  readonly headers: ReadonlyMap<string, string>
  /** The body as it comes in, framing and all. */
  readonly body: () => AsyncIterable<Buffer>
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", "%20"))
  } catch {
    throw new S3Error("InvalidArgument", `Cannot decode ${text}`)
  }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new S3Error("InvalidArgument", "Cannot decode the path")
  }
}

function parseQuery(text: string): [string, string][] {
  return text
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const equals = pair.indexOf("=")
      return equals < 0 ? [decode(pair), ""] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))]
    })
}

function joinHeaders(raw: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]?.toLowerCase() ?? ""
    const value = raw[index + 1] ?? ""
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before},${value}`)
  }
  return headers
}

/** `bucket.localhost:1234` names a bucket, `localhost`, an address and this server's own name do not. */
function bucketOfHost(host: string | undefined, ownHost: string): string | undefined {
  const name = host?.replace(/:\d+$/, "").toLowerCase() ?? ""
  for (const suffix of [".localhost", `.${ownHost}`]) {
    if (name.endsWith(suffix) && name.length > suffix.length) return name.slice(0, -suffix.length)
  }
  return undefined
}

// A presigner may move headers into the query; these it computes from an empty body, so they say nothing.
const notHoisted = /^x-amz-(checksum-|sdk-checksum|content-sha256)/

function withHoistedHeaders(headers: Map<string, string>, query: ReadonlyMap<string, string>): void {
  if (!query.has("X-Amz-Signature")) return
  for (const [name, value] of query) {
    if (name.startsWith("x-amz-") && !notHoisted.test(name) && !headers.has(name)) headers.set(name, value)
  }
}

/** @throws {S3Error} if path or query cannot be decoded, or the key is too long. */
export function parseRequest(
  message: IncomingMessage,
  body: () => AsyncIterable<Buffer>,
  options: { id: string; dialect: Dialect; host: string },
): S3Request {
  const url = message.url ?? "/"
  const mark = url.indexOf("?")
  const path = mark < 0 ? url : url.slice(0, mark)
  const queryPairs = mark < 0 ? [] : parseQuery(url.slice(mark + 1))
  const query = new Map(queryPairs)
  const headers = joinHeaders(message.rawHeaders)
  withHoistedHeaders(headers, query)
  const hostBucket = options.dialect.virtualHost ? bucketOfHost(headers.get("host"), options.host) : undefined
  const whole = decodePath(path).slice(1)
  const slash = whole.indexOf("/")
  const [first, rest] = slash < 0 ? [whole, ""] : [whole.slice(0, slash), whole.slice(slash + 1)]
  const bucket = hostBucket ?? (first === "" ? undefined : first)
  const keyText = hostBucket === undefined ? rest : whole
  const key = keyText === "" ? undefined : keyText
  refuseIf(key !== undefined && Buffer.byteLength(key) > 1024, "KeyTooLongError", "Your key is too long")
  const method = message.method ?? "GET"
  const operation = operationOf(method, { bucket, key, query, headers })
  return { id: options.id, method, path, bucket, key, operation, queryPairs, query, headers, body }
}

/** A whole number from the query. @throws {S3Error} InvalidArgument if it is none. */
export function integerParameter(request: S3Request, name: string): number | undefined {
  const text = request.query.get(name)
  if (text === undefined || text === "") return undefined
  refuseIf(!/^\d{1,15}$/.test(text), "InvalidArgument", `${name} must be an integer, got ${text}`)
  return Number(text)
}
