import { createHash, randomUUID } from "node:crypto"
import { type FileHandle, open, rm } from "node:fs/promises"
import path from "node:path"
import { checksumHeaders, versionHeader } from "./attributes.ts"
import type { Bucket } from "./bucket.ts"
import {
  type Checksum,
  type ChecksumAlgorithm,
  checksumAlgorithms,
  checksumElement,
  checksumHeader,
  combineChecksums,
} from "./checksums.ts"
import { checkWrite } from "./conditions.ts"
import {
  bucketOf,
  type Context,
  type Handlers,
  keyOf,
  quoted,
  type S3Response,
  xmlResponse,
} from "./context.ts"
import { encryptionHeaders } from "./encryption.ts"
import { refuseIf, S3Error } from "./errors.ts"
import type { ObjectVersion, Upload, UploadedPart } from "./model.ts"
import { findUpload } from "./multipart.ts"
import { commitObject } from "./objects.ts"
import { isHole, isZero, readDocument } from "./payload.ts"
import {
  childrenNamed,
  malformedXml,
  parseXml,
  renderErrorXml,
  renderXml,
  textAt,
  XML_DECLARATION,
} from "./xml.ts"

const COPY_BYTES = 1024 * 1024

interface NamedPart {
  partNumber: number
  etag: string
  checksums: Map<ChecksumAlgorithm, string>
}

function parseDocument(document: string): NamedPart[] {
  const elements = childrenNamed(parseXml(document), "Part")
  if (elements.length === 0 || elements.length > 10_000) throw malformedXml()
  return elements.map((element) => {
    const partNumber = Number(textAt(element, "PartNumber"))
    const etag = textAt(element, "ETag")
    if (!Number.isInteger(partNumber) || etag === undefined) throw malformedXml()
    const checksums = new Map<ChecksumAlgorithm, string>()
    for (const algorithm of checksumAlgorithms) {
      const value = textAt(element, checksumElement(algorithm))
      if (value !== undefined) checksums.set(algorithm, value)
    }
    return { partNumber, etag: etag.trim().replaceAll('"', ""), checksums }
  })
}

function invalidPart({ partNumber, etag }: NamedPart, uploadId: string, why: string): S3Error {
  return new S3Error("InvalidPart", why, {
    details: { UploadId: uploadId, PartNumber: String(partNumber), ETag: etag },
  })
}

const NOT_FOUND =
  "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."

function chooseParts(named: NamedPart[], upload: Upload): UploadedPart[] {
  let before = 0
  for (const { partNumber } of named) {
    refuseIf(partNumber <= before, "InvalidPartOrder", "The list of parts was not in ascending order.")
    before = partNumber
  }
  return named.map((part) => {
    const uploaded = upload.parts.get(part.partNumber)
    if (uploaded === undefined || uploaded.etag !== part.etag)
      throw invalidPart(part, upload.uploadId, NOT_FOUND)
    for (const [algorithm, value] of part.checksums) {
      if (upload.checksumAlgorithm === algorithm && uploaded.checksum !== value) {
        throw invalidPart(part, upload.uploadId, NOT_FOUND)
      }
    }
    const missing = upload.checksumType === "COMPOSITE" && part.checksums.size === 0
    refuseIf(
      missing,
      "InvalidRequest",
      `The upload was created using a checksum. The complete request must include it for each part. It was missing for part ${part.partNumber} in the request.`,
    )
    return uploaded
  })
}

function checkSizes(parts: UploadedPart[], upload: Upload, { dialect }: Context): void {
  for (const part of parts.slice(0, -1)) {
    if (part.bytes < dialect.minPartBytes) {
      throw new S3Error("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", {
        details: {
          ETag: part.etag,
          MinSizeAllowed: String(dialect.minPartBytes),
          ProposedSize: String(part.bytes),
          PartNumber: String(part.partNumber),
        },
      })
    }
    if (dialect.equalPartSizes && part.bytes !== parts[0]?.bytes) {
      throw new S3Error("InvalidPart", "All non-trailing parts must have the same length.", {
        details: { UploadId: upload.uploadId },
      })
    }
  }
}

function wholeChecksum(parts: UploadedPart[], upload: Upload, context: Context): Checksum | undefined {
  const { checksumAlgorithm: algorithm, checksumType: type } = upload
  if (algorithm === undefined || type === undefined) return undefined
  const values = parts.map(({ checksum = "", bytes }) => ({ value: checksum, bytes }))
  const checksum = combineChecksums(algorithm, type, values)
  const claimed = context.request.headers.get(checksumHeader(algorithm))
  const claimedType = context.request.headers.get("x-amz-checksum-type")
  refuseIf(
    claimedType !== undefined && claimedType !== type,
    "InvalidRequest",
    `The upload was created using the ${type} checksum mode. The complete request must use the same checksum mode.`,
  )
  refuseIf(
    claimed !== undefined && claimed !== checksum.value && claimed !== checksum.value.replace(/-\d+$/, ""),
    "BadDigest",
    `The ${algorithm} you specified did not match the calculated checksum.`,
  )
  return checksum
}

function checkSize(parts: UploadedPart[], { request }: Context): void {
  const claimed = request.headers.get("x-amz-mp-object-size")
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  refuseIf(
    claimed !== undefined && Number(claimed) !== bytes,
    "InvalidRequest",
    "The provided 'x-amz-mp-object-size' header value does not match what was computed.",
  )
}

