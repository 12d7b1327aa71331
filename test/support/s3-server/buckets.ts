import {
  bucketOf,
  type Context,
  emptyResponse,
  type Handler,
  type Handlers,
  isoTime,
  type S3Response,
  xmlResponse,
} from "./context.ts"
import { refuseIf, S3Error } from "./errors.ts"
import { requireObjectLock } from "./lock.ts"
import { type Deletion, deleteOne } from "./objects.ts"
import { bucketSettings } from "./operations.ts"
import { readDocument } from "./payload.ts"
import { childrenNamed, malformedXml, parseXml, textAt, type XmlRecord } from "./xml.ts"

const owner = { ID: "s3-server", DisplayName: "s3-server" }

async function createBucket(context: Context): Promise<S3Response> {
  const { request, store, region, nowMs } = context
  const name = request.bucket ?? ""
  refuseIf(
    !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) || name.includes(".."),
    "InvalidBucketName",
    "The specified bucket is not valid.",
  )
  const document = await readDocument(context.payload)
  // S3 of us-east-1 answers 200 to its owner's second CreateBucket; every other region refuses it.
  if (store.has(name)) {
    refuseIf(region !== "us-east-1", "BucketAlreadyOwnedByYou", "You already own this bucket.")
    return emptyResponse(200, { location: `/${name}` })
  }
  const location = document === "" ? undefined : textAt(parseXml(document), "LocationConstraint")
  const objectLock = request.headers.get("x-amz-bucket-object-lock-enabled")?.toLowerCase() === "true"
  store.createBucket(name, {
    createdMs: nowMs,
    region: location ?? region,
    objectLock,
    ...(objectLock ? { versioning: "Enabled" as const } : {}),
    settings: {},
  })
  return emptyResponse(200, { location: `/${name}` })
}

