import {
  checkReadable,
  checksumHeaders,
  describeObject,
  findVersion,
  readAttributes,
  responseOverrides,
  versionHeader,
} from "./attributes.ts"
import type { Bucket } from "./bucket.ts"
import type { Checksum } from "./checksums.ts"
import { checkRead, checkWrite } from "./conditions.ts"
import {
  bucketOf,
  type Context,
  emptyResponse,
  type Handlers,
  keyOf,
  newId,
  openSlice,
  quoted,
  type S3Response,
} from "./context.ts"
import { checkCustomerKey, encryptionHeaders, etagOf } from "./encryption.ts"
import { refuseIf, S3Error } from "./errors.ts"
import { checkUnlocked } from "./lock.ts"
import type { ObjectAttributes, ObjectVersion, StoredPart } from "./model.ts"
import { receive } from "./payload.ts"
import { integerParameter } from "./request.ts"

const MAX_PUT_BYTES = 5 * 1024 ** 3

/** What a finished body becomes. */
export interface NewObject {
  key: string
  file: string
  bytes: number
  etag: string
  checksum?: Checksum | undefined
  parts?: StoredPart[]
  attributes: ObjectAttributes
}

/** Make it the newest version. Synchronous, so whatever was just checked still holds. */
export function commitObject({ store, nowMs }: Context, bucket: Bucket, object: NewObject): ObjectVersion {
  const { file, checksum, ...rest } = object
  const version: ObjectVersion = {
    ...rest,
    ...(checksum === undefined ? {} : { checksum }),
    versionId: bucket.configuration.versioning === "Enabled" ? newId() : "null",
    sequence: store.nextSequence(),
    modifiedMs: nowMs,
    deleteMarker: false,
  }
  bucket.add(version, file)
  return version
}

async function putObject(context: Context): Promise<S3Response> {
  const { request, payload, store, dialect } = context
  const bucket = bucketOf(context)
  const key = keyOf(context)
  const attributes = readAttributes(context, bucket)
  refuseIf(
    Number(request.headers.get("x-amz-decoded-content-length") ?? request.headers.get("content-length")) >
      MAX_PUT_BYTES,
    "EntityTooLarge",
    "Your proposed upload exceeds the maximum allowed size",
  )
  const locked = attributes.retention !== undefined || attributes.legalHold
  refuseIf(
    locked &&
      payload.algorithm === undefined &&
      payload.contentMd5 === undefined &&
      dialect.crc32 !== "ignored",
    "InvalidRequest",
    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
  )
  const received = await receive(payload.chunks(), store.incoming, {
    claims: payload,
    md5: dialect.etags === "md5",
    holes: true,
  })
  const { file, bytes, md5, checksums } = received
  const value = payload.algorithm === undefined ? undefined : checksums.get(payload.algorithm)
  const checksum: Checksum | undefined =
    payload.algorithm === undefined || value === undefined
      ? undefined
      : { algorithm: payload.algorithm, value, type: "FULL_OBJECT" }
  checkWrite(request.headers, bucket.current(key), dialect.conditionalPut)
  const etag = etagOf(dialect.etags === "md5" ? md5 : undefined, attributes.encryption, file)
  const version = commitObject(context, bucket, { key, file, bytes, etag, checksum, attributes })
  return emptyResponse(200, {
    etag: quoted(version.etag),
    ...versionHeader(version, bucket),
    ...checksumHeaders(checksum),
    ...encryptionHeaders(attributes.encryption),
  })
}

interface Extent {
  start: number
  bytes: number
  /** Set if the answer is a part of the object. */
  contentRange?: string
}

/** One range of bytes; several, or what cannot be read, are answered with the whole, as HTTP allows. */
function parseRange(header: string | undefined, totalBytes: number): Extent {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "")
  const [, first = "", last = ""] = match ?? []
  if (match === null || (first === "" && last === "")) return { start: 0, bytes: totalBytes }
  const start = first === "" ? Math.max(0, totalBytes - Number(last)) : Number(first)
  const end = first === "" || last === "" ? totalBytes - 1 : Math.min(Number(last), totalBytes - 1)
  if (first !== "" && last !== "" && Number(last) < Number(first)) return { start: 0, bytes: totalBytes }
  if (start >= totalBytes || (first === "" && Number(last) === 0)) {
    throw new S3Error("InvalidRange", "The requested range is not satisfiable", {
      details: { RangeRequested: header ?? "", ActualObjectSize: String(totalBytes) },
      headers: { "content-range": `bytes */${totalBytes}` },
    })
  }
  return { start, bytes: end - start + 1, contentRange: `bytes ${start}-${end}/${totalBytes}` }
}

