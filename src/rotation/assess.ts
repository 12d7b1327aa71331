import type { SecretBytes } from "../crypto/secret.ts"
import { bindingContext } from "../envelope/binding.ts"
import { createEnvelope, type Envelope } from "../envelope/envelope.ts"
import { toUserMetadata } from "../envelope/metadata.ts"
import { isReserved } from "../envelope/reserved.ts"
import {
  DeniedError,
  IntegrityError,
  KeyMissingError,
  NotFoundError,
  PreconditionError,
  S3epError,
  UsageError,
} from "../errors.ts"
import type { Kek, Recipient } from "../keys/kek.ts"
import type { ObjectAddress, ObjectInfo, StoreLimits } from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import { envelopeOf } from "../transfer/formats.ts"
import { unwrapEnvelope, writersOf } from "../transfer/keks.ts"
import { named, objectUri } from "../transfer/naming.ts"
import { othersOf } from "./kept.ts"
import { names } from "./old-keys.ts"
import type { Move, Obstacle, Outcome, RotationRequest } from "./request.ts"

/** An object that is to be moved, with what it is to get. Disposing of it wipes the DEK. */
export interface Movable extends Disposable {
  readonly kind: "movable"
  readonly address: ObjectAddress
  readonly info: ObjectInfo
  readonly how: Move
  /** The old one. */
  readonly envelope: Envelope
  readonly dek: SecretBytes
  readonly writers: readonly Kek[]
  /** All user metadata, the new envelope's and that of others. */
  readonly metadata: Readonly<Record<string, string>>
}

/** What is written to see whether conditions work lies there, for a moment. */
const PROBES = ".s3ep-probe/"

/**
 * Look at one object and decide: one request, and no byte of its body.
 *
 * @throws {UnavailableError}, or what stops everything; what concerns the object alone is an outcome.
 */
export async function assess(
  context: TransferContext,
  request: RotationRequest,
  address: ObjectAddress,
  limits: StoreLimits,
): Promise<Movable | Exclude<Outcome, { kind: "moved" }>> {
  let info: ObjectInfo | undefined
  try {
    info = await look(context, request, address)
    if (isReserved(address.key) || address.key.startsWith(PROBES)) return { kind: "foreign", address, info }
    const envelope = envelopeOf(info.metadata)
    if (!envelope) return { kind: "foreign", address, info }
    if (request.from && !names(request.from, envelope)) return { kind: "other", address, info }
    const writers = request.to ?? (await writersOf(context, address))
    if (!request.reencrypt && (await isWrappedTo(envelope, address, writers))) {
      return { kind: "current", address, info }
    }
    checkMovable(context, address, info)
    return await movable(context, request, address, info, envelope, writers, limits)
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "object") return { kind: "gone", address }
    const failure = named(error, "rotate", objectUri(address))
    const obstacle = obstacleOf(failure)
    if (!(failure instanceof S3epError) || obstacle === null) throw failure
    return { kind: "failed", address, obstacle, error: failure, bytes: info?.bytes ?? 0 }
  }
}

async function look(
  { store, signal }: TransferContext,
  { requesterPays, customerKey }: RotationRequest,
  address: ObjectAddress,
): Promise<ObjectInfo> {
  const options = { signal, requesterPays }
  try {
    return await store.head(address, { ...options, customerKey })
  } catch (error) {
    // A customer's key is refused with an object that is not under it.
    const mixed = customerKey && (error instanceof UsageError || error instanceof DeniedError)
    if (!mixed) throw error
    return store.head(address, options).catch(() => {
      throw error
    })
  }
}

function checkMovable({ clock }: TransferContext, address: ObjectAddress, info: ObjectInfo): void {
  const uri = objectUri(address)
  if (info.etag === "") throw new IntegrityError(`the service gives ${uri} no ETag to tell it by`)
  if (info.archived) {
    throw new ArchivedError(
      `cannot rotate ${uri}: it is archived (${info.storageClass ?? "Intelligent-Tiering"})`,
      {
        hint: "restore it first, with `aws s3api restore-object`, and run this again",
      },
    )
  }
  // In a bucket with versions a copy makes a new one; the locked one stays below it.
  const until = info.retention?.until
  const retained = until !== undefined && until.getTime() > clock.now()
  if (info.versionId === undefined && (retained || info.legalHold)) {
    throw new LockedError(
      `cannot rotate ${uri}: it is locked${retained ? ` until ${until.toISOString()}` : " by a legal hold"}, and the bucket keeps no versions`,
    )
  }
  if (info.missingMetadata > 0) {
    throw new UsageError(
      `cannot rotate ${uri}: it has metadata that no header can carry, which would be lost`,
    )
  }
}

