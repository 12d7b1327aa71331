import { closeSync, createReadStream } from "node:fs"
import {
  checkReadable,
  checksumHeaders,
  findVersion,
  readAttributes,
  readTags,
  versionHeader,
} from "./attributes.ts"
import type { Bucket } from "./bucket.ts"
import { type Checksum, checksumElement, parseAlgorithm } from "./checksums.ts"
import { checkCopySource, checkWrite } from "./conditions.ts"
import {
  bucketOf,
  type Context,
  type FileSlice,
  type Handlers,
  isoTime,
  keyOf,
  openSlice,
  quoted,
  type S3Response,
  xmlResponse,
} from "./context.ts"
import { checkCustomerKey, encryptionHeaders, etagOf } from "./encryption.ts"
import { refuseIf, S3Error } from "./errors.ts"
import type { ObjectAttributes, ObjectVersion } from "./model.ts"
import { commitObject } from "./objects.ts"
import { receive } from "./payload.ts"

const MAX_COPY_BYTES = 5 * 1024 ** 3

/** Read a slice to its end and close it. */
export async function* readSlice(slice: FileSlice): AsyncGenerator<Buffer> {
  if (slice.bytes === 0) {
    closeSync(slice.fd)
    return
  }
  yield* createReadStream("", {
    fd: slice.fd,
    start: slice.start,
    end: slice.start + slice.bytes - 1,
    highWaterMark: 1024 * 1024,
  })
}

export interface CopySource {
  bucket: Bucket
  version: ObjectVersion
}

/**
 * The object `x-amz-copy-source` names, with its conditions checked.
 *
 * @throws {S3Error} NoSuchBucket, NoSuchKey, PreconditionFailed, InvalidArgument.
 */
export function findCopySource(context: Context): CopySource {
  const { request, store, dialect } = context
  const header = request.headers.get("x-amz-copy-source") ?? ""
  const [path = "", versionId] = header.split("?versionId=")
  let decoded: string
  try {
    decoded = decodeURIComponent(path).replace(/^\//, "")
  } catch {
    throw new S3Error("InvalidArgument", "Copy Source must mention the source bucket and key")
  }
  const slash = decoded.indexOf("/")
  refuseIf(
    slash < 1 || slash === decoded.length - 1,
    "InvalidArgument",
    "Copy Source must mention bucket and key",
  )
  const bucket = store.bucket(decoded.slice(0, slash))
  const version = findVersion(bucket, decoded.slice(slash + 1), versionId)
  checkReadable(version)
  checkCustomerKey(request.headers, version.attributes.encryption, "copySource")
  checkCopySource(request.headers, version, dialect)
  return { bucket, version }
}

/** `REPLACE` takes the request's attributes; `COPY`, the default, the source's. */
function attributesOfCopy(context: Context, bucket: Bucket, source: ObjectVersion): ObjectAttributes {
  const { headers } = context.request
  const asked = readAttributes(context, bucket)
  const replaces = (directive: string) => {
    const value = headers.get(directive) ?? "COPY"
    refuseIf(value !== "COPY" && value !== "REPLACE", "InvalidArgument", `Unknown ${directive}.`)
    return value === "REPLACE"
  }
  const described = replaces("x-amz-metadata-directive") ? asked : source.attributes
  return {
    ...asked,
    headers: described.headers,
    metadata: described.metadata,
    tags: replaces("x-amz-tagging-directive")
      ? readTags(headers.get("x-amz-tagging"))
      : source.attributes.tags,
  }
}

/** Some services take tags with a copy, or an upload, and do not keep them. */
export function forgetting({ dialect }: Context, attributes: ObjectAttributes): ObjectAttributes {
  return dialect.copyTags === "kept" ? attributes : { ...attributes, tags: [] }
}

async function copyObject(context: Context): Promise<S3Response> {
  const { request, store, dialect } = context
  const bucket = bucketOf(context)
  const key = keyOf(context)
  const source = findCopySource(context)
  const { version } = source
  const attributes = forgetting(context, attributesOfCopy(context, bucket, version))
  const onItself = source.bucket === bucket && version.key === key && bucket.current(key) === version
  const changes =
    request.headers.get("x-amz-metadata-directive") === "REPLACE" ||
    request.headers.get("x-amz-tagging-directive") === "REPLACE" ||
    request.headers.has("x-amz-storage-class") ||
    attributes.encryption !== undefined
  refuseIf(
    onItself && !changes,
    "InvalidRequest",
    "This copy request is illegal because it is trying to copy an object to itself without changing anything.",
  )
  const algorithm =
    parseAlgorithm(request.headers.get("x-amz-checksum-algorithm")) ?? version.checksum?.algorithm
  refuseIf(
    version.bytes > MAX_COPY_BYTES,
    "InvalidRequest",
    `The specified copy source is larger than the maximum allowable size for a copy source: ${MAX_COPY_BYTES}`,
  )
  const slice = openSlice(source.bucket.bodyFile(version), 0, version.bytes)
  const { file, bytes, md5, checksums } = await receive(readSlice(slice), store.incoming, {
    extra: algorithm,
    md5: dialect.etags === "md5",
    holes: true,
  })
  const value = algorithm === undefined ? undefined : checksums.get(algorithm)
  const checksum: Checksum | undefined =
    algorithm === undefined || value === undefined ? undefined : { algorithm, value, type: "FULL_OBJECT" }
  checkWrite(request.headers, bucket.current(key), dialect.conditionalCopy)
  const etag = etagOf(dialect.etags === "md5" ? md5 : undefined, attributes.encryption, file)
  const copy = commitObject(context, bucket, { key, file, bytes, etag, checksum, attributes })
  return xmlResponse(
    "CopyObjectResult",
    {
      LastModified: isoTime(copy.modifiedMs),
      ETag: quoted(copy.etag),
      ...(checksum === undefined
        ? {}
        : { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }),
    },
    {
      ...versionHeader(copy, bucket),
      ...checksumHeaders(checksum),
      ...encryptionHeaders(attributes.encryption),
      ...(source.bucket.configuration.versioning === undefined
        ? {}
        : { "x-amz-copy-source-version-id": version.versionId }),
    },
  )
}

export const copyHandlers: Handlers = { CopyObject: copyObject }