/** Copy a whole file to a place in another one. */
async function copyInto(output: FileHandle, file: string, position: number): Promise<void> {
  const input = await open(file)
  try {
    if (isHole(input.fd)) return
    const buffer = Buffer.allocUnsafe(COPY_BYTES)
    let offset = 0
    for (;;) {
      const { bytesRead } = await input.read(buffer, 0, buffer.length, offset)
      if (bytesRead === 0) return
      // Zeros are left as a hole, so that a large sparse object stays small on the disk.
      if (!isZero(buffer.subarray(0, bytesRead))) await output.write(buffer, 0, bytesRead, position + offset)
      offset += bytesRead
    }
  } finally {
    await input.close()
  }
}

/** Several at once, each to where it belongs: reading one goes on while another is written. */
async function concatenate(parts: { file: string; bytes: number }[], target: string): Promise<void> {
  const output = await open(target, "wx")
  try {
    let position = 0
    const placed = parts.map(({ file, bytes }) => {
      const at = position
      position += bytes
      return { file, at }
    })
    const next = placed.values()
    const worker = async () => {
      for (const { file, at } of next) await copyInto(output, file, at)
    }
    await Promise.all([worker(), worker(), worker()])
    await output.truncate(position)
  } finally {
    await output.close()
  }
}

interface Completion {
  bucket: Bucket
  version: ObjectVersion
}

/** Finished uploads by bucket, for a client that lost the answer and asks again. */
const finished = new WeakMap<Bucket, Map<string, ObjectVersion>>()
const running = new WeakMap<Upload, Promise<unknown>>()

async function assemble(
  context: Context,
  bucket: Bucket,
  upload: Upload,
  named: NamedPart[],
): Promise<ObjectVersion> {
  const { request, dialect, store } = context
  const key = keyOf(context)
  const parts = chooseParts(named, upload)
  checkSizes(parts, upload, context)
  checkSize(parts, context)
  const checksum = wholeChecksum(parts, upload, context)
  const check = () => checkWrite(request.headers, bucket.current(key), dialect.conditionalComplete)
  check()
  const file = path.join(store.incoming, randomUUID())
  try {
    await concatenate(
      parts.map((part) => ({ file: bucket.partFile(upload, part), bytes: part.bytes })),
      file,
    )
    // Someone else may have written the key meanwhile, or aborted the upload.
    check()
    findUpload(context, bucket)
    const md5s = Buffer.concat(parts.map((part) => Buffer.from(part.etag, "hex")))
    const version = commitObject(context, bucket, {
      key,
      file,
      bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
      etag: `${createHash("md5").update(md5s).digest("hex")}-${parts.length}`,
      checksum,
      parts: parts.map(({ partNumber, bytes, checksum: of }) => ({
        partNumber,
        bytes,
        ...(of === undefined ? {} : { checksum: of }),
      })),
      attributes: upload.attributes,
    })
    bucket.removeUpload(upload)
    return version
  } catch (error) {
    // Parts vanish under the copying when the upload is aborted, and that is the thing to tell.
    findUpload(context, bucket)
    throw error
  } finally {
    await rm(file, { force: true })
  }
}

async function complete(context: Context, named: NamedPart[]): Promise<Completion> {
  const bucket = bucketOf(context)
  const uploadId = context.request.query.get("uploadId") ?? ""
  const known = bucket.uploads.get(uploadId)
  if (known !== undefined) await running.get(known)?.catch(() => undefined)
  const before = finished.get(bucket)?.get(uploadId)
  if (before !== undefined && before.key === keyOf(context) && context.dialect.secondComplete === "200") {
    return { bucket, version: before }
  }
  const upload = findUpload(context, bucket)
  const work = assemble(context, bucket, upload, named)
  running.set(upload, work)
  try {
    const version = await work
    const versions = finished.get(bucket) ?? new Map<string, ObjectVersion>()
    finished.set(bucket, versions.set(uploadId, version))
    return { bucket, version }
  } finally {
    running.delete(upload)
  }
}

function result({ bucket, version }: Completion, location: string) {
  const { checksum } = version
  return {
    Location: location,
    Bucket: bucket.name,
    Key: version.key,
    ETag: quoted(version.etag),
    ...(checksum === undefined
      ? {}
      : { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }),
  }
}

async function completeUpload(context: Context): Promise<S3Response> {
  const { request, dialect } = context
  const location = `http://${request.headers.get("host")}${request.path}`
  // The Complete request's checksum header is the object's, not that of the document it sends.
  const document = await readDocument({ ...context.payload, algorithm: undefined })
  const work = (async () => complete(context, parseDocument(document)))()
  if (!dialect.lateCompleteWhitespace) {
    const completion = await work
    return xmlResponse("CompleteMultipartUploadResult", result(completion, location), {
      ...versionHeader(completion.version, completion.bucket),
      ...checksumHeaders(completion.version.checksum),
      ...encryptionHeaders(completion.version.attributes.encryption),
    })
  }
  const late = work.then(
    (completion) => renderXml("CompleteMultipartUploadResult", result(completion, location)),
    (error: unknown) => {
      if (!(error instanceof S3Error)) throw error
      return renderErrorXml({
        Code: error.code,
        Message: error.message,
        ...error.details,
        RequestId: request.id,
      })
    },
  )
  return {
    status: 200,
    headers: { "content-type": "application/xml" },
    body: { late: late.then((text) => `${XML_DECLARATION}${text}`) },
  }
}

export const completeHandlers: Handlers = { CompleteMultipartUpload: completeUpload }
