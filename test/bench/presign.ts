import { createHash, createHmac } from "node:crypto"
import type { Place } from "./peer.ts"

const EXPIRES_SECONDS = 3600

/**
 * A URL that carries its own signature, so that whoever uses it needs to know nothing of S3.
 *
 * @see Amazon S3 API reference, "Authenticating requests: using query parameters"
 */
export function presign(
  place: Place,
  method: "GET" | "PUT",
  key: string,
  parameters: Readonly<Record<string, string>>,
): string {
  const { host } = new URL(place.endpoint)
  const path = `/${place.bucket}/${key}`
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "")
  const day = time.slice(0, 8)
  const scope = `${day}/${place.region}/s3/aws4_request`
  const query = Object.entries({
    ...parameters,
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${place.accessKeyId}/${scope}`,
    "X-Amz-Date": time,
    "X-Amz-Expires": String(EXPIRES_SECONDS),
    "X-Amz-SignedHeaders": "host",
  })
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort()
    .join("&")
  const canonical = [method, path, query, `host:${host}`, "", "host", "UNSIGNED-PAYLOAD"].join("\n")
  const digest = createHash("sha256").update(canonical).digest("hex")
  const toSign = ["AWS4-HMAC-SHA256", time, scope, digest].join("\n")
  const secret: Buffer | string = `AWS4${place.secretAccessKey}`
  const signingKey = [day, place.region, "s3", "aws4_request"].reduce<Buffer | string>(hmac, secret)
  const signature = createHmac("sha256", signingKey).update(toSign).digest("hex")
  return `${place.endpoint}${path}?${query}&X-Amz-Signature=${signature}`
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest()
}
