import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3"
import type { ListingOutput } from "../../src/store/s3-listing-document.ts"

/** What the SDK reads in the page of a listing. */
export async function listedBySdk(document: string): Promise<ListingOutput> {
  const client = new S3Client({
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
    maxAttempts: 1,
    requestHandler: {
      handle: async () => ({ response: { statusCode: 200, headers: {}, body: Buffer.from(document) } }),
    },
  })
  return client.send(new ListObjectsV2Command({ Bucket: "vault" }))
}

/** A listing with the members that s3ep uses, and no others. */
export function usedOf(page: ListingOutput) {
  const { Name, EncodingType, KeyCount, IsTruncated, NextContinuationToken } = page
  return {
    page: { Name, EncodingType, KeyCount, IsTruncated, NextContinuationToken },
    objects: (page.Contents ?? []).map(({ Key, LastModified, ETag, Size, StorageClass }) => {
      return { Key, LastModified, ETag, Size, StorageClass }
    }),
    prefixes: (page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
  }
}
