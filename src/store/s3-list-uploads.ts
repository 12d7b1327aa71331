import {
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
} from "@aws-sdk/client-s3"
import { addressInput, callInput, customerKeyInput } from "./s3-inputs.ts"
import { checksumOf, etagOf } from "./s3-outputs.ts"
import { garbled, keyDecoder, lengthOf, Pages } from "./s3-pages.ts"
import type { S3Session, Sending } from "./s3-session.ts"
import type { CallOptions, ListedPart, ListedUpload, ObjectAddress, ReadOptions } from "./store.ts"

const MAX_PARTS = 10_000 // S3 User Guide, "multipart upload limits"
const MAX_UPLOADS = 100_000

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
