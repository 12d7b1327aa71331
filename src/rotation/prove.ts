import type { Envelope } from "../envelope/envelope.ts"
import { IntegrityError, NotFoundError, S3epError, UnavailableError, UnsupportedError } from "../errors.ts"
import type { Kek } from "../keys/kek.ts"
import type { ListedVersion, ObjectAddress, ObjectInfo, ReadOptions } from "../store/store.ts"
import { forEachConcurrent } from "../transfer/concurrent.ts"
import type { TransferContext } from "../transfer/context.ts"
import { envelopeOf } from "../transfer/formats.ts"
import { named, objectUri } from "../transfer/naming.ts"
import { opener } from "./old-keys.ts"
import { DEFAULT_CONCURRENCY, type RotationRequest, type Target } from "./request.ts"
import { fallsTo } from "./shard.ts"
import { walk } from "./walk.ts"

export type Finding =
  /** An old KEK opens it. */
  | { readonly kind: "open"; readonly address: ObjectAddress; readonly kek: string; readonly bytes: number }
  | { readonly kind: "closed"; readonly address: ObjectAddress }
  | { readonly kind: "foreign"; readonly address: ObjectAddress }
  /** Nobody can say. */
  | { readonly kind: "unknown"; readonly address: ObjectAddress; readonly error: S3epError }

/** An old version that an old KEK opens. */
export interface OldVersion {
  readonly address: ObjectAddress
  readonly versionId: string
  readonly bytes: number
  readonly kek: string
  /** Until when it cannot be removed; "legal hold" if nobody knows. */
  readonly lockedUntil: Date | "legal hold" | null
}

/**
 * Try old KEKs on the envelope of every object there is now.
 *
 * @param keks - at hand.
 */
export async function proveRotation(
  context: TransferContext,
  request: RotationRequest,
  keks: readonly Kek[],
  onFinding: (finding: Finding) => void,
): Promise<void> {
  await forEachConcurrent(
    walk(context, request),
    request.concurrency ?? DEFAULT_CONCURRENCY,
    async ({ address }) => {
      const finding = await tryOn(context, request, keks, address)
      if (finding) onFinding(finding)
    },
    { signal: context.signal },
  )
}

async function tryOn(
  context: TransferContext,
  request: RotationRequest,
  keks: readonly Kek[],
  address: ObjectAddress,
): Promise<Finding | null> {
  try {
    const { envelope, info } = await look(context, request, address, undefined)
    if (!envelope) return { kind: "foreign", address }
    const kek = await opener(keks, envelope, address.key)
    return kek ? { kind: "open", address, kek: kek.id, bytes: info.bytes } : { kind: "closed", address }
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "object") return null // deleted meanwhile
    const failure = named(error, "look at", objectUri(address))
    const stops = failure instanceof UnavailableError || context.signal.aborted
    if (!(failure instanceof S3epError) || stops) throw failure
    return { kind: "unknown", address, error: failure }
  }
}

/**
 * The old versions of the targets' objects that an old KEK still opens, those of deleted objects among them.
 *
 * @returns null if the service keeps no versions.
 */
export async function oldVersions(
  context: TransferContext,
  request: RotationRequest,
  keks: readonly Kek[],
  onVersion: (version: OldVersion) => Promise<void> | void,
): Promise<{ readonly versions: number } | null> {
  let versions = 0
  try {
    await forEachConcurrent(
      replaced(context, request),
      request.concurrency ?? DEFAULT_CONCURRENCY,
      async ({ bucket, version }) => {
        versions += 1
        const old = await oldVersion(context, request, keks, bucket, version)
        if (old) await onVersion(old)
      },
      { signal: context.signal },
    )
  } catch (error) {
    if (error instanceof UnsupportedError) return null
    throw error
  }
  return { versions }
}

async function oldVersion(
  context: TransferContext,
  request: RotationRequest,
  keks: readonly Kek[],
  bucket: string,
  { key, versionId, bytes }: ListedVersion,
): Promise<OldVersion | null> {
  const address = { bucket, key }
  try {
    const { envelope, info } = await look(context, request, address, versionId)
    const kek = envelope && (await opener(keks, envelope, key))
    if (!kek) return null
    return { address, versionId, bytes, kek: kek.id, lockedUntil: lockOf(info, context.clock.now()) }
  } catch (error) {
    if (error instanceof NotFoundError) return null
    const failure = named(error, "look at a version of", objectUri(address))
    if (!(failure instanceof IntegrityError)) throw failure
    context.onProgress({ type: "notice", message: `version ${versionId}: ${failure.message}` })
    return null
  }
}

function lockOf({ retention, legalHold }: ObjectInfo, nowMs: number): OldVersion["lockedUntil"] {
  if (legalHold) return "legal hold"
  const until = retention?.until
  return until && until.getTime() > nowMs ? until : null
}

async function* replaced(
  { store, signal }: TransferContext,
  { targets, shard, requesterPays }: RotationRequest,
): AsyncGenerator<{ bucket: string; version: ListedVersion }> {
  for (const target of targets) {
    const { bucket, prefix } = placeOf(target)
    for await (const version of store.listVersions(bucket, { prefix, signal, requesterPays })) {
      const ours = target.kind === "tree" || version.key === target.address.key
      if (!ours || version.isLatest || version.kind === "marker") continue
      if (!shard || fallsTo(version.key, shard)) yield { bucket, version }
    }
  }
}

function placeOf(target: Target): { bucket: string; prefix: string } {
  return target.kind === "tree" ? target : { bucket: target.address.bucket, prefix: target.address.key }
}

/** @returns no envelope for what s3ep did not write. */
async function look(
  { store, signal }: TransferContext,
  { requesterPays, customerKey }: RotationRequest,
  address: ObjectAddress,
  versionId: string | undefined,
): Promise<{ info: ObjectInfo; envelope: Envelope | null }> {
  const options: ReadOptions = { signal, requesterPays, versionId }
  const info = await (customerKey
    ? store.head(address, { ...options, customerKey }).catch((error: unknown) => {
        if (error instanceof NotFoundError) throw error
        return store.head(address, options)
      })
    : store.head(address, options))
  return { info, envelope: envelopeOf(info.metadata) }
}
