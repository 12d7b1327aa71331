import { PutObjectLegalHoldCommand, PutObjectRetentionCommand } from "@aws-sdk/client-s3"
import type { S3Session, Sending } from "./s3-session.ts"
import type { ObjectLock } from "./store.ts"

// S3 wants a checksum here; the SDK computes it for these few bytes.
const CHECKED = { ChecksumAlgorithm: "CRC32" } as const

/**
 * Lock one version of an object.
 *
 * @param version - in the SDK's words.
 */
export async function putLock(
  session: S3Session,
  sending: Sending,
  version: { readonly Bucket: string; readonly Key: string; readonly VersionId?: string },
  { retention, legalHold }: ObjectLock,
): Promise<void> {
  if (retention) {
    const Retention = { Mode: retention.mode, RetainUntilDate: retention.until }
    await session.run(sending, (client, http) =>
      client.send(new PutObjectRetentionCommand({ ...version, ...CHECKED, Retention }), http),
    )
  }
  if (legalHold) {
    const LegalHold = { Status: "ON" as const }
    await session.run(sending, (client, http) =>
      client.send(new PutObjectLegalHoldCommand({ ...version, ...CHECKED, LegalHold }), http),
    )
  }
}
