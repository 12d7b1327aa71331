import {
  GetObjectAclCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3"

/** All that can be seen of an object, from outside s3ep, but for its envelope and what every write changes. */
export async function everythingAbout(
  client: S3Client,
  Bucket: string,
  Key: string,
  read: { SSECustomerAlgorithm?: string; SSECustomerKey?: string } = {},
): Promise<Record<string, unknown>> {
  const at = { Bucket, Key }
  const {
    $metadata: _metadata,
    LastModified: _modified,
    VersionId: _version,
    Expires: _date,
    TagCount: _count,
    Metadata = {},
    ...head
  } = await client.send(new HeadObjectCommand({ ...at, ...read, ChecksumMode: "ENABLED" }))
  const theirs = Object.entries(Metadata).filter(([name]) => !name.startsWith("s3ep-"))
  const tags = await client.send(new GetObjectTaggingCommand(at))
  const acl = await client.send(new GetObjectAclCommand(at))
  const part = await client.send(new HeadObjectCommand({ ...at, ...read, PartNumber: 1 }))
  return {
    ...head,
    theirs: theirs.sort(),
    tags: (tags.TagSet ?? []).map(({ Key, Value }) => `${Key}=${Value}`).sort(),
    acl: (acl.Grants ?? [])
      .map(({ Grantee, Permission }) => `${Grantee?.URI ?? Grantee?.ID} ${Permission}`)
      .sort(),
    partsCount: part.PartsCount,
    firstPartBytes: part.ContentLength,
  }
}
