import { DeleteObjectCommand } from "@aws-sdk/client-s3"
import { addressInput, callInput } from "./s3-inputs.ts"
import type { Sending } from "./s3-session.ts"
import type { S3Context } from "./s3-write.ts"
import type { DeleteOptions, ObjectAddress } from "./store.ts"

export async function deleteObject(
  { session }: S3Context,
  address: ObjectAddress,
  options: DeleteOptions = {},
): Promise<void> {
  const action = `delete s3://${address.bucket}/${address.key}`
  const sending: Sending = { action, bucket: address.bucket, about: "object", signal: options.signal }
  await session.run(sending, (client, http) =>
    client.send(
      new DeleteObjectCommand({
        ...addressInput(address),
        ...callInput(options),
        ...(options.versionId !== undefined && { VersionId: options.versionId }),
        ...(options.bypassGovernance && { BypassGovernanceRetention: true }),
      }),
      http,
    ),
  )
}
