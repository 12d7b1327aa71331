import { createHash } from "node:crypto"
import { openStream } from "../agcm/stream.ts"
import { equalSecret, release } from "../bytes.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import type { PrivateMetadata } from "../envelope/private-metadata.ts"
import { DeniedError, IntegrityError } from "../errors.ts"
import type { ChecksumChoice, ObjectAddress, ObjectSettings, StoreLimits } from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import { newObject } from "../transfer/new-object.ts"
import type { PlanWishes } from "../transfer/plan.ts"
import { customerKeyOf } from "../transfer/upload-request.ts"
import { storeStream } from "../transfer/upload-stream.ts"

/** An object to be written beside the place it is for, so that it can be looked at before it is put there. */
export interface BesideRequest extends Pick<PlanWishes, "partBytes" | "chunkBytes" | "concurrency"> {
  /** Where it will be: what its envelope is bound to, so that it opens nowhere else. */
  readonly target: ObjectAddress
  /** Where it is written. In the same bucket. */
  readonly beside: ObjectAddress
  /** What the object in its place will have, without the envelope. */
  readonly settings: ObjectSettings
  readonly privateMetadata: PrivateMetadata
  /** Read once. Its arrays are kept until they are sealed. */
  readonly plaintext: AsyncIterable<Uint8Array>
  readonly expectedBytes?: number | undefined
  readonly checksum?: ChecksumChoice | undefined
  readonly requesterPays?: boolean | undefined
  /** Names it in progress events. */
  readonly item: string
}

/** What lies beside, and is what it should be. */
export interface Beside {
  readonly address: ObjectAddress
  readonly etag: string
  readonly versionId: string | undefined
  /** Plaintext. */
  readonly bytes: number
  readonly storedBytes: number
  /** All that it is to have in its place, the envelope among it. */
  readonly settings: ObjectSettings
}

/**
 * Encrypt a stream into an object beside its place, then read that back, open it and compare it with what was sealed.
 * With the DEK at hand that works for whoever may write to a key and not read with it.
 *
 * @throws {IntegrityError} if what the store returns is not what it was given; what lies there is removed then.
 */
export async function writeBeside(
  context: TransferContext,
  request: BesideRequest,
  limits: StoreLimits,
): Promise<Beside> {
  const { target, beside: address, plaintext, settings: wanted, privateMetadata, ...others } = request
  using object = await newObject(context, { address: target, settings: wanted }, limits, privateMetadata)
  const { dek, settings } = object
  const written = createHash("sha256")
  const sealed = {
    ...others,
    address,
    ownMemory: true,
    settings: settingsBeside(settings),
    source: hashing(plaintext, written),
  }
  const stored = await storeStream(context, sealed, limits, { ...object, settings: sealed.settings })
  const { etag, versionId, bytes, storedBytes } = stored
  const found = { address, etag, versionId, bytes, storedBytes, settings }
  try {
    await compare(context, found, request, dek, written.digest())
  } catch (error) {
    if (error instanceof IntegrityError) await removeBeside(context, address, request, versionId)
    throw error
  }
  return found
}

/**
 * Remove what lies beside: the version that was made, where there are versions and whoever asks may.
 *
 * @param versionId - if it is known.
 */
export async function removeBeside(
  { store, signal }: TransferContext,
  address: ObjectAddress,
  { requesterPays }: Pick<BesideRequest, "requesterPays">,
  versionId: string | undefined,
): Promise<void> {
  const options = { requesterPays, signal }
  try {
    await store.delete(address, { ...options, versionId })
  } catch (error) {
    if (!(error instanceof DeniedError) || versionId === undefined) throw error
    await store.delete(address, options)
  }
}

async function compare(
  { store, signal }: TransferContext,
  { address, etag, versionId, bytes }: Beside,
  { requesterPays, settings }: BesideRequest,
  dek: SecretBytes,
  digest: Uint8Array,
): Promise<void> {
  const customerKey = customerKeyOf(settings)
  const answer = await store.get(address, { ifMatch: etag, versionId, requesterPays, customerKey, signal })
  const read = createHash("sha256")
  let readBytes = 0
  for await (const chunk of openStream(dek, answer.body, answer.ownMemory)) {
    signal.throwIfAborted()
    read.update(chunk)
    readBytes += chunk.length
    release(chunk)
  }
  if (readBytes === bytes && equalSecret(read.digest(), digest)) return
  throw new IntegrityError("what was read back is not what was written")
}

// What it has beside is for the object in its place: a lock, for instance, would keep it from being removed.
function settingsBeside({ metadata, encryption }: ObjectSettings): ObjectSettings {
  return { metadata, encryption }
}

async function* hashing(
  pieces: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) {
    hash.update(piece)
    yield piece
  }
}
