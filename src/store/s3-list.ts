import {
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  ListPartsCommand,
} from "@aws-sdk/client-s3"
import { addressInput, callInput, customerKeyInput } from "./s3-inputs.ts"
import { checksumOf, etagOf } from "./s3-outputs.ts"
import { garbled, keyDecoder, lengthOf, Pages } from "./s3-pages.ts"
import type { S3Session, Sending } from "./s3-session.ts"
import type {
  CallOptions,
  ListedObject,
  ListedPart,
  ListedUpload,
  ListedVersion,
  ListOptions,
  ObjectAddress,
  ReadOptions,
} from "./store.ts"

const MAX_PARTS = 10_000 // S3 User Guide, "multipart upload limits"
const MAX_UPLOADS = 100_000

export async function* listObjects(
  session: S3Session,
  bucket: string,
  options: ListOptions = {},
): AsyncGenerator<ListedObject> {
  const action = `list s3://${bucket}/${options.prefix ?? ""}`
  const sending: Sending = { action, bucket, about: "bucket", signal: options.signal }
  const pages = new Pages(action)
  for (let token: string | undefined, more = true; more; ) {
    const page = await session.run(sending, (client, http) =>
      client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          ...callInput(options),
          // Keys may hold what XML cannot.
          EncodingType: "url",
          ...(options.prefix !== undefined && { Prefix: options.prefix }),
          ...(options.delimiter && { Delimiter: options.delimiter }),
          ...(options.startAfter !== undefined && { StartAfter: options.startAfter }),
          ...(token !== undefined && { ContinuationToken: token }),
        }),
        http,
      ),
    )
    pages.turn(
      [page.Name, page.KeyCount, page.IsTruncated],
      token,
      page.IsTruncated && page.NextContinuationToken,
    )
    for (const entry of entriesOf(page, action)) {
      if (!pages.key(entry.key, options.prefix)) continue // a common prefix that two pages have
      yield entry
    }
    token = page.NextContinuationToken
    more = (page.IsTruncated ?? false) && token !== undefined
  }
}

/** A page's objects and prefixes come in two lists; together they are in order. */
function entriesOf(page: ListObjectsV2CommandOutput, action: string): ListedObject[] {
  const key = keyDecoder(page.EncodingType, action)
  const objects = (page.Contents ?? []).map(
    (one): ListedObject => ({
      kind: "object",
      key: key(one.Key),
      bytes: lengthOf(one.Size, action),
      etag: etagOf(one.ETag),
      lastModified: one.LastModified,
      storageClass: one.StorageClass,
    }),
  )
  const prefixes = (page.CommonPrefixes ?? []).map(
    (one): ListedObject => ({ kind: "prefix", key: key(one.Prefix) }),
  )
  if (prefixes.length === 0) return objects
  return [...objects, ...prefixes].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
}

export async function* listParts(
  session: S3Session,
  address: ObjectAddress,
  uploadId: string,
  options: ReadOptions = {},
): AsyncGenerator<ListedPart> {
  const action = `list the parts of the upload of s3://${address.bucket}/${address.key}`
  const sending: Sending = { action, bucket: address.bucket, about: "upload", signal: options.signal }
  const pages = new Pages(action)
  let last = 0
  for (let marker: string | undefined, more = true; more; ) {
    const page = await session.run(sending, (client, http) =>
      client.send(
        new ListPartsCommand({
          ...addressInput(address),
          ...callInput(options),
          ...customerKeyInput(options.customerKey),
          UploadId: uploadId,
          ...(marker !== undefined && { PartNumberMarker: marker }),
        }),
        http,
      ),
    )
    pages.turn(
      [page.Bucket, page.UploadId, page.IsTruncated],
      marker,
      page.IsTruncated && page.NextPartNumberMarker,
    )
    for (const part of page.Parts ?? []) {
      const partNumber = part.PartNumber ?? 0
      if (partNumber <= last || partNumber > MAX_PARTS) {
        throw garbled(action, `it lists part ${partNumber} behind part ${last}`)
      }
      last = partNumber
      pages.progress()
      yield {
        partNumber,
        etag: etagOf(part.ETag),
        bytes: lengthOf(part.Size, action),
        checksum: checksumOf(part),
        lastModified: part.LastModified,
      }
    }
    marker = page.NextPartNumberMarker
    more = (page.IsTruncated ?? false) && marker !== undefined
  }
}

