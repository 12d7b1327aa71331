import type { Dialect } from "./dialect.ts"
import { S3Error } from "./errors.ts"
import type { ObjectVersion } from "./model.ts"

type Headers = ReadonlyMap<string, string>

function etags(text: string): string[] {
  return text.split(",").map((etag) =>
    etag
      .trim()
      .replace(/^W\//, "")
      .replace(/^"(.*)"$/, "$1"),
  )
}

function matches(text: string, etag: string): boolean {
  return etags(text).some((candidate) => candidate === "*" || candidate === etag)
}

function failed(condition: string): S3Error {
  return new S3Error("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", {
    details: { Condition: condition },
  })
}

/** HTTP dates count in whole seconds. */
function modifiedAfter(version: ObjectVersion, date: string): boolean | undefined {
  const sinceMs = Date.parse(date)
  return Number.isNaN(sinceMs) ? undefined : Math.floor(version.modifiedMs / 1000) * 1000 > sinceMs
}

/**
 * Conditions of GET and HEAD, in the order of RFC 9110, section 13.2.2.
 *
 * @throws {S3Error} PreconditionFailed or NotModified.
 */
export function checkRead(headers: Headers, version: ObjectVersion): void {
  const ifMatch = headers.get("if-match")
  const ifNoneMatch = headers.get("if-none-match")
  const unmodifiedSince = headers.get("if-unmodified-since")
  const modifiedSince = headers.get("if-modified-since")
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, version.etag)) throw failed("If-Match")
  } else if (unmodifiedSince !== undefined && modifiedAfter(version, unmodifiedSince) === true) {
    throw failed("If-Unmodified-Since")
  }
  const unchanged =
    ifNoneMatch === undefined
      ? modifiedSince !== undefined && modifiedAfter(version, modifiedSince) === false
      : matches(ifNoneMatch, version.etag)
  if (!unchanged) return
  throw new S3Error("NotModified", "Not Modified", {
    headers: { etag: `"${version.etag}"`, "last-modified": new Date(version.modifiedMs).toUTCString() },
  })
}

/**
 * Conditions on the source of a copy.
 *
 * @throws {S3Error} PreconditionFailed.
 */
export function checkCopySource(headers: Headers, version: ObjectVersion, dialect: Dialect): void {
  const prefix = dialect.copySourceIfMatch === "rgw" ? "x-amz-copy-if-" : "x-amz-copy-source-if-"
  const condition = (name: string) => headers.get(`${prefix}${name}`)
  const ifMatch = condition("match")
  const ifNoneMatch = condition("none-match")
  const unmodifiedSince = condition("unmodified-since")
  const modifiedSince = condition("modified-since")
  if ((ifMatch ?? ifNoneMatch ?? unmodifiedSince ?? modifiedSince) === undefined) return
  if (dialect.copySourceIfMatch === "ignored") return
  if (dialect.copySourceIfMatch === "501")
    throw new S3Error("NotImplemented", "Copy conditions are not implemented")
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, version.etag)) throw failed("x-amz-copy-source-If-Match")
  } else if (unmodifiedSince !== undefined && modifiedAfter(version, unmodifiedSince) === true) {
    throw failed("x-amz-copy-source-If-Unmodified-Since")
  }
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, version.etag)) throw failed("x-amz-copy-source-If-None-Match")
  } else if (modifiedSince !== undefined && modifiedAfter(version, modifiedSince) === false) {
    throw failed("x-amz-copy-source-If-Modified-Since")
  }
}

/**
 * Conditions of a write, against what is there at that moment.
 *
 * @param rule - the dialect's for this operation.
 * @throws {S3Error} PreconditionFailed, NoSuchKey, NotImplemented.
 */
export function checkWrite(
  headers: Headers,
  current: ObjectVersion | undefined,
  rule: "honoured" | "ignored" | "501",
): void {
  const ifMatch = headers.get("if-match")
  const ifNoneMatch = headers.get("if-none-match")
  if (ifMatch === undefined && ifNoneMatch === undefined) return
  if (rule === "ignored") return
  if (rule === "501") {
    throw new S3Error(
      "NotImplemented",
      "A header you provided implies functionality that is not implemented",
      {
        details: { Header: ifMatch === undefined ? "If-None-Match" : "If-Match" },
      },
    )
  }
  if (ifMatch !== undefined) {
    if (current === undefined) throw new S3Error("NoSuchKey", "The specified key does not exist.")
    if (!matches(ifMatch, current.etag)) throw failed("If-Match")
  }
  if (ifNoneMatch === undefined) return
  if (ifNoneMatch !== "*")
    throw new S3Error("NotImplemented", "If-None-Match takes * only", {
      details: { Header: "If-None-Match" },
    })
  if (current !== undefined) throw failed("If-None-Match")
}
