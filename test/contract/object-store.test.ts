import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { withRetry } from "../../src/store/retry.ts"
import { createS3Store } from "../../src/store/s3.ts"
import { faulty } from "../support/faults.ts"
import { MemoryStore } from "../support/memory-store.ts"
import { type S3ServerOptions, startS3Server } from "../support/s3-server/index.ts"
import { describeObjectStore, type OpenedStore } from "./object-store.ts"

const atOnce = { delay: () => Promise.resolve(), random: () => 0 }

describeObjectStore("memory", async () => ({
  store: new MemoryStore(),
  bucket: "vault",
  customerKeys: true,
}))

describeObjectStore("memory, with every fifth call failing and retried", async () => {
  const memory = new MemoryStore()
  const failing = [5, 10, 15, 20, 25, 30, 40].reduce(
    (store, call) => faulty(store, { call, moment: "before" }),
    memory as OpenedStore["store"],
  )
  return { store: withRetry(failing, atOnce), bucket: "vault", customerKeys: true }
})

describeObjectStore("embedded server", () => embedded({}))

describeObjectStore("embedded server that honours no conditions and refuses checksums", () =>
  embedded({
    dialect: {
      serverHeader: "other",
      conditionalPut: "ignored",
      conditionalComplete: "501",
      conditionalCopy: "501",
      copySourceIfMatch: "ignored",
      crc32: "refused",
      trailers: "501",
      missingUploadCode: "NoSuchKey",
      secondComplete: "NoSuchUpload",
    },
  }),
)

describeObjectStore("embedded server that copies as RGW does", () =>
  embedded({
    dialect: {
      serverHeader: "other",
      copySourceIfMatch: "rgw",
      conditionalCopy: "ignored",
      conditionalComplete: "ignored",
      copyTags: "forgotten",
    },
  }),
)

async function embedded(options: S3ServerOptions): Promise<OpenedStore> {
  const server = await startS3Server(options)
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const credentials = { accessKeyId, secretAccessKey }
  await createBucket("vault", { endpoint, region, credentials })
  return {
    store: createS3Store({ endpoint, region, credentials, onNotice: () => undefined }),
    bucket: "vault",
    customerKeys: true,
    close: () => server.close(),
  }
}

const realEndpoint = process.env["S3EP_TEST_ENDPOINT"]
if (realEndpoint) {
  describeObjectStore(realEndpoint, async () => {
    const region = process.env["S3EP_TEST_REGION"] ?? "us-east-1"
    const credentials = {
      accessKeyId: process.env["S3EP_TEST_ACCESS_KEY_ID"] ?? "",
      secretAccessKey: process.env["S3EP_TEST_SECRET_ACCESS_KEY"] ?? "",
    }
    const bucket = process.env["S3EP_TEST_BUCKET"] ?? "s3ep-contract"
    await createBucket(bucket, { endpoint: realEndpoint, region, credentials })
    const store = createS3Store({ endpoint: realEndpoint, region, credentials, onNotice: () => undefined })
    return { store, bucket, customerKeys: process.env["S3EP_TEST_SSE_C"] !== "no" }
  })
}

interface Access {
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

async function createBucket(bucket: string, access: Access): Promise<void> {
  const client = new S3Client({ ...access, forcePathStyle: true, maxAttempts: 1 })
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
  } catch (error) {
    const exists = error instanceof Error && /^BucketAlready(OwnedByYou|Exists)$/.test(error.name)
    if (!exists) throw error
  } finally {
    client.destroy()
  }
}
