import {
  InterruptedError,
  KeyMissingError,
  NotFoundError,
  PreconditionError,
  S3epError,
  UnavailableError,
} from "../errors.ts"
import type { StoreLimits } from "../store/store.ts"
import { forEachConcurrent } from "../transfer/concurrent.ts"
import type { TransferContext } from "../transfer/context.ts"
import { writersOf } from "../transfer/keks.ts"
import { acquireLock } from "../transfer/lock.ts"
import { named, objectUri } from "../transfer/naming.ts"
import { PartMemory } from "../transfer/part-memory.ts"
import { BUFFER_BUDGET_BYTES } from "../transfer/plan.ts"
import { assess, obstacleOf } from "./assess.ts"
import { type BegunLine, RotationJournal, rotationId, rotationPaths, targetUri } from "./journal.ts"
import { ExtrasReader } from "./kept.ts"
import { reencrypt } from "./reencrypt.ts"
import { DEFAULT_CONCURRENCY, type Outcome, type RotationRequest } from "./request.ts"
import { type Mover, rewrap, takeUp } from "./rewrap.ts"
import { type Found, Watermark, walk } from "./walk.ts"

/** How often an object that changes under our hands is looked at again before it is left. */
const MAX_ATTEMPTS = 5
const NOTE_EVERY = 256
/** Objects at once where their bodies pass through this machine. */
const REENCRYPT_AT_ONCE = 2

export interface RotationResult {
  /** Whether an earlier run's journal was gone on with. */
  readonly resumed: boolean
}

/**
 * Move objects to other KEKs. Each object is written atomically, and only if nobody changed it since it was looked at;
 * one that is changed again and again is left and told as failed. How far it came is in a journal of the state
 * directory: after an interruption, or a crash, the same call goes on there.
 *
 * @param onOutcome - called for every object, in no order.
 * @throws {PreconditionError} if another process rotates the same targets. {KeyMissingError} if there is nothing to
 * wrap to. What concerns one object alone is an outcome.
 */
export async function rotate(
  context: TransferContext,
  request: RotationRequest,
  onOutcome: (outcome: Outcome) => void,
): Promise<RotationResult> {
  const { store, clock, stateDirectory, signal } = context
  const identity = { to: await targetIds(context, request), from: fromIds(request) }
  const id = rotationId(store.endpoint, request)
  const paths = rotationPaths(stateDirectory, id)
  const what = `the rotation of ${request.targets.map(targetUri).join(", ")}`
  await using _lock = await acquireLock(paths.lock, what, context.random)
  const { journal, unfinished } = await RotationJournal.open(paths.journal, identity, clock.now())
  const mover: Mover = { context, request, journal, extras: new ExtrasReader(context, request) }
  let over = false
  try {
    const limits = new LimitsOf(context, request)
    for (const line of unfinished?.begun ?? []) await takeUpOrTell(mover, line, limits, onOutcome)
    if (unfinished?.position) tellOfResuming(context, unfinished.position.key)
    await moveAll(mover, limits, unfinished?.position ?? null, onOutcome)
    over = true
    return { resumed: unfinished?.position !== undefined && unfinished.position !== null }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw error
  } finally {
    // The journal's own failure was thrown where it happened.
    await (over ? journal.remove() : journal.close()).catch(() => undefined)
  }
}

/** What keeps one object from being put right does not keep the others from being moved. */
async function takeUpOrTell(
  mover: Mover,
  line: BegunLine,
  limits: LimitsOf,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  const address = { bucket: line.bucket, key: line.begun }
  try {
    await takeUp(mover, line, await limits.of(line.bucket))
  } catch (error) {
    if (mover.context.signal.aborted) throw error
    onOutcome(failed(error, address, 0, 1))
  }
}

