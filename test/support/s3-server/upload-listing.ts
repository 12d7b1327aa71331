import type { Bucket } from "./bucket.ts"
import { checksumElement } from "./checksums.ts"
import {
  bucketOf,
  type Context,
  type Handlers,
  isoTime,
  quoted,
  type S3Response,
  xmlResponse,
} from "./context.ts"
import { describePrefixes, isAfter, listingQuery, pageOf } from "./listing.ts"
import type { Upload } from "./model.ts"
import { findUpload } from "./multipart.ts"
import { integerParameter } from "./request.ts"

const MAX_PARTS_LISTED = 1000

function listParts(context: Context): S3Response {
  const bucket = bucketOf(context)
  const upload = findUpload(context, bucket)
  const marker = integerParameter(context.request, "part-number-marker") ?? 0
  const maxParts = Math.min(
    integerParameter(context.request, "max-parts") ?? MAX_PARTS_LISTED,
    MAX_PARTS_LISTED,
  )
  const left = [...upload.parts.values()]
    .filter(({ partNumber }) => partNumber > marker)
    .sort((a, b) => a.partNumber - b.partNumber)
  const page = left.slice(0, maxParts)
  const algorithm = upload.checksumAlgorithm
  return xmlResponse("ListPartsResult", {
    Bucket: bucket.name,
    Key: upload.key,
    UploadId: upload.uploadId,
    StorageClass: upload.attributes.storageClass,
    PartNumberMarker: marker,
    NextPartNumberMarker: page.at(-1)?.partNumber ?? 0,
    MaxParts: maxParts,
    IsTruncated: left.length > page.length,
    ChecksumAlgorithm: algorithm,
    ChecksumType: upload.checksumType,
    Part: page.map((part) => ({
      PartNumber: part.partNumber,
      LastModified: isoTime(part.modifiedMs),
      ETag: quoted(part.etag),
      Size: part.bytes,
      ...(algorithm === undefined ? {} : { [checksumElement(algorithm)]: part.checksum }),
    })),
  })
}

/** By key, and by time of creation where one key has several. */
function sortedUploads(bucket: Bucket): Upload[] {
  return [...bucket.uploads.values()].sort(
    (a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || a.sequence - b.sequence,
  )
}

function listUploads(context: Context): S3Response {
  const bucket = bucketOf(context)
  const query = listingQuery(context, "max-uploads")
  const keyMarker = context.request.query.get("key-marker") ?? ""
  const idMarker = context.request.query.get("upload-id-marker") ?? ""
  const uploads = sortedUploads(bucket)
  const lastSequence =
    uploads.find(({ uploadId }) => uploadId === idMarker)?.sequence ?? Number.POSITIVE_INFINITY
  const after = (upload: Upload) =>
    isAfter(upload.key, keyMarker) || (upload.key === keyMarker && upload.sequence > lastSequence)
  const page = pageOf(uploads, ({ key }) => key, query, after, keyMarker)
  return xmlResponse("ListMultipartUploadsResult", {
    Bucket: bucket.name,
    KeyMarker: query.encodeName(keyMarker),
    UploadIdMarker: idMarker,
    NextKeyMarker: page.truncated ? query.encodeName(page.last?.name ?? "") : undefined,
    NextUploadIdMarker: page.truncated ? page.last?.item?.uploadId : undefined,
    Prefix: query.encodeName(query.prefix),
    Delimiter: query.delimiter === "" ? undefined : query.encodeName(query.delimiter),
    EncodingType: query.encodingType,
    MaxUploads: query.maxKeys,
    IsTruncated: page.truncated,
    Upload: page.items.map((upload) => ({
      Key: query.encodeName(upload.key),
      UploadId: upload.uploadId,
      Initiated: isoTime(upload.initiatedMs),
      StorageClass: upload.attributes.storageClass,
      ChecksumAlgorithm: upload.checksumAlgorithm,
      ChecksumType: upload.checksumType,
    })),
    ...describePrefixes(page, query),
  })
}

export const uploadListingHandlers: Handlers = { ListParts: listParts, ListMultipartUploads: listUploads }
