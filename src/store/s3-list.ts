import {
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  ListPartsCommand,
} from "@aws-sdk/client-s3"
import { addressInput, callInput, customerKeyInput } from "./s3-inputs.ts"
import { checksumOf, etagOf } from "./s3-outputs.ts"
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

export async function* listObjects(
  session: S3Session,
  bucket: string,
  options: ListOptions = {},
): AsyncGenerator<ListedObject> {
  const action = `list s3://${bucket}/${options.prefix ?? ""}`
  const sending: Sending = { action, bucket, about: "bucket", signal: options.signal }
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
    yield* entriesOf(page)
    token = page.NextContinuationToken
    more = (page.IsTruncated ?? false) && token !== undefined
  }
}

/** A page's objects and prefixes come in two lists; together they are in order. */
function entriesOf(page: ListObjectsV2CommandOutput): ListedObject[] {
  const key = keyDecoder(page.EncodingType)
  const objects = (page.Contents ?? []).map(
    (one): ListedObject => ({
      kind: "object",
      key: key(one.Key),
      bytes: one.Size ?? 0,
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
    for (const part of page.Parts ?? []) {
      yield {
        partNumber: part.PartNumber ?? 0,
        etag: etagOf(part.ETag),
        bytes: part.Size ?? 0,
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
  let markers: { KeyMarker?: string; UploadIdMarker?: string } = {}
  for (let more = true; more; ) {
    const page = await session.run(sending, (client, http) =>
      client.send(
        new ListMultipartUploadsCommand({
          Bucket: bucket,
          ...callInput(options),
          EncodingType: "url",
          ...(options.prefix !== undefined && { Prefix: options.prefix }),
          ...markers,
        }),
        http,
      ),
    )
    const key = keyDecoder(page.EncodingType)
    for (const upload of page.Uploads ?? []) {
      const address = { bucket, key: key(upload.Key) }
      const { UploadId: uploadId = "", Initiated: initiated, Initiator } = upload
      yield { address, uploadId, initiated, initiator: Initiator?.ID }
    }
    const { NextKeyMarker, NextUploadIdMarker } = page
    markers = {
      ...(NextKeyMarker !== undefined && { KeyMarker: key(NextKeyMarker) }),
      ...(NextUploadIdMarker !== undefined && { UploadIdMarker: NextUploadIdMarker }),
    }
    more = (page.IsTruncated ?? false) && NextKeyMarker !== undefined
  }
}

export async function* listVersions(
  session: S3Session,
  bucket: string,
  options: { prefix?: string } & CallOptions = {},
): AsyncGenerator<ListedVersion> {
  const action = `list the versions in s3://${bucket}/${options.prefix ?? ""}`
  const sending: Sending = { action, bucket, about: "bucket", signal: options.signal }
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
    yield* versionsOf(page)
    const key = keyDecoder(page.EncodingType)
    const { NextKeyMarker, NextVersionIdMarker } = page
    markers = {
      ...(NextKeyMarker !== undefined && { KeyMarker: key(NextKeyMarker) }),
      ...(NextVersionIdMarker !== undefined && { VersionIdMarker: NextVersionIdMarker }),
    }
    more = (page.IsTruncated ?? false) && NextKeyMarker !== undefined
  }
}

/** A page's versions and markers come in two lists, each in order; of one key, times tell which is newer. */
function versionsOf(page: ListObjectVersionsCommandOutput): ListedVersion[] {
  const key = keyDecoder(page.EncodingType)
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

/** Services that do not know `encoding-type` do not repeat it, and their keys are taken as they are. */
function keyDecoder(encoding: string | undefined): (key: string | undefined) => string {
  return (key = "") => (encoding === "url" ? decodeURIComponent(key.replaceAll("+", " ")) : key)
}