async function moveAll(
  mover: Mover,
  limits: LimitsOf,
  after: Found | { target: number; key: string } | null,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  const { context, request, journal } = mover
  const memory = new PartMemory(BUFFER_BUDGET_BYTES)
  const watermark = new Watermark()
  // A new body is not made twice if that can be helped.
  const noteEvery = request.noteEvery ?? (request.reencrypt ? 1 : NOTE_EVERY)
  let sinceNote = 0
  const inOrder = async function* () {
    for await (const found of walk(context, request, after)) yield { found, done: watermark.begin(found) }
  }
  const atOnce = request.concurrency ?? (request.reencrypt ? REENCRYPT_AT_ONCE : DEFAULT_CONCURRENCY)
  await forEachConcurrent(
    inOrder(),
    atOnce,
    async ({ found, done }) => {
      const { address } = found
      onOutcome(await move(mover, found, await limits.of(address.bucket), memory))
      const reached = done()
      sinceNote += 1
      if (!reached || sinceNote < noteEvery) return
      sinceNote = 0
      await journal.reached(reached)
    },
    { signal: context.signal },
  )
}

async function move(
  mover: Mover,
  { address }: Found,
  limits: StoreLimits,
  memory: PartMemory,
): Promise<Outcome> {
  const { context, request } = mover
  for (let attempt = 1; ; attempt += 1) {
    const found = await assess(context, request, address, limits)
    if (found.kind !== "movable") return found
    using object = found
    const { info, how } = object
    try {
      if (how === "reencrypt") await reencrypt(mover, object, memory)
      else await rewrap(mover, object, limits)
      return { kind: "moved", address, how, info }
    } catch (error) {
      if (context.signal.aborted) throw error
      const changed = error instanceof PreconditionError && obstacleOf(error) === null
      const vanished = error instanceof NotFoundError && error.what !== "bucket"
      if ((changed || vanished) && attempt < MAX_ATTEMPTS) continue
      return failed(error, address, info.bytes, attempt)
    }
  }
}

function failed(error: unknown, address: Found["address"], bytes: number, attempts: number): Outcome {
  const failure = named(error, "rotate", objectUri(address))
  // What the whole store answers so is not this object's failure.
  const stops = failure instanceof UnavailableError || failure instanceof InterruptedError
  if (!(failure instanceof S3epError) || stops) throw failure
  const obstacle = obstacleOf(failure)
  if (failure instanceof PreconditionError && obstacle === null) {
    const message = `${objectUri(address)} was changed ${attempts} times while it was to be rotated: it is left as it is`
    return {
      kind: "failed",
      address,
      obstacle,
      error: new PreconditionError(message, { cause: error }),
      bytes,
    }
  }
  return { kind: "failed", address, obstacle, error: failure, bytes }
}

/** What the service takes, asked once for each bucket. */
export class LimitsOf {
  readonly #context: TransferContext
  readonly #request: RotationRequest
  readonly #known = new Map<string, Promise<StoreLimits>>()

  constructor(context: TransferContext, request: RotationRequest) {
    this.#context = context
    this.#request = request
  }

  of(bucket: string): Promise<StoreLimits> {
    const { store, signal } = this.#context
    const { requesterPays } = this.#request
    const asked = this.#known.get(bucket) ?? store.limits(bucket, { signal, requesterPays })
    this.#known.set(bucket, asked)
    return asked
  }
}

/** @throws {KeyMissingError} if there is nothing to wrap to: better now than for every object. */
export async function targetIds(
  context: TransferContext,
  { to, targets }: RotationRequest,
): Promise<string[]> {
  const ids: string[] = []
  for (const target of targets) {
    const address =
      target.kind === "object" ? target.address : { bucket: target.bucket, key: `${target.prefix}x` }
    const writers = to ?? (await writersOf(context, address))
    if (writers.length === 0) {
      throw new KeyMissingError("no key to move to", {
        hint: "name it with --to; `s3ep keys generate` makes one",
      })
    }
    ids.push(...writers.map((kek) => kek.id))
  }
  return [...new Set(ids)].sort()
}

export function fromIds({ from }: RotationRequest): string[] {
  return [...(from?.keks.map(({ id }) => id) ?? []), ...(from?.ids ?? [])].sort()
}

function tellOfResuming({ onProgress }: TransferContext, key: string): void {
  onProgress({
    type: "notice",
    message: `going on behind ${JSON.stringify(key)}, where the run before this one was stopped`,
    hint: "`--prove` looks at all of it",
  })
}
