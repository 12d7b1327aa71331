import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { createS3Store, type S3StoreOptions } from "../../src/store/s3.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import {
  type RecordedRequest,
  type S3Server,
  type S3ServerOptions,
  startS3Server,
} from "./s3-server/index.ts"

export interface S3Fixture extends AsyncDisposable {
  readonly server: S3Server
  readonly store: ObjectStore
  readonly bucket: string
  /** What the store had to say so far. */
  readonly notices: string[]
  /** Another store on the same server. */
  open(options?: Partial<S3StoreOptions>): ObjectStore
  /** The operations asked for since the bucket was made. */
  operations(): string[]
  /** The latest request of an operation. */
  latest(operation: string): RecordedRequest
}

/** An embedded server with a bucket named "vault", and a store on it. */
export async function openS3Fixture(
  serverOptions: S3ServerOptions = {},
  storeOptions: Partial<S3StoreOptions> = {},
): Promise<S3Fixture> {
  const server = await startS3Server(serverOptions)
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: "vault", ObjectLockEnabledForBucket: true }))
  client.destroy()
  server.requests.length = 0
  const notices: string[] = []
  const stores: ObjectStore[] = []
  const open = (options: Partial<S3StoreOptions> = {}) => {
    const onNotice = (message: string) => void notices.push(message)
    const store = createS3Store({ endpoint, region, credentials, onNotice, ...storeOptions, ...options })
    stores.push(store)
    return store
  }
  return {
    server,
    store: open(),
    bucket: "vault",
    notices,
    open,
    operations: () => server.requests.map(({ operation }) => operation),
    latest(operation) {
      const found = server.requests.findLast((request) => request.operation === operation)
      if (!found) throw new Error(`no ${operation} was asked for`)
      return found
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) store.close()
      await server.close()
    },
  }
}