function deleteBucket(context: Context): S3Response {
  const bucket = bucketOf(context)
  refuseIf(!bucket.isEmpty, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
  context.store.deleteBucket(bucket.name)
  return emptyResponse(204)
}

function listBuckets({ store, request }: Context): S3Response {
  const prefix = request.query.get("prefix") ?? ""
  const buckets = store.buckets().filter(({ name }) => name.startsWith(prefix))
  return xmlResponse("ListAllMyBucketsResult", {
    Owner: owner,
    Buckets: {
      Bucket: buckets.map(({ name, configuration }) => ({
        Name: name,
        CreationDate: isoTime(configuration.createdMs),
        BucketRegion: configuration.region,
      })),
    },
  })
}

function getLocation(context: Context): S3Response {
  const { region } = bucketOf(context).configuration
  return xmlResponse("LocationConstraint", region === "us-east-1" ? "" : region)
}

async function putVersioning(context: Context): Promise<S3Response> {
  const bucket = bucketOf(context)
  const status = textAt(parseXml(await readDocument(context.payload)), "Status")
  if (status !== "Enabled" && status !== "Suspended") throw malformedXml()
  refuseIf(
    bucket.configuration.objectLock && status === "Suspended",
    "InvalidBucketState",
    "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
  )
  bucket.configuration.versioning = status
  bucket.saveConfiguration()
  return emptyResponse()
}

async function putObjectLock(context: Context): Promise<S3Response> {
  const bucket = bucketOf(context)
  const root = parseXml(await readDocument(context.payload))
  refuseIf(
    bucket.configuration.versioning !== "Enabled",
    "InvalidBucketState",
    "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
  )
  const mode = textAt(root, "Rule", "DefaultRetention", "Mode")
  const days = textAt(root, "Rule", "DefaultRetention", "Days")
  const years = textAt(root, "Rule", "DefaultRetention", "Years")
  bucket.configuration.objectLock = true
  delete bucket.configuration.defaultRetention
  if (mode !== undefined) {
    if (mode !== "GOVERNANCE" && mode !== "COMPLIANCE") throw malformedXml()
    bucket.configuration.defaultRetention = {
      mode,
      days: days === undefined ? Number(years) * 365 : Number(days),
    }
  }
  bucket.saveConfiguration()
  return emptyResponse()
}

function getObjectLock(context: Context): S3Response {
  const bucket = bucketOf(context)
  const { objectLock, defaultRetention: rule } = bucket.configuration
  refuseIf(
    !objectLock,
    "ObjectLockConfigurationNotFoundError",
    "Object Lock configuration does not exist for this bucket",
  )
  requireObjectLock(bucket)
  return xmlResponse("ObjectLockConfiguration", {
    ObjectLockEnabled: "Enabled",
    Rule: rule === undefined ? undefined : { DefaultRetention: { Mode: rule.mode, Days: rule.days } },
  })
}

async function deleteObjects(context: Context): Promise<S3Response> {
  const bucket = bucketOf(context)
  const { payload, dialect } = context
  refuseIf(
    payload.algorithm === undefined && payload.contentMd5 === undefined && dialect.crc32 !== "ignored",
    "InvalidRequest",
    "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
  )
  const root = parseXml(await readDocument(payload))
  const quiet = textAt(root, "Quiet") === "true"
  const objects = childrenNamed(root, "Object")
  if (objects.length === 0 || objects.length > 1000) throw malformedXml()
  const deleted: XmlRecord[] = []
  const errors: XmlRecord[] = []
  for (const object of objects) {
    const key = textAt(object, "Key") ?? ""
    const versionId = textAt(object, "VersionId")
    try {
      const deletion = deleteOne(context, bucket, key, versionId)
      if (!quiet) deleted.push(describeDeletion(key, versionId, deletion))
    } catch (error) {
      if (!(error instanceof S3Error)) throw error
      errors.push({ Key: key, VersionId: versionId, Code: error.code, Message: error.message })
    }
  }
  return xmlResponse("DeleteResult", { Deleted: deleted, Error: errors })
}

function describeDeletion(key: string, versionId: string | undefined, deletion: Deletion): XmlRecord {
  return {
    Key: key,
    VersionId: versionId,
    DeleteMarker: deletion.deleteMarker || undefined,
    DeleteMarkerVersionId: deletion.deleteMarker ? deletion.versionId : undefined,
  }
}

function settingHandlers(): Record<string, Handler> {
  const handlers: Record<string, Handler> = {}
  for (const { parameter, operation, missing } of bucketSettings) {
    handlers[`Put${operation}`] = async (context) => {
      const bucket = bucketOf(context)
      bucket.configuration.settings[parameter] = await readDocument(context.payload)
      bucket.saveConfiguration()
      return emptyResponse(parameter === "policy" ? 204 : 200)
    }
    handlers[`Get${operation}`] = (context) => {
      const body = bucketOf(context).configuration.settings[parameter]
      if (body === undefined) throw new S3Error(missing, `The ${operation} does not exist`, { status: 404 })
      const type = parameter === "policy" ? "application/json" : "application/xml"
      return { status: 200, headers: { "content-type": type }, body }
    }
    handlers[`Delete${operation}`] = (context) => {
      const bucket = bucketOf(context)
      delete bucket.configuration.settings[parameter]
      bucket.saveConfiguration()
      return emptyResponse(204)
    }
  }
  return handlers
}

export const bucketHandlers: Handlers = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  HeadBucket: (context) => {
    const { region } = bucketOf(context).configuration
    return emptyResponse(200, { "x-amz-bucket-region": region })
  },
  DeleteBucket: deleteBucket,
  GetBucketLocation: getLocation,
  PutBucketVersioning: putVersioning,
  GetBucketVersioning: (context) =>
    xmlResponse("VersioningConfiguration", { Status: bucketOf(context).configuration.versioning }),
  PutObjectLockConfiguration: putObjectLock,
  GetObjectLockConfiguration: getObjectLock,
  DeleteObjects: deleteObjects,
  GetBucketAcl: (context) => {
    bucketOf(context)
    return xmlResponse("AccessControlPolicy", {
      Owner: owner,
      AccessControlList: { Grant: { Grantee: { ID: owner.ID }, Permission: "FULL_CONTROL" } },
    })
  },
  PutBucketAcl: (context) => {
    bucketOf(context)
    return emptyResponse()
  },
  ...settingHandlers(),
}
