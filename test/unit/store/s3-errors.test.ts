import { describe, expect, test } from "vitest"
import { failureOf, regionOf, type Task, translate } from "../../../src/store/s3-errors.ts"

const reading: Task = { action: "read s3://vault/a.tar", bucket: "vault", about: "object" }
const uploading: Task = { action: "upload part 3 of s3://vault/a.tar", bucket: "vault", about: "upload" }
const listing: Task = { action: "list s3://vault/", bucket: "vault", about: "bucket" }

interface Answer {
  readonly status?: number
  readonly code?: string
  readonly message?: string
  readonly headers?: Record<string, string>
  readonly more?: object
}

/** An error as the SDK throws it. */
function answer({
  status = 400,
  code = "",
  message = "UnknownError",
  headers = {},
  more = {},
}: Answer): Error {
  return Object.assign(new Error(message), {
    name: code || "Unknown",
    $fault: "client",
    $metadata: { httpStatusCode: status },
    $response: { statusCode: status, headers },
    ...(code && { Code: code }),
    ...more,
  })
}

function system(code: string, message = `${code} in the test`): Error {
  return Object.assign(new Error(message), { code })
}

function translated(error: Error, task: Task = reading) {
  const failure = failureOf(error)
  if (!failure) throw new Error("not taken for a failure")
  return translate(failure, task, error)
}

describe("what is missing", () => {
  test.each([
    [{ status: 404, code: "NoSuchKey" }, reading, "object", "cannot read s3://vault/a.tar: no such object"],
    [{ status: 404 }, reading, "object", "cannot read s3://vault/a.tar: no such object"],
    [
      { status: 404, code: "NoSuchBucket" },
      reading,
      "bucket",
      "cannot read s3://vault/a.tar: no bucket s3://vault",
    ],
    [
      { status: 404, code: "NoSuchVersion" },
      reading,
      "object",
      "cannot read s3://vault/a.tar: no such version",
    ],
    [
      { status: 404, code: "NoSuchUpload" },
      uploading,
      "upload",
      "cannot upload part 3 of s3://vault/a.tar: the upload is gone",
    ],
    [
      { status: 404, code: "NoSuchKey" },
      uploading,
      "upload",
      "cannot upload part 3 of s3://vault/a.tar: the upload is gone",
    ],
    [{ status: 404, code: "NotFound" }, listing, "bucket", "cannot list s3://vault/: no bucket s3://vault"],
  ] as const)("%j", (said, task, what, message) => {
    expect(translated(answer(said), task)).toMatchObject({ name: "NotFoundError", what, message })
  })
})

