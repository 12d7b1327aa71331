import { randomBytes } from "node:crypto"
import { closeSync, openSync } from "node:fs"
import type { Bucket } from "./bucket.ts"
import type { Dialect } from "./dialect.ts"
import { S3Error } from "./errors.ts"
import type { Payload } from "./payload.ts"
import type { S3Request } from "./request.ts"
import type { Store } from "./store.ts"
import { renderXml, XML_DECLARATION, type XmlRecord } from "./xml.ts"

/** A run of bytes of an open file; whoever takes the response closes it. */
export interface FileSlice {
  fd: number
  start: number
  bytes: number
}

export interface S3Response {
  status: number
  headers: Record<string, string>
  /** A document, stored bytes, or a document that is still being made while the connection is kept alive. */
  body?: string | FileSlice | { late: Promise<string> }
}

/** All that an operation may look at. */
export interface Context {
  request: S3Request
  payload: Payload
  store: Store
  dialect: Dialect
  region: string
  nowMs: number
}

export type Handler = (context: Context) => S3Response | Promise<S3Response>
export type Handlers = Readonly<Record<string, Handler>>

export function xmlResponse(
  root: string,
  value: XmlRecord | string,
  headers: Record<string, string> = {},
): S3Response {
  const body = XML_DECLARATION + renderXml(root, value)
  return { status: 200, headers: { "content-type": "application/xml", ...headers }, body }
}

export function emptyResponse(status = 200, headers: Record<string, string> = {}): S3Response {
  return { status, headers }
}

/** Opened at once: the bytes stay readable even if the object is replaced meanwhile. */
export function openSlice(file: string, start: number, bytes: number): FileSlice {
  return { fd: openSync(file, "r"), start, bytes }
}

/** Let go of an answer that will not be sent. */
export function discardResponse(response: S3Response): void {
  if (typeof response.body === "object" && "fd" in response.body) closeSync(response.body.fd)
}

/** The bucket named in the request. @throws {S3Error} NoSuchBucket. */
export function bucketOf(context: Context): Bucket {
  return context.store.bucket(context.request.bucket)
}

/** The key named in the request; every object operation has one. */
export function keyOf(context: Context): string {
  const { key } = context.request
  if (key === undefined) throw new S3Error("InvalidRequest", "There is no key")
  return key
}

/** An id no one can guess, as upload ids and version ids are. */
export function newId(): string {
  return randomBytes(24).toString("base64url")
}

export function quoted(etag: string): string {
  return `"${etag}"`
}

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