export async function* listUploads(
  session: S3Session,
  bucket: string,
  options: { prefix?: string } & CallOptions = {},
): AsyncGenerator<ListedUpload> {
  const action = `list the unfinished uploads of s3://${bucket}`
  const sending: Sending = { action, bucket, about: "bucket", signal: options.signal }
  const pages = new Pages(action)
  let listed = 0
  let encoding: "url" | undefined = "url"
  let markers: { KeyMarker?: string; UploadIdMarker?: string } = {}
  for (let more = true; more; ) {
    const page = await session.run(sending, (client, http) =>
      client.send(
        new ListMultipartUploadsCommand({
          Bucket: bucket,
          ...callInput(options),
          EncodingType: encoding,
          ...(options.prefix !== undefined && { Prefix: options.prefix }),
          ...markers,
        }),
        http,
      ),
    )
    if (encoding && page.EncodingType === undefined && mayBeEncoded(page)) {
      // Ceph encodes these keys and does not say so, others do neither: as they are, they can be told.
      encoding = undefined
      continue
    }
    const key = keyDecoder(page.EncodingType, action)
    const { NextKeyMarker, NextUploadIdMarker } = page
    const asked = markers.KeyMarker && [markers.KeyMarker, markers.UploadIdMarker].join("\0")
    const next = page.IsTruncated && NextKeyMarker && [key(NextKeyMarker), NextUploadIdMarker].join("\0")
    pages.turn([page.Bucket, page.IsTruncated], asked, next)
    for (const upload of page.Uploads ?? []) {
      const address = { bucket, key: key(upload.Key) }
      if (++listed > MAX_UPLOADS) throw garbled(action, `it lists more than ${MAX_UPLOADS} of them`)
      pages.progress()
      const { UploadId: uploadId = "", Initiated: initiated, Initiator } = upload
      yield { address, uploadId, initiated, initiator: Initiator?.ID }
    }
    markers = {
      ...(NextKeyMarker !== undefined && { KeyMarker: key(NextKeyMarker) }),
      ...(NextUploadIdMarker !== undefined && { UploadIdMarker: NextUploadIdMarker }),
    }
    more = (page.IsTruncated ?? false) && NextKeyMarker !== undefined
  }
}

function mayBeEncoded({ Uploads = [], NextKeyMarker = "" }: ListMultipartUploadsCommandOutput): boolean {
  return [NextKeyMarker, ...Uploads.map(({ Key }) => Key ?? "")].some((key) => /[%+]/.test(key))
}

export async function* listVersions(
  session: S3Session,
  bucket: string,
  options: { prefix?: string } & CallOptions = {},
): AsyncGenerator<ListedVersion> {
  const action = `list the versions in s3://${bucket}/${options.prefix ?? ""}`
  const sending: Sending = { action, bucket, about: "bucket", signal: options.signal }
  const pages = new Pages(action)
  let markers: { KeyMarker?: string; VersionIdMarker?: string } = {}
  for (let more = true; more; ) {
    const page = await session.run(sending, (client, http) =>
      client.send(
        new ListObjectVersionsCommand({
          Bucket: bucket,
          ...callInput(options),
          EncodingType: "url",
          ...(options.prefix !== undefined && { Prefix: options.prefix }),
          ...markers,
        }),
        http,
      ),
    )
    const key = keyDecoder(page.EncodingType, action)
    const { NextKeyMarker, NextVersionIdMarker } = page
    const asked = markers.KeyMarker && [markers.KeyMarker, markers.VersionIdMarker].join("\0")
    const next = page.IsTruncated && NextKeyMarker && [key(NextKeyMarker), NextVersionIdMarker].join("\0")
    pages.turn([page.Name, page.IsTruncated], asked, next)
    for (const version of versionsOf(page, key)) {
      pages.key(version.key, options.prefix)
      pages.progress() // one key may have pages of them
      yield version
    }
    markers = {
      ...(NextKeyMarker !== undefined && { KeyMarker: key(NextKeyMarker) }),
      ...(NextVersionIdMarker !== undefined && { VersionIdMarker: NextVersionIdMarker }),
    }
    more = (page.IsTruncated ?? false) && NextKeyMarker !== undefined
  }
}

/** A page's versions and markers come in two lists, each in order; of one key, times tell which is newer. */
function versionsOf(
  page: ListObjectVersionsCommandOutput,
  key: (key: string | undefined) => string,
): ListedVersion[] {
  const versions = (page.Versions ?? []).map((one) => ({
    kind: "version" as const,
    key: key(one.Key),
    versionId: one.VersionId || "null",
    isLatest: one.IsLatest ?? false,
    bytes: one.Size ?? 0,
    etag: etagOf(one.ETag),
    lastModified: one.LastModified,
    storageClass: one.StorageClass,
  }))
  const markers = (page.DeleteMarkers ?? []).map((one) => ({
    kind: "marker" as const,
    key: key(one.Key),
    versionId: one.VersionId || "null",
    isLatest: one.IsLatest ?? false,
    bytes: 0,
    etag: "",
    lastModified: one.LastModified,
    storageClass: undefined,
  }))
  if (markers.length === 0) return versions
  const age = ({ isLatest, lastModified }: ListedVersion) =>
    isLatest ? Number.POSITIVE_INFINITY : (lastModified?.getTime() ?? 0)
  return [...versions, ...markers].sort(
    (a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || age(b) - age(a) || 0,
  )
}