async function movable(
  context: TransferContext,
  { reencrypt, maxCopyBytes }: RotationRequest,
  address: ObjectAddress,
  info: ObjectInfo,
  envelope: Envelope,
  writers: readonly Kek[],
  limits: StoreLimits,
): Promise<Movable> {
  const { dek } = await unwrapEnvelope(context, address, envelope)
  try {
    const metadata = await newMetadata(context, dek, envelope, address, writers, info, limits)
    const large = info.bytes > Math.min(maxCopyBytes ?? limits.maxPutBytes, limits.maxPutBytes)
    const how = reencrypt ? "reencrypt" : large ? "copy-in-parts" : "copy"
    const dispose = () => dek[Symbol.dispose]()
    return {
      kind: "movable",
      address,
      info,
      how,
      envelope,
      dek,
      writers,
      metadata,
      [Symbol.dispose]: dispose,
    }
  } catch (error) {
    dek[Symbol.dispose]()
    throw error
  }
}

/** The DEK and the sealed private metadata stay; who may open the object is replaced. */
async function newMetadata(
  { random }: TransferContext,
  dek: SecretBytes,
  envelope: Envelope,
  address: ObjectAddress,
  writers: readonly Kek[],
  info: ObjectInfo,
  limits: StoreLimits,
): Promise<Record<string, string>> {
  const { bind, meta } = envelope
  const wrapped = await createEnvelope({ dek, bind, objectKey: address.key, writers, random })
  return toUserMetadata({ ...wrapped, ...(meta !== undefined && { meta }) }, limits, othersOf(info))
}

/** Whether an envelope names exactly these KEKs, each of its recipients being one that its KEK really opens. */
async function isWrappedTo(
  { bind, recipients }: Envelope,
  { key }: ObjectAddress,
  writers: readonly Kek[],
): Promise<boolean> {
  if (recipients.length !== new Set(writers.map(({ id }) => id)).size) return false
  const context = bindingContext(bind, key)
  const used = new Set<Kek>()
  for (const recipient of recipients) {
    const kek = await ownerOf(recipient, context, writers)
    if (!kek || used.has(kek)) return false
    used.add(kek)
  }
  return true
}

async function ownerOf(
  recipient: Recipient,
  context: Uint8Array,
  writers: readonly Kek[],
): Promise<Kek | null> {
  for (const kek of writers) {
    const named = kek.id === recipient.kek
    // What would take long, or ask somebody, is believed by its name.
    if (named && kek.slow) return kek
    if (!named && !kek.matches(recipient)) continue
    try {
      const dek = await kek.unwrap(recipient, context)
      dek?.[Symbol.dispose]()
      // A KEK that can only write opens nothing, and is told by its name.
      if (dek || named) return kek
    } catch (error) {
      if (!(error instanceof IntegrityError || error instanceof KeyMissingError)) throw error
    }
  }
  return null
}

class ArchivedError extends PreconditionError {}
class LockedError extends PreconditionError {}

/** Why an object cannot be moved, if that is what an error says; null for what concerns more than the object. */
export function obstacleOf(error: unknown): Obstacle | null {
  if (error instanceof ArchivedError) return "archived"
  if (error instanceof LockedError) return "locked"
  if (error instanceof PreconditionError && /archived/.test(error.message)) return "archived"
  if (error instanceof PreconditionError && /Object Lock/.test(error.message)) return "locked"
  if (error instanceof KeyMissingError) return "no-key"
  if (error instanceof IntegrityError) return "damaged"
  if (error instanceof UsageError) return "metadata"
  return error instanceof DeniedError ? "denied" : null
}
