import type { SecretBytes } from "../../../src/crypto/secret.ts"
import { openEnvelope, openPrivateMetadata, type PrivateMetadata } from "../../../src/envelope/envelope.ts"
import { fromUserMetadata } from "../../../src/envelope/metadata.ts"
import type { Kek } from "../../../src/keys/kek.ts"
import type { ObjectInfo } from "../../../src/store/store.ts"

/** What some KEKs open of an object's envelope, without a look at its body. */
export async function inspectEnvelope(
  { metadata }: ObjectInfo,
  objectKey: string,
  readers: readonly Kek[],
): Promise<{ dek: SecretBytes; private: PrivateMetadata | null }> {
  const envelope = fromUserMetadata(metadata)
  if (!envelope) throw new Error("no envelope")
  const { dek } = await openEnvelope(envelope, { objectKey, readers })
  return { dek, private: openPrivateMetadata(envelope, dek) }
}
