import type { Bucket } from "./bucket.ts"
import {
  bucketOf,
  type Context,
  type Handlers,
  isoTime,
  quoted,
  type S3Response,
  xmlResponse,
} from "./context.ts"
import { refuseIf, S3Error } from "./errors.ts"
import type { ObjectVersion } from "./model.ts"
import { integerParameter } from "./request.ts"
import type { XmlRecord } from "./xml.ts"

const MAX_KEYS = 1000
const owner = { ID: "s3-server", DisplayName: "s3-server" }

/** What every listing is asked. */
export interface ListingQuery {
  prefix: string
  delimiter: string
  maxKeys: number
  encodingType: string | undefined
  /** Names go through this, as `encoding-type=url` wants. */
  encodeName: (name: string) => string
}

export function listingQuery(context: Context, maxParameter: string): ListingQuery {
  const { query } = context.request
  const encodingType = query.get("encoding-type")
  refuseIf(
    encodingType !== undefined && encodingType !== "url",
    "InvalidArgument",
    "Invalid Encoding Method specified in Request",
  )
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    maxKeys: Math.min(integerParameter(context.request, maxParameter) ?? MAX_KEYS, MAX_KEYS),
    encodingType,
    encodeName: (name) =>
      encodingType === undefined
        ? name
        : encodeURIComponent(name).replaceAll("%2F", "/").replaceAll("%20", "+"),
  }
}

export function isAfter(name: string, marker: string): boolean {
  return Buffer.compare(Buffer.from(name), Buffer.from(marker)) > 0
}

/** `a/` for `a/b/c` with prefix ``, delimiter `/`; `undefined` if the name is listed itself. */
function commonPrefix(name: string, { prefix, delimiter }: ListingQuery): string | undefined {
  if (delimiter === "") return undefined
  const at = name.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : name.slice(0, at + delimiter.length)
}

/** A page of a listing. */
export interface Page<T> {
  items: T[]
  prefixes: string[]
  truncated: boolean
  /** The last item or common prefix, where the next page goes on. */
  last: { name: string; item: T | undefined } | undefined
}

/**
 * One page of items that are in order already, gathered under common prefixes.
 *
 * @param after - whether an item comes after where the page before ended.
 * @param marker - its name; a common prefix equal to it was listed on that page.
 */
export function pageOf<T>(
  items: Iterable<T>,
  nameOf: (item: T) => string,
  query: ListingQuery,
  after: (item: T) => boolean,
  marker: string,
): Page<T> {
  const page: Page<T> = { items: [], prefixes: [], truncated: false, last: undefined }
  let prefix: string | undefined
  for (const item of items) {
    const name = nameOf(item)
    if (!name.startsWith(query.prefix) || !after(item)) continue
    const common = commonPrefix(name, query)
    if (common !== undefined && (common === prefix || common === marker)) continue
    if (page.items.length + page.prefixes.length >= query.maxKeys) {
      page.truncated = query.maxKeys > 0
      break
    }
    if (common === undefined) {
      page.items.push(item)
      page.last = { name, item }
    } else {
      prefix = common
      page.prefixes.push(common)
      page.last = { name: common, item: undefined }
    }
  }
  return page
}

function* currentObjects(bucket: Bucket): Generator<ObjectVersion> {
  for (const key of bucket.keys()) {
    const version = bucket.current(key)
    if (version !== undefined) yield version
  }
}

function describeEntry(version: ObjectVersion, query: ListingQuery): XmlRecord {
  return {
    Key: query.encodeName(version.key),
    LastModified: isoTime(version.modifiedMs),
    ETag: quoted(version.etag),
    ChecksumAlgorithm: version.checksum?.algorithm,
    ChecksumType: version.checksum?.type,
    Size: version.bytes,
    StorageClass: version.attributes.storageClass,
  }
}

function describeQuery(bucket: Bucket, query: ListingQuery): XmlRecord {
  return {
    Name: bucket.name,
    Prefix: query.encodeName(query.prefix),
    Delimiter: query.delimiter === "" ? undefined : query.encodeName(query.delimiter),
    MaxKeys: query.maxKeys,
    EncodingType: query.encodingType,
  }
}

export function describePrefixes(page: Page<unknown>, query: ListingQuery): XmlRecord {
  return { CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: query.encodeName(prefix) })) }
}

function decodeToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8")
  if (!text.startsWith("after:"))
    throw new S3Error("InvalidArgument", "The continuation token provided is incorrect")
  return text.slice("after:".length)
}

function listObjectsV2(context: Context): S3Response {
  const bucket = bucketOf(context)
  const query = listingQuery(context, "max-keys")
  const token = context.request.query.get("continuation-token")
  const startAfter = context.request.query.get("start-after")
  const marker = token === undefined ? (startAfter ?? "") : decodeToken(token)
  const page = pageOf(
    currentObjects(bucket),
    ({ key }) => key,
    query,
    ({ key }) => isAfter(key, marker),
    token === undefined ? "" : marker,
  )
  const fetchOwner = context.request.query.get("fetch-owner") === "true"
  return xmlResponse("ListBucketResult", {
    ...describeQuery(bucket, query),
    KeyCount: page.items.length + page.prefixes.length,
    IsTruncated: page.truncated,
    ContinuationToken: token,
    StartAfter: startAfter === undefined ? undefined : query.encodeName(startAfter),
    NextContinuationToken: page.truncated
      ? Buffer.from(`after:${page.last?.name ?? ""}`).toString("base64url")
      : undefined,
    Contents: page.items.map((version) => ({
      ...describeEntry(version, query),
      Owner: fetchOwner ? owner : undefined,
    })),
    ...describePrefixes(page, query),
  })
}

function listObjects(context: Context): S3Response {
  const bucket = bucketOf(context)
  const query = listingQuery(context, "max-keys")
  const marker = context.request.query.get("marker") ?? ""
  const page = pageOf(
    currentObjects(bucket),
    ({ key }) => key,
    query,
    ({ key }) => isAfter(key, marker),
    marker,
  )
  return xmlResponse("ListBucketResult", {
    ...describeQuery(bucket, query),
    Marker: query.encodeName(marker),
    // S3 gives the marker only with a delimiter; without one, the last key serves.
    NextMarker:
      page.truncated && query.delimiter !== "" ? query.encodeName(page.last?.name ?? "") : undefined,
    IsTruncated: page.truncated,
    Contents: page.items.map((version) => ({ ...describeEntry(version, query), Owner: owner })),
    ...describePrefixes(page, query),
  })
}

function* allVersions(bucket: Bucket): Generator<ObjectVersion> {
  for (const key of bucket.keys()) yield* bucket.versionsOf(key)
}

function listObjectVersions(context: Context): S3Response {
  const bucket = bucketOf(context)
  const query = listingQuery(context, "max-keys")
  const keyMarker = context.request.query.get("key-marker") ?? ""
  const versionMarker = context.request.query.get("version-id-marker") ?? ""
  const lastSequence =
    bucket.versionsOf(keyMarker).find(({ versionId }) => versionId === versionMarker)?.sequence ?? 0
  const after = (version: ObjectVersion) =>
    isAfter(version.key, keyMarker) || (version.key === keyMarker && version.sequence < lastSequence)
  const page = pageOf(allVersions(bucket), ({ key }) => key, query, after, keyMarker)
  const describe = (version: ObjectVersion): XmlRecord => ({
    ...(version.deleteMarker
      ? { Key: query.encodeName(version.key), LastModified: isoTime(version.modifiedMs) }
      : describeEntry(version, query)),
    VersionId: version.versionId,
    IsLatest: bucket.versionsOf(version.key)[0] === version,
    Owner: owner,
  })
  const versionId = page.last?.item?.versionId
  return xmlResponse("ListVersionsResult", {
    ...describeQuery(bucket, query),
    KeyMarker: query.encodeName(keyMarker),
    VersionIdMarker: versionMarker,
    NextKeyMarker: page.truncated ? query.encodeName(page.last?.name ?? "") : undefined,
    NextVersionIdMarker: page.truncated ? versionId : undefined,
    IsTruncated: page.truncated,
    Version: page.items.filter((version) => !version.deleteMarker).map(describe),
    DeleteMarker: page.items.filter((version) => version.deleteMarker).map(describe),
    ...describePrefixes(page, query),
  })
}

export const listingHandlers: Handlers = {
  ListObjectsV2: listObjectsV2,
  ListObjects: listObjects,
  ListObjectVersions: listObjectVersions,
}
