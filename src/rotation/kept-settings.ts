import { UnsupportedError } from "../errors.ts"
import type {
  CustomerKey,
  Grant,
  ObjectInfo,
  ObjectLock,
  ObjectSettings,
  ServerSideEncryption,
} from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import type { ReadRequest } from "../transfer/fetch.ts"

/** What is to become of what an object has beside its bytes. */
export interface KeepOptions {
  /** False for an object in another bucket: what belongs to this one (ACL, keys of its KMS, Object Lock) stays behind. */
  readonly sameBucket: boolean
  /** Milliseconds since 1970: a retention that ended before cannot be asked for again. */
  readonly now: number
}

/**
 * All that an object has beside its bytes, for the object that takes its place.
 *
 * @param request - what the object was found with; `info` is what came of it.
 * @throws {DeniedError} if tags or ACL may not be read: they would be lost.
 */
export async function keptSettings(
  context: TransferContext,
  request: ReadRequest,
  info: ObjectInfo,
  { sameBucket, now }: KeepOptions,
): Promise<ObjectSettings> {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage } = info
  const { expires, websiteRedirect, storageClass } = info
  const tags = await tagsOf(context, request, info)
  const kept: ObjectSettings = {
    metadata: info.metadata,
    contentType,
    cacheControl,
    contentDisposition,
    contentEncoding,
    contentLanguage,
    expires,
    websiteRedirect,
    storageClass,
    tags,
  }
  const { customerKey } = request
  if (!sameBucket) return { ...kept, ...(customerKey && { encryption: { kind: "sse-c", key: customerKey } }) }
  return {
    ...kept,
    grants: await grantsOf(context, request),
    encryption: encryptionOf(info, customerKey),
    ...lockOf(info, now),
  }
}

async function tagsOf(
  { store, signal }: TransferContext,
  { address, requesterPays, customerKey }: ReadRequest,
  { tagCount, versionId }: ObjectInfo,
): Promise<Readonly<Record<string, string>> | undefined> {
  if (tagCount === 0) return undefined
  try {
    const tags = await store.getTags(address, { versionId, requesterPays, customerKey, signal })
    return Object.keys(tags).length === 0 ? undefined : tags
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined
    throw error
  }
}

/** Undefined where ACLs say no more than what an object has by itself: that its owner may do everything. */
async function grantsOf(
  { store, signal }: TransferContext,
  { address, requesterPays, versionId }: ReadRequest,
): Promise<readonly Grant[] | undefined> {
  const options = { requesterPays, signal }
  if (!(await store.hasAcls(address.bucket, options))) return undefined
  try {
    const { owner, grants } = await store.getAcl(address, { ...options, versionId })
    const ordinary = grants.every(
      ({ grantee, permission }) =>
        grantee.kind === "user" && grantee.id === owner && permission === "FULL_CONTROL",
    )
    return ordinary ? undefined : grants
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined
    throw error
  }
}

function encryptionOf(
  { serverSideEncryption: kind, kmsKeyId: keyId, bucketKey }: ObjectInfo,
  customerKey: CustomerKey | undefined,
): ServerSideEncryption | undefined {
  if (customerKey) return { kind: "sse-c", key: customerKey }
  if (kind === "aws:kms" || kind === "aws:kms:dsse") {
    return { kind: "sse-kms", keyId, bucketKey, dual: kind === "aws:kms:dsse" }
  }
  return kind === "AES256" ? { kind: "sse-s3" } : undefined
}

function lockOf({ retention, legalHold }: ObjectInfo, now: number): ObjectLock {
  const mode = retention?.mode
  const until = retention?.until
  const lasting = until !== undefined && until.getTime() > now
  return {
    ...(lasting && (mode === "GOVERNANCE" || mode === "COMPLIANCE") && { retention: { mode, until } }),
    ...(legalHold && { legalHold }),
  }
}
