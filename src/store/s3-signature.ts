import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto"

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** What of a request is signed. */
export interface Unsigned {
  readonly method: string
  /** As it is sent: percent-encoded, once. */
  readonly path: string
  /** Encoded as it is sent, sorted by name; "" if there is none. */
  readonly query: string
  /** With `host` and `x-amz-content-sha256`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** What proxies change on the way, or have a use for of their own. */
const UNSIGNED = new Set([
  "authorization",
  "cache-control",
  "connection",
  "expect",
  "from",
  "keep-alive",
  "max-forwards",
  "pragma",
  "referer",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
  "x-amzn-trace-id",
])

/** Signs requests to S3 in one region. The keys of a day are made once, and held as `KeyObject`s. */
export class S3Signer {
  readonly #region: string
  #key: { readonly of: Credentials; readonly day: string; readonly key: KeyObject } | undefined

  constructor(region: string) {
    this.#region = region
  }

  /**
   * @returns the headers to add: `x-amz-date`, `x-amz-security-token` and `authorization`.
   * @see Signature Version 4, "Authenticating Requests: Using the Authorization Header" in the S3 API reference
   */
  sign(request: Unsigned, credentials: Credentials, at: Date): Record<string, string> {
    const time = at.toISOString().replace(/[-:]|\.\d{3}/g, "")
    const scope = `${time.slice(0, 8)}/${this.#region}/s3/aws4_request`
    const added: Record<string, string> = { "x-amz-date": time }
    if (credentials.sessionToken) added["x-amz-security-token"] = credentials.sessionToken
    const headers = { ...request.headers, ...added }
    const names = Object.keys(headers)
      .filter((name) => !UNSIGNED.has(name))
      .sort()
    const signed = names.join(";")
    let canonical = `${request.method}\n${request.path}\n${request.query}\n`
    for (const name of names) canonical += `${name}:${headers[name]?.trim().replace(/\s+/g, " ")}\n`
    canonical += `\n${signed}\n${headers["x-amz-content-sha256"]}`
    const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash("sha256", canonical)}`
    const signature = createHmac("sha256", this.#keyOf(credentials, time.slice(0, 8)))
      .update(toSign)
      .digest("hex")
    added["authorization"] =
      `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
    return added
  }

  #keyOf(credentials: Credentials, day: string): KeyObject {
    const known = this.#key
    const same =
      known?.day === day &&
      known.of.accessKeyId === credentials.accessKeyId &&
      known.of.secretAccessKey === credentials.secretAccessKey
    if (same) return known.key
    let key = createSecretKey(`AWS4${credentials.secretAccessKey}`, "utf8")
    for (const word of [day, this.#region, "s3", "aws4_request"]) {
      key = createSecretKey(createHmac("sha256", key).update(word).digest())
    }
    this.#key = { of: credentials, day, key }
    return key
  }
}
