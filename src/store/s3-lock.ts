import { addressInput, callInput } from "./s3-inputs.ts"
import { headObject } from "./s3-read.ts"
import type { Sending } from "./s3-session.ts"
import type { S3Context } from "./s3-write.ts"
import type { ObjectAddress, ObjectLock, ReadOptions, StoredObject } from "./store.ts"

/**
 * Sees to it that what was written is locked as asked: RGW 16 forgets the lock given with an upload in parts. Where
 * the service is known to keep it, nothing is sent.
 *
 * @throws what the service answers when it does not lock the object afterwards either; it is stored by then.
 */
export async function confirmLock(
  { session, dialect }: S3Context,
  address: ObjectAddress,
  { versionId }: StoredObject,
  { retention, legalHold }: ObjectLock,
  options: ReadOptions,
): Promise<void> {
  if (!retention && !legalHold) return
  if ((await dialect.offers("object-lock")) === true) return
  const info = await headObject(session, address, { ...options, versionId })
  const action = `lock s3://${address.bucket}/${address.key}, which is stored now`
  const sending: Sending = { action, bucket: address.bucket, about: "object", signal: options.signal }
  const { putLock } = await import("./s3-put-lock.ts")
  const version = {
    ...addressInput(address),
    ...callInput(options),
    ...(versionId !== undefined && { VersionId: versionId }),
  }
  await putLock(session, sending, version, {
    retention: info.retention ? undefined : retention,
    legalHold: info.legalHold ? undefined : legalHold,
  })
}
