import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import { refuseIf, S3Error } from "./errors.ts"
import type { S3Request } from "./request.ts"

/** A key pair this server knows. */
export interface ServerCredentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  /** Milliseconds since 1970; from then on requests are answered ExpiredToken. */
  expiresMs?: number
}

/** What a verified signature says about the request. */
export interface Authentication {
  accessKeyId: string
  /** A hex SHA-256 of the body, or one of the markers such as `UNSIGNED-PAYLOAD`. */
  payloadHash: string
  signingKey: Buffer
  /** `YYYYMMDDTHHMMSSZ`. */
  date: string
  scope: string
  signature: string
}

const ALGORITHM = "AWS4-HMAC-SHA256"
const MAX_SKEW_MS = 15 * 60 * 1000
const MAX_EXPIRES_SECONDS = 7 * 24 * 3600

export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex")
}

export function hmac(key: string | Uint8Array, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest()
}

/** The key of one day, region and service. */
export function deriveSigningKey(secret: string, day: string, region: string, service: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), "aws4_request")
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function canonicalQuery(request: S3Request): string {
  return request.queryPairs
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join("&")
}

interface Claim {
  accessKeyId: string
  day: string
  region: string
  service: string
  signedHeaders: string[]
  signature: string
  date: string
  payloadHash: string
  token: string | undefined
}

function parseCredential(
  text: string | undefined,
): Pick<Claim, "accessKeyId" | "day" | "region" | "service"> {
  const fields = text?.split("/") ?? []
  const [service, region, day] = [fields.at(-2), fields.at(-3), fields.at(-4)]
  if (fields.length < 5 || !day || !region || !service) {
    throw new S3Error("AuthorizationHeaderMalformed", "The credential is malformed")
  }
  return { accessKeyId: fields.slice(0, -4).join("/"), day, region, service }
}

function claimOfHeader(request: S3Request, authorization: string): Claim {
  refuseIf(!authorization.startsWith(`${ALGORITHM} `), "InvalidRequest", "Only AWS4-HMAC-SHA256 is served")
  const fields = new Map(
    authorization
      .slice(ALGORITHM.length)
      .split(",")
      .map((field): [string, string] => {
        const [name = "", ...value] = field.trim().split("=")
        return [name, value.join("=")]
      }),
  )
  const payloadHash = request.headers.get("x-amz-content-sha256")
  if (payloadHash === undefined) throw new S3Error("MissingSecurityHeader", "x-amz-content-sha256 is missing")
  return {
    ...parseCredential(fields.get("Credential")),
    signedHeaders: fields.get("SignedHeaders")?.split(";") ?? [],
    signature: fields.get("Signature") ?? "",
    date: request.headers.get("x-amz-date") ?? "",
    payloadHash,
    token: request.headers.get("x-amz-security-token"),
  }
}

function claimOfQuery(request: S3Request): Claim {
  return {
    ...parseCredential(request.query.get("X-Amz-Credential")),
    signedHeaders: request.query.get("X-Amz-SignedHeaders")?.split(";") ?? [],
    signature: request.query.get("X-Amz-Signature") ?? "",
    date: request.query.get("X-Amz-Date") ?? "",
    payloadHash:
      request.query.get("X-Amz-Content-Sha256") ??
      request.headers.get("x-amz-content-sha256") ??
      "UNSIGNED-PAYLOAD",
    token: request.query.get("X-Amz-Security-Token"),
  }
}

function parseDate(date: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)
  if (match === null) throw new S3Error("AccessDenied", "The request has no valid date")
  const [, year, month, day, hour, minute, second] = match
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

function checkTime(request: S3Request, claim: Claim, presigned: boolean, nowMs: number): void {
  const signedMs = parseDate(claim.date)
  refuseIf(
    claim.date.slice(0, 8) !== claim.day,
    "SignatureDoesNotMatch",
    "The credential's day is not the date's",
  )
  if (!presigned) {
    if (Math.abs(nowMs - signedMs) > MAX_SKEW_MS) {
      throw new S3Error("RequestTimeTooSkewed", "The request's time differs too much from the server's.", {
        details: { RequestTime: claim.date, ServerTime: new Date(nowMs).toISOString() },
      })
    }
    return
  }
  const expires = Number(request.query.get("X-Amz-Expires"))
  if (!(expires >= 1 && expires <= MAX_EXPIRES_SECONDS)) {
    throw new S3Error("AuthorizationQueryParametersError", "X-Amz-Expires must be between 1 s and a week")
  }
  refuseIf(signedMs > nowMs + MAX_SKEW_MS, "AccessDenied", "Request is not valid yet")
  refuseIf(nowMs > signedMs + expires * 1000, "AccessDenied", "Request has expired")
}

