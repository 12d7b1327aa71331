import { CreateBucketCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3"
import { type S3Server, type S3ServerOptions, startS3Server } from "../../support/s3-server/index.ts"

export const BUCKET = "bucket"
export const MIB = 1024 * 1024

/** A server with one empty bucket, and a client of it that does not retry. */
export interface S3Site extends AsyncDisposable {
  server: S3Server
  s3: S3Client
  client: (options?: S3ClientConfig) => S3Client
}

export async function openS3Site(options: S3ServerOptions = {}): Promise<S3Site> {
  const server = await startS3Server(options)
  const clients: S3Client[] = []
  const client = (config: S3ClientConfig = {}) => {
    const { endpoint, region, accessKeyId, secretAccessKey } = server
    const made = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId, secretAccessKey },
      ...config,
    })
    clients.push(made)
    return made
  }
  const s3 = client()
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  server.requests.length = 0
  return {
    server,
    s3,
    client,
    [Symbol.asyncDispose]: async () => {
      for (const made of clients) made.destroy()
      await server.close()
    },
  }
}

/** The status and code a request is refused with. */
export async function refusal(request: Promise<unknown>): Promise<string> {
  try {
    await request
    return "accepted"
  } catch (error) {
    const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } }
    return `${$metadata?.httpStatusCode ?? "none"} ${name}`
  }
}