function extentOfPart(version: ObjectVersion, partNumber: number): Extent {
  const parts = version.parts ?? [{ partNumber: 1, bytes: version.bytes }]
  const part = parts[partNumber - 1]
  if (part === undefined)
    throw new S3Error("InvalidPartNumber", "The requested partnumber is not satisfiable")
  const start = parts.slice(0, partNumber - 1).reduce((sum, { bytes }) => sum + bytes, 0)
  if (part.bytes === 0) return { start, bytes: 0 }
  return {
    start,
    bytes: part.bytes,
    contentRange: `bytes ${start}-${start + part.bytes - 1}/${version.bytes}`,
  }
}

function readObject(context: Context): {
  bucket: Bucket
  version: ObjectVersion
  extent: Extent
  response: S3Response
} {
  const { request } = context
  const bucket = bucketOf(context)
  const version = findVersion(bucket, keyOf(context), request.query.get("versionId"))
  checkCustomerKey(request.headers, version.attributes.encryption)
  checkRead(request.headers, version)
  const partNumber = integerParameter(request, "partNumber")
  const range = request.headers.get("range")
  refuseIf(
    partNumber !== undefined && range !== undefined,
    "InvalidRequest",
    "Cannot specify both Range and partNumber",
  )
  const extent =
    partNumber === undefined ? parseRange(range, version.bytes) : extentOfPart(version, partNumber)
  // A checksum is of the whole object, so a range goes without.
  const verifiable =
    request.headers.get("x-amz-checksum-mode") === "ENABLED" && extent.bytes === version.bytes
  const response = emptyResponse(extent.contentRange === undefined ? 200 : 206, {
    ...describeObject(version, bucket),
    ...responseOverrides(request.query),
    ...(verifiable ? checksumHeaders(version.checksum) : {}),
    ...(extent.contentRange === undefined ? {} : { "content-range": extent.contentRange }),
    ...(partNumber === undefined || version.parts === undefined
      ? {}
      : { "x-amz-mp-parts-count": String(version.parts.length) }),
    "content-length": String(extent.bytes),
  })
  return { bucket, version, extent, response }
}

function getObject(context: Context): S3Response {
  const { bucket, version, extent, response } = readObject(context)
  checkReadable(version)
  return { ...response, body: openSlice(bucket.bodyFile(version), extent.start, extent.bytes) }
}

/** What a deletion did, for one key. */
export interface Deletion {
  versionId?: string
  /** A marker was made, or a marker was removed. */
  deleteMarker: boolean
}

/**
 * Delete one version, or put a delete marker where versioning is on. A key that is not there is fine.
 *
 * @throws {S3Error} AccessDenied if the version is locked.
 */
export function deleteOne(
  context: Context,
  bucket: Bucket,
  key: string,
  versionId: string | undefined,
): Deletion {
  const { request, nowMs, store } = context
  if (versionId !== undefined) {
    const version = bucket.versionsOf(key).find((candidate) => candidate.versionId === versionId)
    if (version === undefined) return { versionId, deleteMarker: false }
    checkUnlocked(version, request.headers, nowMs)
    bucket.remove(version)
    return { versionId, deleteMarker: version.deleteMarker }
  }
  const { versioning } = bucket.configuration
  if (versioning === undefined) {
    for (const version of bucket.versionsOf(key)) bucket.remove(version)
    return { deleteMarker: false }
  }
  const marker: ObjectVersion = {
    key,
    versionId: versioning === "Enabled" ? newId() : "null",
    sequence: store.nextSequence(),
    modifiedMs: nowMs,
    deleteMarker: true,
    bytes: 0,
    etag: "",
    attributes: { headers: {}, metadata: {}, tags: [], storageClass: "STANDARD", legalHold: false },
  }
  bucket.add(marker, undefined)
  return { versionId: marker.versionId, deleteMarker: true }
}

function deleteObject(context: Context): S3Response {
  const bucket = bucketOf(context)
  const key = keyOf(context)
  const versionId = context.request.query.get("versionId")
  const target =
    versionId === undefined
      ? bucket.current(key)
      : bucket.versionsOf(key).find((candidate) => candidate.versionId === versionId)
  const ifMatch = context.request.headers.get("if-match")
  if (ifMatch !== undefined)
    checkWrite(new Map([["if-match", ifMatch]]), target, context.dialect.conditionalPut)
  const deletion = deleteOne(context, bucket, key, versionId)
  return emptyResponse(204, {
    ...(deletion.versionId === undefined ? {} : { "x-amz-version-id": deletion.versionId }),
    ...(deletion.deleteMarker ? { "x-amz-delete-marker": "true" } : {}),
  })
}

export const objectHandlers: Handlers = {
  PutObject: putObject,
  GetObject: getObject,
  HeadObject: (context) => readObject(context).response,
  DeleteObject: deleteObject,
}
