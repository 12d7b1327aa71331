import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3"
import type { Place } from "./peer.ts"

type Server = Pick<Place, "endpoint" | "region" | "accessKeyId" | "secretAccessKey">

/** A client for what is done around the measured runs. */
export function clientFor({ endpoint, region, accessKeyId, secretAccessKey }: Server): S3Client {
  return new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  })
}

export async function createBucket(client: S3Client, Bucket: string): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket }))
}

/** Delete everything in a bucket: what one run leaves is in the way of the next. */
export async function emptyBucket(client: S3Client, Bucket: string): Promise<void> {
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
    if (Contents.length === 0) return
    await client.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: Contents.map(({ Key }) => ({ Key })), Quiet: true },
      }),
    )
  }
}

export async function removeBucket(client: S3Client, Bucket: string): Promise<void> {
  await emptyBucket(client, Bucket)
  await client.send(new DeleteBucketCommand({ Bucket }))
}
