import { randomBytes } from "node:crypto"
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3"
import { Upload } from "@aws-sdk/lib-storage"
import { startS3Server } from "./s3-server/index.ts"

/** A bucket on some S3 server, looked at from outside, with the SDK rather than with s3ep. */
export interface Site extends AsyncDisposable {
  readonly endpoint: string
  readonly bucket: string
  /** Whether the server is the embedded one of `test/support/s3-server`. */
  readonly embedded: boolean
  readonly client: S3Client
  /** What a child process needs to reach it. */
  readonly env: Readonly<Record<string, string>>
}

/** The server named by `S3EP_TEST_ENDPOINT` and its companions, or an embedded one; with a new bucket. */
export async function openSite(
  env: NodeJS.ProcessEnv = process.env,
  options: { readonly objectLock?: boolean; readonly minPartBytes?: number } = {},
): Promise<Site> {
  const external = env["S3EP_TEST_ENDPOINT"]
  const minPartBytes = options.minPartBytes === undefined ? {} : { minPartBytes: options.minPartBytes }
  // MD5 costs the server more than everything else together, and would be measured as ours on a small machine.
  const server = external ? undefined : await startS3Server({ dialect: { etags: "opaque", ...minPartBytes } })
  const endpoint = external ?? server?.endpoint ?? ""
  const accessKeyId = (external ? env["S3EP_TEST_ACCESS_KEY_ID"] : server?.accessKeyId) ?? ""
  const secretAccessKey = (external ? env["S3EP_TEST_SECRET_ACCESS_KEY"] : server?.secretAccessKey) ?? ""
  const region = (external ? env["S3EP_TEST_REGION"] : server?.region) ?? "us-east-1"
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  })
  const bucket = `s3ep-test-${randomBytes(6).toString("hex")}`
  await client.send(
    new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: options.objectLock }),
  )
  return {
    endpoint,
    bucket,
    embedded: server !== undefined,
    client,
    env: {
      S3EP_ENDPOINT: endpoint,
      S3EP_REGION: region,
      S3EP_PATH_STYLE: "true",
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
    async [Symbol.asyncDispose]() {
      if (!server && !options.objectLock) await emptyBucket(client, bucket)
      client.destroy()
      await server?.close()
    },
  }
}

/** A server that others use too is left as it was found. What is locked stays. */
async function emptyBucket(client: S3Client, Bucket: string): Promise<void> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  for (const { Key, UploadId } of Uploads) {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  }
  for (;;) {
    const found = await storedVersions(client, Bucket)
    if (found.length === 0) break
    for (const version of found) {
      await client.send(new DeleteObjectCommand({ Bucket, ...version, BypassGovernanceRetention: true }))
    }
  }
  await client.send(new DeleteBucketCommand({ Bucket }))
}

async function storedVersions(client: S3Client, Bucket: string) {
  try {
    const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }))
    return [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }))
  } catch {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket })) // no versions here
    return Contents.map(({ Key }) => ({ Key }))
  }
}

/** The stored bytes of an object, and its user metadata. */
export async function readStored(
  site: Site,
  key: string,
): Promise<{ body: Uint8Array; metadata: Record<string, string> }> {
  const answer = await site.client.send(new GetObjectCommand({ Bucket: site.bucket, Key: key }))
  const body = (await answer.Body?.transformToByteArray()) ?? new Uint8Array()
  return { body, metadata: answer.Metadata ?? {} }
}

export async function writeStored(
  site: Site,
  key: string,
  body: Uint8Array,
  metadata: Record<string, string>,
): Promise<void> {
  const params = { Bucket: site.bucket, Key: key, Body: body, Metadata: metadata }
  if (body.length < 64 * 1024 * 1024) await site.client.send(new PutObjectCommand(params))
  else await new Upload({ client: site.client, params, partSize: 16 * 1024 * 1024 }).done()
}

/** Change one bit of a stored object and nothing else about it. */
export async function flipStoredBit(site: Site, key: string, offset: number): Promise<void> {
  const { body, metadata } = await readStored(site, key)
  body[offset] = (body[offset] ?? 0) ^ 1
  await writeStored(site, key, body, metadata)
}

export async function storedKeys(site: Site, prefix = ""): Promise<string[]> {
  const answer = await site.client.send(new ListObjectsV2Command({ Bucket: site.bucket, Prefix: prefix }))
  return (answer.Contents ?? []).flatMap((object) => object.Key ?? [])
}

export async function storedBytes(site: Site, key: string): Promise<number> {
  const answer = await site.client.send(new HeadObjectCommand({ Bucket: site.bucket, Key: key }))
  return answer.ContentLength ?? 0
}

/** Ids of the multipart uploads the bucket still holds. */
export async function unfinishedUploads(site: Site): Promise<string[]> {
  const answer = await site.client.send(new ListMultipartUploadsCommand({ Bucket: site.bucket }))
  return (answer.Uploads ?? []).flatMap((upload) => upload.UploadId ?? [])
}
