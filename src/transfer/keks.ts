import { type Envelope, openEnvelope } from "../envelope/envelope.ts"
import { KeyMissingError, S3epError } from "../errors.ts"
import type { Kek } from "../keys/kek.ts"
import type { ObjectAddress } from "../store/store.ts"
import type { TransferContext } from "./context.ts"

type WithKeys = Pick<TransferContext, "keys" | "keyrings">

/**
 * The KEKs a new object is wrapped to: those of the keyring that is responsible for it, else those that were chosen.
 *
 * @throws {KeyMissingError} if there are none; {IntegrityError} if the keyring is not what was written.
 */
export async function writersOf(
  { keys, keyrings }: WithKeys,
  address: ObjectAddress,
): Promise<readonly Kek[]> {
  return (await keyrings?.writersFor(address)) ?? keys.writers
}

/** Whether a failure is that there are no keys to write with: no other object would fare better. */
export function isForWantOfWriters({ keys }: WithKeys, error: S3epError): boolean {
  try {
    void keys.writers
    return false
  } catch (reason) {
    return reason instanceof S3epError && reason.message === error.message
  }
}

/**
 * Unwrap the DEK of a stored object, as `openEnvelope` does: with the keys at hand, and if none of them fits with
 * those of the keyrings above it, which are fetched only then.
 */
export async function unwrapEnvelope(
  { keys, keyrings }: WithKeys,
  { key, bucket }: ObjectAddress,
  envelope: Envelope,
): ReturnType<typeof openEnvelope> {
  try {
    return await openEnvelope(envelope, { objectKey: key, readers: keys.readers })
  } catch (error) {
    if (!keyrings || !(error instanceof KeyMissingError)) throw error
    const readers = await keyrings.readersFor({ bucket, key }, envelope.recipients)
    if (readers.length === 0) throw error
    return await openEnvelope(envelope, { objectKey: key, readers })
  }
}
