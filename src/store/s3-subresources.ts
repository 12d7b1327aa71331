import {
  GetBucketOwnershipControlsCommand,
  GetObjectAclCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectAclCommand,
  PutObjectTaggingCommand,
  type Grant as S3Grant,
} from "@aws-sdk/client-s3"
import { S3epError, UnavailableError, UnsupportedError } from "../errors.ts"
import { withMd5 } from "./s3-headers.ts"
import { addressInput, callInput, readInput } from "./s3-inputs.ts"
import { headObject, reading } from "./s3-read.ts"
import type { S3Session, Sending } from "./s3-session.ts"
import { type S3Context, withChecksum } from "./s3-write.ts"
import type {
  Acl,
  AclPermission,
  CallOptions,
  Grant,
  ObjectAddress,
  ObjectInfo,
  ReadOptions,
} from "./store.ts"

// What an object has besides bytes and headers, each asked for by a request of its own.

export async function getTags(
  session: S3Session,
  address: ObjectAddress,
  options: ReadOptions = {},
): Promise<Readonly<Record<string, string>>> {
  const output = await session.run(about("read the tags of", address, options), (client, http) =>
    client.send(new GetObjectTaggingCommand(versionInput(address, options)), http),
  )
  return Object.fromEntries((output.TagSet ?? []).map(({ Key, Value }) => [Key ?? "", Value ?? ""]))
}

export async function putTags(
  context: S3Context,
  address: ObjectAddress,
  tags: Readonly<Record<string, string>>,
  options: ReadOptions = {},
): Promise<void> {
  const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
  await withChecksum(context, "checksum", "auto", (checked) =>
    context.session.run(about("tag", address, options), (client, http) => {
      const input = { ...versionInput(address, options), ...(checked && CHECKED), Tagging: { TagSet } }
      const command = new PutObjectTaggingCommand(input)
      return client.send(checked ? command : withMd5(command), http)
    }),
  )
}

/** Sees to it that an upload in parts has the tags it was created with: RGW 16 forgets them. */
export async function confirmTags(
  context: S3Context,
  address: ObjectAddress,
  tags: Readonly<Record<string, string>> | undefined,
  options: ReadOptions,
): Promise<void> {
  const count = Object.keys(tags ?? {}).length
  if (!tags || count === 0 || (await context.dialect.offers("upload-tags")) === true) return
  const { tagCount } = await headObject(context.session, address, options)
  await context.dialect.learn("upload-tags", tagCount === count)
  if (tagCount !== count) await putTags(context, address, tags, options)
}

export async function getAcl(
  session: S3Session,
  address: ObjectAddress,
  options: ReadOptions = {},
): Promise<Acl> {
  const output = await session.run(about("read the ACL of", address, options), (client, http) =>
    client.send(new GetObjectAclCommand(versionInput(address, options)), http),
  )
  return { owner: output.Owner?.ID ?? "", grants: (output.Grants ?? []).map(grantOf) }
}

export async function putAcl(
  context: S3Context,
  address: ObjectAddress,
  { owner, grants }: Acl,
  options: ReadOptions = {},
): Promise<void> {
  const AccessControlPolicy = { Owner: { ID: owner }, Grants: grants.map(grantInput) }
  await withChecksum(context, "checksum", "auto", (checked) =>
    context.session.run(about("set the ACL of", address, options), (client, http) => {
      const input = { ...versionInput(address, options), ...(checked && CHECKED), AccessControlPolicy }
      const command = new PutObjectAclCommand(input)
      return client.send(checked ? command : withMd5(command), http)
    }),
  )
}

/** Who may not ask, or asks a service that does not know the question, has to look at each object. */
export async function hasAcls(
  session: S3Session,
  bucket: string,
  options: CallOptions = {},
): Promise<boolean> {
  const action = `read the ownership controls of s3://${bucket}`
  const sending: Sending = { action, bucket, about: "bucket", signal: options.signal }
  try {
    const output = await session.run(sending, (client, http) =>
      client.send(new GetBucketOwnershipControlsCommand({ Bucket: bucket, ...callInput(options) }), http),
    )
    const rules = output.OwnershipControls?.Rules ?? []
    return !rules.some((rule) => rule.ObjectOwnership === "BucketOwnerEnforced")
  } catch (error) {
    if (!(error instanceof S3epError) || error instanceof UnavailableError) throw error
    return true
  }
}

/**
 * Asked of two parts, and of every one only where those do not settle it: uploads in parts of one size are the rule.
 * `GetObjectAttributes` would need one request, but RGW 16 takes it for a GET and sends the object.
 */
export async function partSizes(
  session: S3Session,
  address: ObjectAddress,
  info: ObjectInfo,
  options: ReadOptions = {},
): Promise<readonly number[] | null> {
  const ask = (partNumber: number) => headPart(session, address, partNumber, options)
  const first = await ask(1)
  const { parts } = first
  if (parts === undefined) return null
  if (parts === 1) return first.bytes === info.bytes ? [info.bytes] : null
  const last = await ask(parts)
  if (first.bytes * (parts - 1) + last.bytes === info.bytes && last.bytes <= first.bytes) {
    return [...Array.from({ length: parts - 1 }, () => first.bytes), last.bytes]
  }
  const sizes = [first.bytes]
  for (let partNumber = 2; partNumber < parts; partNumber += 1) sizes.push((await ask(partNumber)).bytes)
  sizes.push(last.bytes)
  return sizes.reduce((sum, bytes) => sum + bytes, 0) === info.bytes ? sizes : null
}

async function headPart(
  session: S3Session,
  address: ObjectAddress,
  partNumber: number,
  options: ReadOptions,
): Promise<{ bytes: number; parts: number | undefined }> {
  const output = await session.run(reading(address, options.signal), (client, http) =>
    client.send(new HeadObjectCommand({ ...readInput(address, options), PartNumber: partNumber }), http),
  )
  return { bytes: output.ContentLength ?? 0, parts: output.PartsCount }
}

/** S3 wants one with these; the SDK computes it for these few bytes. */
const CHECKED = { ChecksumAlgorithm: "CRC32" as const }

function about(verb: string, { bucket, key }: ObjectAddress, { signal }: CallOptions): Sending {
  return { action: `${verb} s3://${bucket}/${key}`, bucket, about: "object", signal }
}

function versionInput(address: ObjectAddress, options: ReadOptions) {
  return {
    ...addressInput(address),
    ...callInput(options),
    ...(options.versionId !== undefined && { VersionId: options.versionId }),
  }
}

const PERMISSIONS: readonly AclPermission[] = ["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"]

function grantOf({ Grantee, Permission }: S3Grant): Grant {
  const permission = PERMISSIONS.find((name) => name === Permission)
  if (!permission) {
    throw new UnsupportedError(`the service has a permission s3ep does not know: ${Permission}`, {
      feature: "acl",
    })
  }
  if (Grantee?.URI !== undefined) return { grantee: { kind: "group", id: Grantee.URI }, permission }
  if (Grantee?.EmailAddress !== undefined) {
    return { grantee: { kind: "email", id: Grantee.EmailAddress }, permission }
  }
  return { grantee: { kind: "user", id: Grantee?.ID ?? "" }, permission }
}

function grantInput({ grantee: { kind, id }, permission }: Grant): S3Grant {
  switch (kind) {
    case "group":
      return { Grantee: { Type: "Group", URI: id }, Permission: permission }
    case "email":
      return { Grantee: { Type: "AmazonCustomerByEmail", EmailAddress: id }, Permission: permission }
    default:
      return { Grantee: { Type: "CanonicalUser", ID: id }, Permission: permission }
  }
}
