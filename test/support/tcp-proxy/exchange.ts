/** One request and what became of it, as the proxy saw it. */
export interface Exchange {
  /** From 1, in the order in which the requests began. */
  readonly index: number
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Such as `UploadPart`. */
  readonly operation: string
  readonly partNumber: number | undefined
  /** Of a request for a range; `end` exclusive. */
  readonly range: { readonly start: number; readonly end: number | undefined } | undefined
  /** Of the whole request, head and body, as announced. */
  readonly requestBytes: number
  /** Of the answer's head and body, as far as it was passed on. */
  responseBytes: number
  /** What the server answered; 0 if it was not asked, or not heard to the head's end. */
  status: number
  /** Whether the server's own answer reached the client to its last byte. */
  delivered: boolean
  /** Whether a fault hit it. */
  faulted: boolean
}

/** What goes wrong with an exchange. */
export type ProxyAction =
  /** So many bytes of the request or of the answer pass (head first), then the connection is reset, or says no more. */
  | { readonly cut: "request" | "answer"; readonly after: number; readonly by: "reset" | "silence" }
  /** Another answer than the server's, which is asked (`after`) or not (`before`). */
  | {
      readonly answer: string
      readonly status: number
      readonly moment: "before" | "after"
      readonly headers?: Readonly<Record<string, string>>
    }
  /** The answer comes twice. */
  | { readonly duplicate: true }
  /** The answer's body gets so many bytes more, or fewer if negative; its length says so, or not. */
  | { readonly resize: number; readonly declared: boolean }
  | { readonly delayMs: number }

/** What an exchange's first line says about it. */
export function describe(
  firstLine: string,
  header: (name: string) => string | undefined,
): Pick<Exchange, "method" | "target" | "operation" | "partNumber" | "range"> {
  const [method = "", target = "/"] = firstLine.split(" ")
  const [path = "/", query = ""] = target.split("?")
  const parameters = new URLSearchParams(query)
  const number = parameters.get("partNumber")
  const range = /^bytes=(\d+)-(\d*)$/.exec(header("range") ?? "")
  return {
    method,
    target,
    operation: operationOf(method, path.split("/").length > 2, parameters),
    partNumber: number === null ? undefined : Number(number),
    range: range
      ? { start: Number(range[1]), end: range[2] === "" ? undefined : Number(range[2]) + 1 }
      : undefined,
  }
}

function operationOf(method: string, hasKey: boolean, query: URLSearchParams): string {
  const upload = query.has("uploadId")
  if (!hasKey) {
    if (method === "GET") return query.has("uploads") ? "ListMultipartUploads" : "ListObjectsV2"
    return method === "HEAD" ? "HeadBucket" : `${method} bucket`
  }
  switch (method) {
    case "PUT":
      return upload ? "UploadPart" : "PutObject"
    case "POST":
      return upload ? "CompleteMultipartUpload" : "CreateMultipartUpload"
    case "DELETE":
      return upload ? "AbortMultipartUpload" : "DeleteObject"
    case "GET":
      return upload ? "ListParts" : "GetObject"
    default:
      return method === "HEAD" ? "HeadObject" : method
  }
}

/** An answer as S3 gives its errors. */
export function errorAnswer(
  status: number,
  code: string,
  headers: Readonly<Record<string, string>>,
  withBody: boolean,
): Buffer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code} (by the test)</Message><RequestId>test</RequestId></Error>`
  const lines = [
    `HTTP/1.1 ${status} ${code}`,
    `date: ${new Date().toUTCString()}`,
    "content-type: application/xml",
    `content-length: ${withBody ? Buffer.byteLength(body) : 0}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${withBody ? body : ""}`)
}
