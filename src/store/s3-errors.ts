import {
  DeniedError,
  NotFoundError,
  PreconditionError,
  S3epError,
  UnavailableError,
  UnsupportedError,
  UsageError,
} from "../errors.ts"

/** What was being done, for messages and for telling what is missing. */
export interface Task {
  /** Follows "cannot": "read s3://vault/a.tar". */
  readonly action: string
  readonly bucket: string
  readonly about: "bucket" | "object" | "upload"
}

/** What an error of the SDK, of HTTP or of the network says, with the parts that matter picked out. */
export interface Failure {
  /** The service's code, or the system's ("ECONNRESET"). */
  readonly code: string
  /** 0 if there was no answer. */
  readonly status: number
  readonly message: string
  readonly headers: Readonly<Record<string, string>>
  /** The region the bucket is in, if the answer says. */
  readonly region: string | undefined
}

/** @returns null for errors that come neither from the SDK nor from the network: bugs, and the caller's own. */
export function failureOf(error: unknown): Failure | null {
  if (!(error instanceof Error) || error instanceof S3epError) return null
  const metadata = field(error, "$metadata")
  const systemCode = text(field(error, "code"))
  const known = metadata !== undefined || networkCodes.test(systemCode) || sdkNames.test(error.name)
  if (!known)
    return field(error, "$response") === undefined && !isAggregate(error) ? null : failure(error, systemCode)
  return failure(error, systemCode)
}

function failure(error: Error, systemCode: string): Failure {
  const inner = isAggregate(error) ? error.errors.find((one) => one instanceof Error) : undefined
  const headers = stringMap(field(field(error, "$response"), "headers"))
  const serviceCode = text(field(error, "Code"))
  const status =
    field(field(error, "$metadata"), "httpStatusCode") ?? field(field(error, "$response"), "statusCode")
  return {
    code: serviceCode || systemCode || text(field(inner, "code")) || error.name,
    status: typeof status === "number" ? status : 0,
    message: (error.message || (inner?.message ?? "")).replace(/^UnknownError$/, ""),
    headers,
    region: headers["x-amz-bucket-region"] || text(field(error, "Region")) || undefined,
  }
}

const networkCodes =
  /^(ECONN\w+|EPIPE|EPROTO|ETIMEDOUT|ENOTFOUND|EAI_\w+|EHOST\w+|ENET\w+|EADDRNOTAVAIL|ERR_TLS\w*|ERR_SSL\w*|ERR_STREAM_PREMATURE_CLOSE|CERT_\w+|\w+_CERT\w*|\w*SELF_SIGNED\w*|UNABLE_TO_\w+|HPE_\w+|ERR_S3EP_\w+)$/
/** The code of the error with which an answer that goes on and on is cut off. */
export const OVERLONG_CODE = "ERR_S3EP_OVERLONG"
const sdkNames = /^(TimeoutError|CredentialsProviderError|TokenProviderError|InternalError)$/
const expiredCodes = /^(ExpiredToken|ExpiredTokenException|TokenRefreshRequired|RequestExpired)$/
const throttledCodes =
  /^(SlowDown|ServiceUnavailable|TooManyRequests\w*|Throttl\w+|RequestLimitExceeded|Busy)$/

export function isExpiredCredentials(failure: Failure): boolean {
  return expiredCodes.test(failure.code)
}

export function isSkewed(failure: Failure): boolean {
  return failure.code === "RequestTimeTooSkewed"
}

/** The region to ask instead, if this answer came from the wrong one. */
export function regionOf(failure: Failure): string | undefined {
  const redirected = failure.status === 301 || failure.status === 307
  const malformed = /^(AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint\w*)$/.test(
    failure.code,
  )
  return redirected || malformed || (failure.status === 400 && failure.message === "")
    ? failure.region
    : undefined
}

/** @returns the error of errors.ts a failure is, with `cause` kept. */
export function translate(failure: Failure, task: Task, cause: unknown): S3epError {
  const reason = because(failure)
  const message = `cannot ${task.action}: ${reason}`
  return (
    missing(failure, task, cause) ??
    refused(failure, task, message, cause) ??
    unmet(failure, task, message, cause) ??
    unsupported(failure, message, cause) ??
    misconfigured(failure, message, cause) ??
    transient(failure, message, cause) ??
    nonsense(failure, task, cause) ??
    new UsageError(message, { cause })
  )
}

