import { S3Client } from "@aws-sdk/client-s3"
import fc from "fast-check"
import { expect, test } from "vitest"
import { S3Signer } from "../../../src/store/s3-signature.ts"

// S3 API Reference, "Authenticating Requests: Using the Authorization Header", the example of GET Object.
test("the example of Amazon's documentation", () => {
  const headers = {
    host: "examplebucket.s3.amazonaws.com",
    range: "bytes=0-9",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  }
  const credentials = {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  }
  const request = { method: "GET", path: "/test.txt", query: "", headers }
  const at = new Date("2013-05-24T00:00:00Z")
  expect(new S3Signer("us-east-1").sign(request, credentials, at)).toEqual({
    "x-amz-date": "20130524T000000Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
      "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, " +
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  })
})

test("any request is signed as the SDK signs it", async () => {
  const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
  const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/)
  const encoded = fc.string({ unit: "grapheme" }).map(encodeURIComponent)
  const region = "eu-central-1"
  const signer = new S3Signer(region)
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("GET", "PUT", "HEAD"),
      fc.array(encoded, { minLength: 1 }),
      fc.uniqueArray(fc.tuple(token, fc.string({ unit: "grapheme" })), { selector: ([name]) => name }),
      fc.dictionary(
        token.map((name) => `x-amz-meta-${name}`),
        value,
      ),
      fc.record({
        accessKeyId: token,
        secretAccessKey: value,
        sessionToken: fc.option(value, { nil: undefined }),
      }),
      fc.date({ min: new Date(0), max: new Date("2200-01-01"), noInvalidDate: true }),
      async (method, segments, parameters, metadata, { sessionToken, ...keys }, at) => {
        const credentials = { ...keys, ...(sessionToken !== undefined && { sessionToken }) }
        const headers = {
          ...metadata,
          host: "localhost:9000",
          range: "bytes=0-9",
          "cache-control": "no-store",
          "user-agent": "s3ep",
          "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        }
        const path = `/vault/${segments.join("/")}`
        const query = parameters
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, text]) => `${name}=${rfc3986(text)}`)
          .join("&")
        const client = new S3Client({ region, credentials })
        const sdk = await client.config.signer({
          name: "sigv4",
          signingName: "s3",
          signingRegion: region,
          properties: {},
        })
        const request = {
          method,
          protocol: "http:",
          hostname: "localhost",
          port: 9000,
          path,
          query: Object.fromEntries(parameters),
          headers: { ...headers },
        }
        const expected = await sdk.sign(request, { signingDate: at })
        const signed = signer.sign({ method, path, query, headers }, credentials, at)
        expect(signed["authorization"]).toBe(expected.headers["authorization"])
        expect(signed["x-amz-security-token"]).toBe(expected.headers["x-amz-security-token"])
      },
    ),
  )
})

function rfc3986(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
