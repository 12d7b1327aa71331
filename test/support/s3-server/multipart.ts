import { randomUUID } from "node:crypto"
import { closeSync } from "node:fs"
import { rm, truncate, writeFile } from "node:fs/promises"
import path from "node:path"
import { readAttributes } from "./attributes.ts"
import type { Bucket } from "./bucket.ts"
import {
  type ChecksumAlgorithm,
  type ChecksumType,
  checksumElement,
  checksumHeader,
  parseAlgorithm,
} from "./checksums.ts"
import {
  bucketOf,
  type Context,
  emptyResponse,
  type FileSlice,
  type Handlers,
  isoTime,
  keyOf,
  newId,
  openSlice,
  quoted,
  type S3Response,
  xmlResponse,
} from "./context.ts"
import { findCopySource, forgetting, readSlice } from "./copy.ts"
import { checkCustomerKey, encryptionHeaders, etagOf } from "./encryption.ts"
import { refuseIf, S3Error } from "./errors.ts"
import type { Upload, UploadedPart } from "./model.ts"
import { isHole, type Payload, type Received, receive } from "./payload.ts"
import { integerParameter } from "./request.ts"

const MAX_PART_BYTES = 5 * 1024 ** 3

/** @throws {S3Error} NoSuchUpload, or what the dialect has for it. */
export function findUpload(context: Context, bucket: Bucket): Upload {
  const upload = bucket.uploads.get(context.request.query.get("uploadId") ?? "")
  if (upload === undefined || upload.key !== keyOf(context)) {
    throw new S3Error(context.dialect.missingUploadCode, "The specified upload does not exist.", {
      details: { UploadId: context.request.query.get("uploadId") ?? "" },
    })
  }
  return upload
}