describe("what each answer means", () => {
  test.each<[Answer, string, object]>([
    [{ status: 403, code: "AccessDenied" }, "DeniedError", { hint: expect.stringContaining("AWS_PROFILE") }],
    [
      { status: 403, code: "InvalidAccessKeyId" },
      "DeniedError",
      { hint: expect.stringContaining("AWS_ACCESS_KEY_ID") },
    ],
    [
      { status: 403, code: "SignatureDoesNotMatch" },
      "DeniedError",
      { hint: expect.stringContaining("AWS_PROFILE") },
    ],
    [
      { status: 403, code: "RequestTimeTooSkewed" },
      "DeniedError",
      { hint: expect.stringContaining("clock") },
    ],
    [
      { status: 400, code: "ExpiredToken" },
      "DeniedError",
      { hint: expect.stringContaining("aws sso login") },
    ],
    [{ status: 401 }, "DeniedError", {}],
    [
      { status: 403, code: "InvalidObjectState" },
      "PreconditionError",
      { hint: expect.stringContaining("restore") },
    ],
    [
      {
        status: 403,
        code: "AccessDenied",
        message: "Access Denied because object protected by object lock.",
      },
      "PreconditionError",
      { hint: expect.stringContaining("retention") },
    ],
    [{ status: 412, code: "PreconditionFailed" }, "PreconditionError", {}],
    [
      { status: 409, code: "ConditionalRequestConflict" },
      "PreconditionError",
      { message: expect.stringContaining("another write") },
    ],
    [{ status: 400, code: "InvalidPart" }, "PreconditionError", {}],
    [{ status: 400, code: "EntityTooLarge" }, "UsageError", {}],
    [{ status: 400, code: "EntityTooSmall" }, "UsageError", {}],
    [{ status: 416, code: "InvalidRange" }, "UsageError", {}],
    [
      { status: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "eu-central-1" } },
      "UsageError",
      { hint: "--region eu-central-1" },
    ],
    [{ status: 503, code: "SlowDown" }, "UnavailableError", { transient: "throttled" }],
    [
      { status: 429, headers: { "retry-after": "7" } },
      "UnavailableError",
      { transient: "throttled", retryAfterSeconds: 7 },
    ],
    [{ status: 500, code: "InternalError" }, "UnavailableError", { transient: "server" }],
    [{ status: 502 }, "UnavailableError", { transient: "server" }],
    // Complete may answer 200 and then change its mind.
    [{ status: 503, code: "InternalError" }, "UnavailableError", { transient: "server" }],
    [{ status: 503 }, "UnavailableError", { transient: "throttled" }],
    [{ status: 200, code: "SlowDown" }, "UnavailableError", { transient: "throttled" }],
    [{ status: 400, code: "BadDigest" }, "UnavailableError", { transient: "network" }],
    [{ status: 400, code: "RequestTimeout" }, "UnavailableError", { transient: "network" }],
    [{ status: 411, code: "MissingContentLength" }, "UnsupportedError", { feature: "trailers" }],
    [
      { status: 501, code: "NotImplemented", message: "aws-chunked is not supported." },
      "UnsupportedError",
      { feature: "trailers" },
    ],
    [
      { status: 400, code: "InvalidArgument", message: "Unsupported header 'x-amz-checksum-crc32' received" },
      "UnsupportedError",
      { feature: "checksum" },
    ],
    [
      { status: 501, code: "NotImplemented", message: "Conditional object PUTs are not supported." },
      "UnsupportedError",
      { feature: "conditions" },
    ],
    [{ status: 501, code: "NotImplemented" }, "UnsupportedError", { feature: "header" }],
  ])("%j is a %s", (said, name, more) => {
    const error = answer(said)
    expect(translated(error)).toMatchObject({ name, cause: error, ...more })
    expect(translated(error).message).toMatch(/^cannot read s3:\/\/vault\/a\.tar: \S/)
  })

  test.each([
    ["ECONNRESET", undefined],
    ["EPIPE", undefined],
    ["ETIMEDOUT", undefined],
    ["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", undefined],
    ["ECONNREFUSED", expect.stringContaining("--endpoint")],
    ["ENOTFOUND", expect.stringContaining("--endpoint")],
    ["EAI_AGAIN", expect.stringContaining("--endpoint")],
  ])("%s is the network's", (code, hint) => {
    expect(translated(system(code))).toMatchObject({ name: "UnavailableError", transient: "network", hint })
  })

  test("what is not HTTP at all is no answer of S3's", () => {
    const said = translated(system("HPE_INVALID_CONSTANT"))
    expect(said).toMatchObject({ name: "UnavailableError", transient: "garbled" })
  })

  test.each([
    ["DEPTH_ZERO_SELF_SIGNED_CERT", expect.stringContaining("NODE_EXTRA_CA_CERTS")],
    ["CERT_HAS_EXPIRED", expect.stringContaining("NODE_EXTRA_CA_CERTS")],
    ["ERR_SSL_WRONG_VERSION_NUMBER", expect.stringContaining("https")],
  ])("%s is a matter of configuration", (code, hint) => {
    expect(translated(system(code))).toMatchObject({ name: "UsageError", hint })
  })

  test("what OpenSSL has to say is cut to the point", () => {
    const said =
      "write EPROTO 406D:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:a.c:77:"
    expect(translated(system("EPROTO", said)).message).toMatch(/: EPROTO: TLS failed: wrong version number$/)
  })

  test("a connection refused on every address is one", () => {
    const error = new AggregateError([system("ECONNREFUSED"), system("ECONNREFUSED")], "")
    expect(translated(error)).toMatchObject({
      transient: "network",
      message: expect.stringContaining("ECONNREFUSED"),
    })
  })

  test("a timeout is the network's", () => {
    const error = Object.assign(new Error("socket timed out"), { name: "TimeoutError" })
    expect(translated(error)).toMatchObject({ name: "UnavailableError", transient: "network" })
  })

  test("no credentials at all are denied, with what to set", () => {
    const error = Object.assign(new Error("Could not load credentials"), { name: "CredentialsProviderError" })
    expect(translated(error)).toMatchObject({
      name: "DeniedError",
      message: "cannot read s3://vault/a.tar: no usable credentials: Could not load credentials",
      hint: expect.stringContaining("AWS_PROFILE"),
    })
  })
})

test("bugs, and what callers throw, are left alone", () => {
  expect(failureOf(new TypeError("undefined is not a function"))).toBeNull()
  expect(failureOf(new Error("the disk is gone"))).toBeNull()
  expect(failureOf("text")).toBeNull()
})

test("messages are one line of bounded length", () => {
  const { message } = translated(answer({ code: "InvalidRequest", message: `a\nb\tc  d${"x".repeat(1000)}` }))
  expect(message).toMatch(/^cannot read s3:\/\/vault\/a\.tar: InvalidRequest: a b c d/)
  expect(message.length).toBeLessThan(400)
})

test.each<[Answer, string | undefined]>([
  [{ status: 301, headers: { "x-amz-bucket-region": "eu-west-1" } }, "eu-west-1"],
  [{ status: 400, code: "AuthorizationHeaderMalformed", more: { Region: "eu-west-3" } }, "eu-west-3"],
  // HEAD has no body to say why.
  [{ status: 400, headers: { "x-amz-bucket-region": "eu-west-1" } }, "eu-west-1"],
  [{ status: 403, code: "AccessDenied", headers: { "x-amz-bucket-region": "eu-west-1" } }, undefined],
  [{ status: 400, code: "AuthorizationHeaderMalformed" }, undefined],
])("the region %j leads to", (said, region) => {
  const failure = failureOf(answer(said))
  expect(failure && regionOf(failure)).toBe(region)
})