function because({ code, status, message }: Failure): string {
  // "write EPROTO 406D…:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:…"
  const tls = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1]
  if (tls !== undefined) return `${code}: TLS failed: ${tls}`
  const words = code && message && message !== code ? `${code}: ${message}` : code || message
  return oneLine(words === "" || words === "Unknown" ? `the service answered ${status}` : words)
}

function missing({ code, status }: Failure, task: Task, cause: unknown): S3epError | null {
  if (code === "NoSuchBucket" || (status === 404 && task.about === "bucket")) {
    const hint = "check the bucket's name and the endpoint; s3ep does not create buckets"
    return new NotFoundError(`cannot ${task.action}: no bucket s3://${task.bucket}`, {
      what: "bucket",
      cause,
      hint,
    })
  }
  if (code === "NoSuchUpload" || (status === 404 && task.about === "upload")) {
    return new NotFoundError(`cannot ${task.action}: the upload is gone`, { what: "upload", cause })
  }
  if (code === "NoSuchVersion") {
    return new NotFoundError(`cannot ${task.action}: no such version`, { what: "object", cause })
  }
  if (code === "MethodNotAllowed" && status === 405 && task.action.startsWith("read")) {
    return new NotFoundError(`cannot ${task.action}: that version is a delete marker`, {
      what: "object",
      cause,
    })
  }
  return status === 404 || code === "NoSuchKey"
    ? new NotFoundError(`cannot ${task.action}: no such object`, { what: "object", cause })
    : null
}

function refused(failure: Failure, task: Task, message: string, cause: unknown): S3epError | null {
  const { code, status } = failure
  const denied = (hint: string, reason = message) => new DeniedError(reason, { cause, hint })
  if (/^(Credentials|Token)ProviderError$/.test(code)) {
    const hint =
      "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with SSO, run `aws sso login`"
    return denied(hint, `cannot ${task.action}: no usable credentials: ${oneLine(failure.message)}`)
  }
  if (isExpiredCredentials(failure)) {
    return denied(
      "get new ones, with `aws sso login` for instance",
      `cannot ${task.action}: the credentials expired`,
    )
  }
  if (isSkewed(failure)) return denied("set this computer's clock; requests are signed with the time")
  if (code === "InvalidObjectState") {
    const hint = "restore the object from its archive first, with `aws s3api restore-object`"
    return new PreconditionError(`cannot ${task.action}: it is archived`, { cause, hint })
  }
  if (/object.?lock|retention|worm|legal.?hold/i.test(`${code} ${failure.message}`) && status === 403) {
    const hint =
      "wait for the retention to end or lift the legal hold; --bypass-governance needs the permission"
    return new PreconditionError(`cannot ${task.action}: it is locked (Object Lock)`, { cause, hint })
  }
  if (/^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|InvalidClientTokenId)$/.test(code)) {
    return denied(
      "check AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and the endpoint they are for",
    )
  }
  if (status === 401 || status === 403) {
    const hint = `check which account acts (AWS_PROFILE, AWS_ACCESS_KEY_ID) and what the policy of ${task.bucket} allows it`
    return denied(
      hint,
      `cannot ${task.action}: access denied${code === "AccessDenied" ? detail(failure) : ` (${because(failure)})`}`,
    )
  }
  const region = regionOf(failure)
  if (region !== undefined) {
    return new UsageError(`cannot ${task.action}: the bucket is in region ${region}`, {
      cause,
      hint: `--region ${region}`,
    })
  }
  return null
}

function unmet({ code, status }: Failure, task: Task, message: string, cause: unknown): S3epError | null {
  const unmetBecause = (reason: string, hint?: string) =>
    new PreconditionError(`cannot ${task.action}: ${reason}`, { cause, hint })
  if (code === "ConditionalRequestConflict" || code === "OperationAborted") {
    return unmetBecause("another write to it was in progress")
  }
  if (code === "PreconditionFailed" || status === 412) {
    return unmetBecause("it exists already, or changed meanwhile")
  }
  if (status === 304) return unmetBecause("it has not changed")
  if (/^InvalidPart(Order)?$/.test(code)) return new PreconditionError(message, { cause })
  return null
}