function checksumKind(context: Context): { algorithm?: ChecksumAlgorithm; type?: ChecksumType } {
  const name = context.request.headers.get("x-amz-checksum-algorithm")
  const type = context.request.headers.get("x-amz-checksum-type")
  if (context.dialect.crc32 === "ignored") return {}
  const algorithm = parseAlgorithm(name)
  refuseIf(
    name !== undefined && algorithm === undefined,
    "InvalidRequest",
    "Checksum algorithm is not valid.",
  )
  refuseIf(type !== undefined && algorithm === undefined, "InvalidRequest", "The type needs an algorithm.")
  if (algorithm === undefined) return {}
  const chosen = type ?? (algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE")
  const possible =
    algorithm === "CRC64NVME"
      ? ["FULL_OBJECT"]
      : algorithm.startsWith("SHA")
        ? ["COMPOSITE"]
        : ["FULL_OBJECT", "COMPOSITE"]
  if (chosen !== "FULL_OBJECT" && chosen !== "COMPOSITE")
    throw new S3Error("InvalidRequest", "Unknown checksum type")
  refuseIf(
    !possible.includes(chosen),
    "InvalidRequest",
    `The ${chosen} checksum type cannot be used with the ${algorithm} checksum algorithm.`,
  )
  return { algorithm, type: chosen }
}

function createUpload(context: Context): S3Response {
  const bucket = bucketOf(context)
  const key = keyOf(context)
  const { algorithm, type } = checksumKind(context)
  const upload: Upload = {
    uploadId: newId(),
    key,
    sequence: context.store.nextSequence(),
    initiatedMs: context.nowMs,
    attributes: forgetting(context, readAttributes(context, bucket)),
    ...(algorithm === undefined ? {} : { checksumAlgorithm: algorithm }),
    ...(type === undefined ? {} : { checksumType: type }),
    parts: new Map(),
  }
  bucket.addUpload(upload)
  return xmlResponse(
    "InitiateMultipartUploadResult",
    { Bucket: bucket.name, Key: key, UploadId: upload.uploadId },
    {
      ...encryptionHeaders(upload.attributes.encryption),
      ...(algorithm === undefined ? {} : { "x-amz-checksum-algorithm": algorithm }),
      ...(type === undefined ? {} : { "x-amz-checksum-type": type }),
    },
  )
}

function partNumberOf(context: Context): number {
  const partNumber = integerParameter(context.request, "partNumber") ?? 0
  refuseIf(
    partNumber < 1 || partNumber > context.dialect.maxParts,
    "InvalidArgument",
    `Part number must be an integer between 1 and ${context.dialect.maxParts}, inclusive`,
  )
  return partNumber
}

function checkPartAlgorithm(upload: Upload, payload: Payload): void {
  refuseIf(
    upload.checksumAlgorithm !== undefined &&
      payload.algorithm !== undefined &&
      payload.algorithm !== upload.checksumAlgorithm,
    "InvalidRequest",
    `Checksum Type mismatch occurred, expected checksum Type: ${upload.checksumAlgorithm}, actual checksum Type: ${payload.algorithm}`,
  )
  refuseIf(
    upload.checksumType === "COMPOSITE" && payload.algorithm === undefined,
    "InvalidRequest",
    `The upload was created using a ${upload.checksumAlgorithm} checksum. The parts must have it too.`,
  )
}

/** The upload may be gone by the time the body is in: it is looked for again. */
async function addPart(
  context: Context,
  bucket: Bucket,
  partNumber: number,
  received: Received,
): Promise<{ upload: Upload; part: UploadedPart }> {
  try {
    const upload = findUpload(context, bucket)
    const { bytes, md5, file, checksums } = received
    const algorithm = upload.checksumAlgorithm ?? context.payload.algorithm
    const checksum = algorithm === undefined ? undefined : checksums.get(algorithm)
    const part: UploadedPart = {
      partNumber,
      bytes,
      etag: etagOf(context.dialect.etags === "md5" ? md5 : undefined, upload.attributes.encryption, file),
      modifiedMs: context.nowMs,
      sequence: context.store.nextSequence(),
      ...(checksum === undefined ? {} : { checksum }),
    }
    bucket.addPart(upload, part, file)
    return { upload, part }
  } catch (error) {
    await rm(received.file, { force: true })
    throw error
  }
}

async function uploadPart(context: Context): Promise<S3Response> {
  const { request, payload, store, dialect } = context
  const bucket = bucketOf(context)
  const upload = findUpload(context, bucket)
  const partNumber = partNumberOf(context)
  checkCustomerKey(request.headers, upload.attributes.encryption)
  checkPartAlgorithm(upload, payload)
  const length = request.headers.get("x-amz-decoded-content-length") ?? request.headers.get("content-length")
  refuseIf(
    Number(length) > MAX_PART_BYTES,
    "EntityTooLarge",
    "Your proposed upload exceeds the maximum allowed size",
  )
  const received = await receive(payload.chunks(), store.incoming, {
    claims: payload,
    extra: upload.checksumAlgorithm,
    md5: dialect.etags === "md5",
  })
  const { part } = await addPart(context, bucket, partNumber, received)
  const algorithm = payload.algorithm ?? upload.checksumAlgorithm
  return emptyResponse(200, {
    etag: quoted(part.etag),
    ...(algorithm === undefined || part.checksum === undefined
      ? {}
      : { [checksumHeader(algorithm)]: part.checksum }),
    ...encryptionHeaders(upload.attributes.encryption),
  })
}

/** A hole is copied as one, without a look at its zeros. */
async function receiveHole(slice: FileSlice, directory: string): Promise<Received> {
  closeSync(slice.fd)
  const file = path.join(directory, randomUUID())
  await writeFile(file, "")
  await truncate(file, slice.bytes)
  return { file, bytes: slice.bytes, md5: undefined, checksums: new Map() }
}

function copyRange(header: string | undefined, totalBytes: number): { start: number; bytes: number } {
  if (header === undefined) return { start: 0, bytes: totalBytes }
  const match = /^bytes=(\d+)-(\d+)$/.exec(header)
  const [, first, last] = match ?? []
  const [start, end] = [Number(first), Number(last)]
  refuseIf(
    match === null || start > end,
    "InvalidArgument",
    "The x-amz-copy-source-range value must be of the form bytes=first-last",
  )
  if (end >= totalBytes) {
    throw new S3Error(
      "InvalidArgument",
      `Range specified is not valid for source object of size: ${totalBytes}`,
    )
  }
  return { start, bytes: end - start + 1 }
}

async function uploadPartCopy(context: Context): Promise<S3Response> {
  const { request, store, dialect } = context
  const bucket = bucketOf(context)
  const upload = findUpload(context, bucket)
  const partNumber = partNumberOf(context)
  const source = findCopySource(context)
  const range = copyRange(request.headers.get("x-amz-copy-source-range"), source.version.bytes)
  const slice = openSlice(source.bucket.bodyFile(source.version), range.start, range.bytes)
  const options = { extra: upload.checksumAlgorithm, md5: dialect.etags === "md5", holes: true }
  const hole = isHole(slice.fd) && !options.md5 && options.extra === undefined
  const received = hole
    ? await receiveHole(slice, store.incoming)
    : await receive(readSlice(slice), store.incoming, options)
  const { part } = await addPart(context, bucket, partNumber, received)
  const algorithm = upload.checksumAlgorithm
  return xmlResponse(
    "CopyPartResult",
    {
      LastModified: isoTime(part.modifiedMs),
      ETag: quoted(part.etag),
      ...(algorithm === undefined ? {} : { [checksumElement(algorithm)]: part.checksum }),
    },
    {
      ...encryptionHeaders(upload.attributes.encryption),
      ...(source.bucket.configuration.versioning === undefined
        ? {}
        : { "x-amz-copy-source-version-id": source.version.versionId }),
    },
  )
}

function abortUpload(context: Context): S3Response {
  const bucket = bucketOf(context)
  bucket.removeUpload(findUpload(context, bucket))
  return emptyResponse(204)
}

export const multipartHandlers: Handlers = {
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
  AbortMultipartUpload: abortUpload,
}
