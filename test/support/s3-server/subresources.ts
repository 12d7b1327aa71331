import { aclRecord, parseAcl, readGrants } from "./acl.ts"
import { checkTags, findVersion, versionHeader } from "./attributes.ts"
import type { Bucket } from "./bucket.ts"
import { checksumElement } from "./checksums.ts"
import {
  bucketOf,
  type Context,
  emptyResponse,
  type Handlers,
  isoTime,
  keyOf,
  type S3Response,
  xmlResponse,
} from "./context.ts"
import { checkCustomerKey } from "./encryption.ts"
import { refuseIf, S3Error } from "./errors.ts"
import { checkUnlocked, parseRetention, requireObjectLock } from "./lock.ts"
import type { ObjectVersion, Tag } from "./model.ts"
import { readDocument } from "./payload.ts"
import { childrenNamed, malformedXml, parseXml, textAt, type XmlElement } from "./xml.ts"

interface Found {
  bucket: Bucket
  version: ObjectVersion
}

function find(context: Context): Found {
  const bucket = bucketOf(context)
  return { bucket, version: findVersion(bucket, keyOf(context), context.request.query.get("versionId")) }
}

function parseTags(root: XmlElement): Tag[] {
  const set = root.children.find(({ name }) => name === "TagSet")
  if (set === undefined) throw malformedXml()
  return childrenNamed(set, "Tag").map((tag) => ({
    Key: textAt(tag, "Key") ?? "",
    Value: textAt(tag, "Value") ?? "",
  }))
}

function getTagging(context: Context): S3Response {
  const { bucket, version } = find(context)
  return xmlResponse(
    "Tagging",
    { TagSet: { Tag: version.attributes.tags.map((tag) => ({ ...tag })) } },
    versionHeader(version, bucket),
  )
}

async function putTagging(context: Context): Promise<S3Response> {
  const tags = checkTags(parseTags(parseXml(await readDocument(context.payload))))
  const { bucket, version } = find(context)
  version.attributes.tags = tags
  bucket.update(version)
  return emptyResponse(200, versionHeader(version, bucket))
}

function deleteTagging(context: Context): S3Response {
  const { bucket, version } = find(context)
  version.attributes.tags = []
  bucket.update(version)
  return emptyResponse(204, versionHeader(version, bucket))
}

async function putAcl(context: Context): Promise<S3Response> {
  const document = await readDocument(context.payload)
  const { bucket, version } = find(context)
  const given =
    document === "" ? readGrants(context.request.headers) : { grants: parseAcl(parseXml(document)) }
  const { grants: _, ...others } = version.attributes
  version.attributes = { ...others, ...given }
  bucket.update(version)
  return emptyResponse()
}

function getRetention(context: Context): S3Response {
  const { bucket, version } = find(context)
  requireObjectLock(bucket)
  const { retention } = version.attributes
  if (retention === undefined) {
    throw new S3Error(
      "NoSuchObjectLockConfiguration",
      "The specified object does not have a ObjectLock configuration",
    )
  }
  return xmlResponse("Retention", { Mode: retention.mode, RetainUntilDate: isoTime(retention.untilMs) })
}

async function putRetention(context: Context): Promise<S3Response> {
  const root = parseXml(await readDocument(context.payload))
  const { bucket, version } = find(context)
  requireObjectLock(bucket)
  const mode = textAt(root, "Mode")
  const next =
    mode === undefined ? undefined : parseRetention(mode, textAt(root, "RetainUntilDate"), context.nowMs)
  const before = version.attributes.retention
  const weaker =
    before !== undefined &&
    (next === undefined ||
      next.untilMs < before.untilMs ||
      (before.mode === "COMPLIANCE" && next.mode === "GOVERNANCE"))
  // Strengthening is free. A legal hold is another matter and does not stop a change of retention.
  if (weaker) {
    const unheld = { ...version, attributes: { ...version.attributes, legalHold: false } }
    checkUnlocked(unheld, context.request.headers, context.nowMs)
  }
  if (next === undefined) delete version.attributes.retention
  else version.attributes.retention = next
  bucket.update(version)
  return emptyResponse()
}

function getLegalHold(context: Context): S3Response {
  const { bucket, version } = find(context)
  requireObjectLock(bucket)
  return xmlResponse("LegalHold", { Status: version.attributes.legalHold ? "ON" : "OFF" })
}

async function putLegalHold(context: Context): Promise<S3Response> {
  const status = textAt(parseXml(await readDocument(context.payload)), "Status")
  if (status !== "ON" && status !== "OFF") throw malformedXml()
  const { bucket, version } = find(context)
  requireObjectLock(bucket)
  version.attributes.legalHold = status === "ON"
  bucket.update(version)
  return emptyResponse()
}

function getAttributes(context: Context): S3Response {
  const { bucket, version } = find(context)
  checkCustomerKey(context.request.headers, version.attributes.encryption)
  const wanted = new Set(context.request.headers.get("x-amz-object-attributes")?.split(/\s*,\s*/) ?? [])
  refuseIf(wanted.size === 0, "InvalidArgument", "The x-amz-object-attributes header is missing")
  const { checksum, parts } = version
  return xmlResponse(
    "GetObjectAttributesResponse",
    {
      ETag: wanted.has("ETag") ? version.etag : undefined,
      Checksum:
        checksum !== undefined && wanted.has("Checksum")
          ? { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }
          : undefined,
      ObjectParts:
        parts !== undefined && wanted.has("ObjectParts")
          ? {
              PartsCount: parts.length,
              Part: parts.map(({ partNumber, bytes, checksum: value }) => ({
                PartNumber: partNumber,
                Size: bytes,
                ...(checksum === undefined ? {} : { [checksumElement(checksum.algorithm)]: value }),
              })),
            }
          : undefined,
      StorageClass: wanted.has("StorageClass") ? version.attributes.storageClass : undefined,
      ObjectSize: wanted.has("ObjectSize") ? version.bytes : undefined,
    },
    { "last-modified": new Date(version.modifiedMs).toUTCString(), ...versionHeader(version, bucket) },
  )
}

export const subresourceHandlers: Handlers = {
  GetObjectTagging: getTagging,
  PutObjectTagging: putTagging,
  DeleteObjectTagging: deleteTagging,
  GetObjectRetention: getRetention,
  PutObjectRetention: putRetention,
  GetObjectLegalHold: getLegalHold,
  PutObjectLegalHold: putLegalHold,
  GetObjectAttributes: getAttributes,
  GetObjectAcl: (context) => xmlResponse("AccessControlPolicy", aclRecord(find(context).version.attributes)),
  PutObjectAcl: putAcl,
}