function canonicalRequests(request: S3Request, claim: Claim): string[] {
  const path = encode(decodeURIComponent(request.path)).replaceAll("%2F", "/")
  const lines = (bytesToText: (value: string) => string): string =>
    claim.signedHeaders
      .map(
        (name) =>
          `${name}:${bytesToText(request.headers.get(name) ?? "")
            .trim()
            .replace(/ +/g, " ")}\n`,
      )
      .join("")
  // A header's bytes are one character each here; signers hash them as such, or as the UTF-8 they spell.
  const variants = new Set([
    lines((value) => value),
    lines((value) => Buffer.from(value, "latin1").toString("utf8")),
  ])
  return [...variants].map((headers) =>
    [
      request.method,
      path,
      canonicalQuery(request),
      headers,
      claim.signedHeaders.join(";"),
      claim.payloadHash,
    ].join("\n"),
  )
}

function checkSignedHeaders(request: S3Request, claim: Claim, presigned: boolean): void {
  refuseIf(!claim.signedHeaders.includes("host"), "SignatureDoesNotMatch", "The host is not signed")
  if (presigned) return
  for (const name of request.headers.keys()) {
    if (name.startsWith("x-amz-") && !claim.signedHeaders.includes(name)) {
      throw new S3Error(
        "AccessDenied",
        `There were headers present in the request which were not signed: ${name}`,
      )
    }
  }
}

function checkToken(credentials: ServerCredentials, claim: Claim, nowMs: number): void {
  if (credentials.expiresMs !== undefined && nowMs >= credentials.expiresMs) {
    throw new S3Error("ExpiredToken", "The provided token has expired.")
  }
  refuseIf(
    credentials.sessionToken !== claim.token,
    "InvalidToken",
    "The provided token is malformed or otherwise invalid.",
  )
}

function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

/**
 * Verify a request's signature, in its headers or in its query.
 *
 * @throws {S3Error} with the code S3 has for what is wrong.
 * @see Amazon S3 API reference, "Authenticating requests (AWS Signature Version 4)"
 */
export function authenticate(
  request: S3Request,
  options: {
    credentials: readonly ServerCredentials[]
    nowMs: number
    region: string
    foreignRegion: "accepted" | "refused"
  },
): Authentication {
  const authorization = request.headers.get("authorization")
  const presigned = authorization === undefined && request.query.has("X-Amz-Signature")
  if (authorization === undefined && !presigned) throw new S3Error("AccessDenied", "Access Denied")
  const claim = authorization === undefined ? claimOfQuery(request) : claimOfHeader(request, authorization)
  const credentials = options.credentials.find(({ accessKeyId }) => accessKeyId === claim.accessKeyId)
  if (credentials === undefined) {
    throw new S3Error("InvalidAccessKeyId", "The access key id you provided does not exist in our records.", {
      details: { AWSAccessKeyId: claim.accessKeyId },
    })
  }
  if (options.foreignRegion === "refused" && claim.region !== options.region) {
    throw new S3Error("AuthorizationHeaderMalformed", `the region '${claim.region}' is wrong`, {
      details: { Region: options.region },
      headers: { "x-amz-bucket-region": options.region },
    })
  }
  checkTime(request, claim, presigned, options.nowMs)
  checkSignedHeaders(request, claim, presigned)
  const scope = `${claim.day}/${claim.region}/${claim.service}/aws4_request`
  const signingKey = deriveSigningKey(credentials.secretAccessKey, claim.day, claim.region, claim.service)
  const matches = canonicalRequests(request, claim).some((canonical) => {
    const toSign = [ALGORITHM, claim.date, scope, sha256Hex(canonical)].join("\n")
    return equal(hmac(signingKey, toSign).toString("hex"), claim.signature)
  })
  refuseIf(
    !matches,
    "SignatureDoesNotMatch",
    "The signature we calculated does not match the one you provided.",
  )
  checkToken(credentials, claim, options.nowMs)
  return {
    accessKeyId: claim.accessKeyId,
    payloadHash: claim.payloadHash,
    signingKey,
    date: claim.date,
    scope,
    signature: claim.signature,
  }
}
