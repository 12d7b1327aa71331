import { createHash, timingSafeEqual } from "node:crypto"
import { refuseIf, S3Error } from "./errors.ts"
import type { Encryption } from "./model.ts"

type Headers = ReadonlyMap<string, string>

const customerPrefix = "x-amz-server-side-encryption-customer-"

function readCustomerKey(headers: Headers, prefix: string): Encryption | undefined {
  const algorithm = headers.get(`${prefix}algorithm`)
  const key = headers.get(`${prefix}key`)
  const md5 = headers.get(`${prefix}key-md5`)
  if (algorithm === undefined && key === undefined && md5 === undefined) return undefined
  refuseIf(algorithm !== "AES256", "InvalidArgument", "The SSE-C algorithm must be AES256")
  const bytes = Buffer.from(key ?? "", "base64")
  refuseIf(bytes.length !== 32, "InvalidArgument", "The secret key was invalid for the specified algorithm.")
  const actual = createHash("md5").update(bytes).digest("base64")
  refuseIf(
    actual !== md5,
    "InvalidArgument",
    "The calculated MD5 hash of the key did not match the hash provided.",
  )
  return { kind: "customer", customerKeyMd5: actual }
}

/** What a write asks for. @throws {S3Error} InvalidArgument. */
export function readEncryption(headers: Headers): Encryption | undefined {
  const customer = readCustomerKey(headers, customerPrefix)
  const kind = headers.get("x-amz-server-side-encryption")
  const kmsKeyId = headers.get("x-amz-server-side-encryption-aws-kms-key-id")
  refuseIf(customer !== undefined && kind !== undefined, "InvalidArgument", "SSE-C excludes other encryption")
  if (customer !== undefined) return customer
  if (kind === undefined) return undefined
  if (kind === "AES256") {
    refuseIf(kmsKeyId !== undefined, "InvalidArgument", "A KMS key id needs aws:kms")
    return { kind }
  }
  if (kind !== "aws:kms" && kind !== "aws:kms:dsse") {
    throw new S3Error("InvalidArgument", "The encryption method specified is not supported")
  }
  return { kind, kmsKeyId: kmsKeyId ?? "alias/aws/s3" }
}

/** The headers that report it. */
export function encryptionHeaders(encryption: Encryption | undefined): Record<string, string> {
  if (encryption === undefined) return {}
  if (encryption.kind === "customer") {
    return {
      [`${customerPrefix}algorithm`]: "AES256",
      [`${customerPrefix}key-md5`]: encryption.customerKeyMd5 ?? "",
    }
  }
  const keyId = encryption.kmsKeyId
  return {
    "x-amz-server-side-encryption": encryption.kind,
    ...(keyId === undefined ? {} : { "x-amz-server-side-encryption-aws-kms-key-id": keyId }),
  }
}

/**
 * SSE-C: reading takes the key the object was written with.
 *
 * @param from - `copySource` when the object is the source of a copy.
 * @throws {S3Error} InvalidRequest without a key, AccessDenied with another one.
 */
export function checkCustomerKey(
  headers: Headers,
  encryption: Encryption | undefined,
  from: "request" | "copySource" = "request",
): void {
  const prefix = from === "request" ? customerPrefix : "x-amz-copy-source-server-side-encryption-customer-"
  const given = readCustomerKey(headers, prefix)
  if (encryption?.kind !== "customer") {
    refuseIf(
      given !== undefined,
      "InvalidRequest",
      "The encryption parameters are not applicable to this object.",
    )
    return
  }
  if (given === undefined) {
    throw new S3Error(
      "InvalidRequest",
      "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
    )
  }
  const expected = Buffer.from(encryption.customerKeyMd5 ?? "")
  const actual = Buffer.from(given.customerKeyMd5 ?? "")
  refuseIf(
    expected.length !== actual.length || !timingSafeEqual(expected, actual),
    "AccessDenied",
    "Access Denied",
  )
}

/**
 * The ETag is the MD5 of the bytes in the clear and under SSE-S3 only, so no client may rely on it.
 *
 * @param md5 - hex; `undefined` where it was not computed.
 * @param salt - anything unlike for every write.
 */
export function etagOf(md5: string | undefined, encryption: Encryption | undefined, salt: string): string {
  if (md5 !== undefined && (encryption === undefined || encryption.kind === "AES256")) return md5
  return createHash("md5").update(`${md5} ${salt}`).digest("hex")
}
