import { DeniedError, NotFoundError, UsageError } from "../../errors.ts"
import { isKeyring, keyringAddress, keyringPlace, prefixUri } from "../../keyring/place.ts"
import { findOldKeys } from "../../rotation/old-keys.ts"
import type { RotationRequest, Target } from "../../rotation/request.ts"
import { parseShard } from "../../rotation/shard.ts"
import type { ObjectAddress } from "../../store/store.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { isPrefix, parseAddress } from "../address.ts"
import type { ConfirmOptions } from "../confirm.ts"
import type { Session } from "../session.ts"
import { expectManyObjects } from "../young-generation.ts"
import { changeEpoch } from "./keyring.ts"
import { proveAction } from "./rotate-prove.ts"
import { mergeAction, planAction, runAction } from "./rotate-run.ts"

export interface RotateOptions extends ConfirmOptions {
  readonly recursive?: boolean
  readonly to?: readonly string[]
  readonly from?: readonly string[]
  readonly newEpoch?: boolean
  readonly reencrypt?: boolean
  /** `--no-acl` makes it false. */
  readonly acl?: boolean
  readonly plan?: boolean
  readonly prove?: boolean
  readonly purgeOldVersions?: boolean
  readonly bypassGovernance?: boolean
  readonly shard?: string
  readonly merge?: string
}

/** What the parts of `rotate-key` work with. */
export interface RotateJob {
  readonly session: Session
  readonly context: TransferContext
  readonly request: RotationRequest
  readonly options: RotateOptions
}

/** `rotate-key`. */
export async function rotateKey(
  session: Session,
  given: readonly string[],
  options: RotateOptions,
): Promise<void> {
  refuseContradictions(options)
  const addresses = given.map(parseAddress)
  const meansKeyring = addresses.some(isKeyring) || (await isOfKeyring(session, addresses, options))
  if (meansKeyring || options.newEpoch) {
    const [address, ...others] = addresses
    if (!address || others.length > 0) throw new UsageError("a new epoch is of one keyring: give it alone")
    const looks = looksOnly(options)
    if (!looks) await changeEpoch(session, given[0] ?? "", options)
    if (meansKeyring && !options.recursive && !looks) {
      session.output.notice(
        "the objects stay wrapped to the epoch before it, which still opens them",
        `\`s3ep rotate-key ${prefixUri(keyringPlace(address))} -r\` moves them`,
      )
      return
    }
    if (options.dryRun) return
  }
  const targets = addresses.map((address) => targetOf(address, options.recursive ?? false))
  const job = await openJob(session, targets, options)
  session.interruptionHint = "run the same command again: it goes on where it was stopped"
  if (options.merge !== undefined) return mergeAction(job, countOf(options.merge))
  if (options.prove || options.purgeOldVersions) return proveAction(job)
  if (options.plan || options.dryRun) return planAction(job)
  return runAction(job)
}

/** Whether a prefix stands for the keyring it has: nothing is said that could be about its objects only. */
async function isOfKeyring(
  session: Session,
  [address, ...others]: readonly ObjectAddress[],
  options: RotateOptions,
): Promise<boolean> {
  const { to, from, reencrypt, shard, recursive, newEpoch } = options
  const aboutObjects = [to, from, reencrypt, shard, recursive, newEpoch, looksOnly(options) || undefined]
  if (!address || others.length > 0 || !isPrefix(address)) return false
  if (session.settings.kek || aboutObjects.some((given) => given !== undefined)) return false
  const { requesterPays } = session.settings
  try {
    await (await session.store()).head(keyringAddress(keyringPlace(address)), {
      signal: session.signal,
      requesterPays,
    })
    return true
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof DeniedError) return false
    throw error
  }
}

/** Whether nothing is to be moved. */
function looksOnly({ plan, prove, purgeOldVersions, merge }: RotateOptions): boolean {
  return Boolean(plan || prove || purgeOldVersions) || merge !== undefined
}

async function openJob(
  session: Session,
  targets: readonly Target[],
  options: RotateOptions,
): Promise<RotateJob> {
  const { settings, io } = session
  if (targets.some(({ kind }) => kind === "tree")) expectManyObjects()
  const places = targets.map((target) =>
    target.kind === "object" ? target.address : { bucket: target.bucket, key: `${target.prefix}x` },
  )
  const looks = looksOnly(options) && !options.plan
  const context = looks
    ? await session.transfer("read")
    : await session.transfer(options.to ? "read" : "both", places)
  const chosen = options.to && (await session.keys("both", { writeTo: options.to }))
  const explicit = chosen ?? (settings.kek && !looks ? context.keys : undefined)
  const { readers } = context.keys
  return {
    session,
    context,
    options,
    request: {
      targets,
      to: explicit?.writers,
      from: options.from && findOldKeys(options.from, readers),
      reencrypt: options.reencrypt,
      shard: options.shard === undefined ? undefined : parseShard(options.shard, io.env),
      acls: options.acl,
      concurrency: settings.concurrency,
      requesterPays: settings.requesterPays,
      customerKey: await session.customerKey(),
    },
  }
}

function targetOf(address: ReturnType<typeof parseAddress>, recursive: boolean): Target {
  const { bucket, key } = address
  if (isKeyring(address)) return { kind: "tree", ...keyringPlace(address) }
  if (!recursive && !isPrefix(address)) return { kind: "object", address }
  return { kind: "tree", bucket, prefix: isPrefix(address) ? key : `${key}/` }
}

function refuseContradictions(options: RotateOptions): void {
  const { plan, prove, purgeOldVersions, merge, reencrypt, bypassGovernance } = options
  const modes = [plan && "--plan", (prove || purgeOldVersions) && "--prove", merge !== undefined && "--merge"]
  const given = modes.filter((mode) => typeof mode === "string")
  if (given.length > 1) throw new UsageError(`${given.join(" and ")} are different things to do: give one`)
  if (reencrypt && (prove || purgeOldVersions)) {
    throw new UsageError("--prove moves nothing: leave out --reencrypt, or run it first")
  }
  if (bypassGovernance && !purgeOldVersions) {
    throw new UsageError("--bypass-governance is for --purge-old-versions")
  }
  if (merge !== undefined && options.shard !== undefined) {
    throw new UsageError("--merge is of all shards: leave out --shard")
  }
}

function countOf(given: string): number {
  const count = /^\d{1,6}$/.test(given) ? Number(given) : 0
  if (count > 0) return count
  throw new UsageError(`--merge wants the number of shards, and ${JSON.stringify(given)} is none`)
}