function unsupported(
  { code, status, message: said }: Failure,
  message: string,
  cause: unknown,
): S3epError | null {
  const refuses = status === 501 || code === "NotImplemented" || status === 411 || status === 400
  if (!refuses) return null
  const named =
    /checksum|crc-?(32|64)|sha-?256.*not (supported|implemented)/i.test(said) &&
    !/mismatch|did not match/i.test(said)
  if (status === 411 || /aws-chunked|trailer/i.test(said))
    return new UnsupportedError(message, { cause, feature: "trailers" })
  if (named && !/^(BadDigest|InvalidDigest|XAmz\w+)$/.test(code))
    return new UnsupportedError(message, { cause, feature: "checksum" })
  if (status === 400 && code !== "NotImplemented") return null
  const feature = /conditional/i.test(said) ? "conditions" : "header"
  const hint = "the service does not offer one of the settings asked for"
  return new UnsupportedError(message, { cause, feature, hint })
}

/** What no S3 service says: not HTTP, not the XML that was due, too much of it. */
function nonsense({ code, status }: Failure, task: Task, cause: unknown): S3epError | null {
  const known = isGarbage(code)
  if (!known && !(status >= 200 && status < 300)) return null
  const why = code === OVERLONG_CODE ? "the answer does not end" : "the answer is not one that S3 gives"
  return new UnavailableError(`cannot ${task.action}: ${why}${known ? ` (${code})` : ""}`, {
    cause,
    transient: "garbled",
    hint: "check that the endpoint (--endpoint) is one of S3, and what lies between it and here",
  })
}

/** What was received is not HTTP, or has no end. */
function isGarbage(code: string): boolean {
  return /^HPE_\w+$/.test(code) || code === OVERLONG_CODE
}

function transient(failure: Failure, message: string, cause: unknown): S3epError | null {
  const { code, status } = failure
  if (isGarbage(code)) return null
  const seconds = Number(failure.headers["retry-after"])
  const retryAfterSeconds = Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined
  // The SDK gives errors within an answer of 200 the status 503, whatever they are.
  const busy = status === 429 || (status === 503 && code !== "InternalError")
  if (throttledCodes.test(code) || busy) {
    return new UnavailableError(message, { cause, transient: "throttled", retryAfterSeconds })
  }
  // A body that arrived damaged, or not at all, is the network's doing: the same bytes may pass next time.
  if (/^(BadDigest|XAmzContent\w*Mismatch|IncompleteBody|RequestTimeout)$/.test(code) || status === 408) {
    return new UnavailableError(message, { cause, transient: "network" })
  }
  if (status >= 500 || code === "InternalError") {
    return new UnavailableError(message, { cause, transient: "server", retryAfterSeconds })
  }
  if (status > 0) return null
  return new UnavailableError(message, { cause, transient: "network", hint: networkHint(failure) })
}

/**
 * What cannot be sent as it is, now or later. TLS that cannot be agreed on never can; TLS that broke on the way is the
 * network's.
 */
function misconfigured({ code, message: said }: Failure, message: string, cause: unknown): S3epError | null {
  if (code === "ERR_INVALID_CHAR") {
    return new UsageError(message, {
      cause,
      hint: "what is kept in headers is one line of printable characters",
    })
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code)) {
    const hint = "to trust a private authority, set NODE_EXTRA_CA_CERTS to its certificate"
    return new UsageError(message, { cause, hint })
  }
  if (
    /wrong.version.number|packet.length.too.long|unsupported.protocol|handshake.failure/i.test(
      `${code} ${said}`,
    )
  ) {
    return new UsageError(message, { cause, hint: "check whether the endpoint is http or https" })
  }
  return null
}

function networkHint({ code }: Failure): string | undefined {
  if (/^(ENOTFOUND|EAI_\w+)$/.test(code)) return "check the endpoint's host name (--endpoint) and the network"
  if (code === "ECONNREFUSED") return "check the endpoint and its port (--endpoint); nothing listens there"
  return undefined
}

function detail({ message }: Failure): string {
  return message && !/^access denied\.?$/i.test(message) ? `: ${oneLine(message)}` : ""
}

function oneLine(words: string): string {
  return words.replace(/\s+/g, " ").replace(/\.$/, "").trim().slice(0, 300)
}

function isAggregate(error: unknown): error is AggregateError {
  return (
    error instanceof AggregateError && error.errors.some((one) => networkCodes.test(text(field(one, "code"))))
  )
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
}

function text(value: unknown): string {
  return typeof value === "string" ? value : ""
}

function stringMap(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {}
  return Object.fromEntries(Object.entries(value).filter(([, one]) => typeof one === "string"))
}
