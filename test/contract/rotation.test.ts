import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { createS3Store } from "../../src/store/s3.ts"
import { type Dialect, startS3Server } from "../support/s3-server/index.ts"
import { describeRotation, keepVersions, type RotationServer } from "./rotation.ts"

describeRotation("embedded server", () => embedded({}))

describeRotation("embedded server that copies as RGW does", () =>
  embedded({
    serverHeader: "other",
    copySourceIfMatch: "rgw",
    conditionalCopy: "ignored",
    conditionalComplete: "ignored",
    copyTags: "forgotten",
  }),
)

describeRotation("embedded server without conditions", () =>
  embedded({ serverHeader: "other", copySourceIfMatch: "501", conditionalCopy: "501" }),
)

interface Access {
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

async function embedded(dialect: Partial<Dialect>): Promise<RotationServer> {
  const server = await startS3Server()
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const access = { endpoint, region, credentials: { accessKeyId, secretAccessKey } }
  const opened = await at(access, "vault", true, () => server.close())
  // The bucket is made by a client that sends checksums.
  Object.assign(server.dialect, dialect)
  return opened
}

async function at(
  access: Access,
  bucket: string,
  full: boolean,
  close: () => Promise<void>,
): Promise<RotationServer> {
  const client = new S3Client({
    ...access,
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  })
  await client
    .send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }))
    .catch((error) => {
      if (!/^BucketAlready/.test(error.name)) throw error
    })
  await keepVersions(client, bucket)
  const store = createS3Store({ ...access, onNotice: () => undefined })
  return {
    store,
    client,
    bucket,
    full,
    async [Symbol.asyncDispose]() {
      store.close()
      client.destroy()
      await close()
    },
  }
}

const endpoint = process.env["S3EP_TEST_ENDPOINT"]
if (endpoint) {
  describeRotation(endpoint, () => {
    const region = process.env["S3EP_TEST_REGION"] ?? "us-east-1"
    const credentials = {
      accessKeyId: process.env["S3EP_TEST_ACCESS_KEY_ID"] ?? "",
      secretAccessKey: process.env["S3EP_TEST_SECRET_ACCESS_KEY"] ?? "",
    }
    return at({ endpoint, region, credentials }, "s3ep-rotation-contract", false, async () => undefined)
  })
}
