import { IntegrityError, NotFoundError, PartialError, type S3epError } from "../../errors.ts"
import { targetUri } from "../../rotation/journal.ts"
import { planRotation } from "../../rotation/plan.ts"
import { PRICE_BASIS, type RotationPlan } from "../../rotation/prices.ts"
import type { Outcome } from "../../rotation/request.ts"
import { type Merged, ShardResults } from "../../rotation/results.ts"
import { rotate } from "../../rotation/rotate.ts"
import { objectUri } from "../../transfer/naming.ts"
import { Batch } from "../batch.ts"
import { counted, formatBytes } from "../text.ts"
import type { RotateJob } from "./rotate-key.ts"

const INTEGRITY_STATUS = 4

/** `rotate-key`: moves. */
export async function runAction(job: RotateJob): Promise<void> {
  const { session, context, request } = job
  const { output } = session
  const { shard } = request
  const results = shard && new ShardResults(context, request)
  const started = new Date(context.clock.now()).toISOString()
  if (shard) await results?.write(shard, { state: "running", started, ended: null, counts: {} })
  const batch = new Batch(session, "object")
  const counts: Record<string, number> = {}
  const count = (name: string, amount = 1) => {
    counts[name] = (counts[name] ?? 0) + amount
    output.count(name, amount)
  }
  let found = 0
  let alone: S3epError | undefined
  const { resumed } = await rotate(context, request, (outcome) => {
    found += 1
    const error = outcome.kind === "failed" ? outcome.error : mistake(job, outcome)
    if (error) {
      alone = isAlone(job) ? error : undefined
      if (alone) return
      counts["failed"] = (counts["failed"] ?? 0) + 1
      return batch.failed(objectUri(outcome.address), error)
    }
    batch.succeeded()
    count(outcome.kind)
    if (outcome.kind === "moved") {
      count("bytes", outcome.info.bytes)
      output.report(movedLine("rotated", outcome), ({ uri, how }) => `${verbs[how].done} ${uri}`)
    } else if (output.json) {
      output.report({ type: "kept", uri: objectUri(outcome.address), why: outcome.kind }, () => "")
    }
  })
  if (alone) throw alone
  if (found === 0 && !resumed && !shard) throw nothingThere(job)
  const ended = new Date(context.clock.now()).toISOString()
  if (shard) await results?.write(shard, { state: "finished", started, ended, counts })
  output.notice(describeRun(counts, resumed))
  if ((counts["moved"] ?? 0) > 0) tellLimits(job)
  batch.finish(INTEGRITY_STATUS)
}

/** One object that was named simply fails with what it fails with. */
function isAlone({ request }: RotateJob): boolean {
  const [only, ...others] = request.targets
  return only?.kind === "object" && others.length === 0
}

/** What concerns nobody in a tree, but is an error for an object that was named. */
export function mistake(
  { request }: Pick<RotateJob, "request">,
  { kind, address }: Outcome,
): S3epError | null {
  const named = request.targets.some(
    (target) =>
      target.kind === "object" &&
      target.address.bucket === address.bucket &&
      target.address.key === address.key,
  )
  if (!named) return null
  if (kind === "foreign") {
    return new IntegrityError(`${objectUri(address)} has no envelope of s3ep that could be rewrapped`)
  }
  if (kind !== "gone") return null
  return new NotFoundError(`${objectUri(address)} is not there`, { what: "object" })
}

export function nothingThere({ request }: Pick<RotateJob, "request">): NotFoundError {
  return new NotFoundError(`there is nothing under ${request.targets.map(targetUri).join(", ")}`, {
    what: "object",
  })
}

const verbs = {
  copy: { done: "rewrapped", would: "would rewrap" },
  "copy-in-parts": { done: "rewrapped in parts", would: "would rewrap in parts" },
  reencrypt: { done: "re-encrypted", would: "would re-encrypt" },
} as const

function movedLine<T extends string>(type: T, { address, how, info }: Outcome & { kind: "moved" }) {
  return { type, uri: objectUri(address), how, bytes: info.bytes }
}

function describeRun(counts: Readonly<Record<string, number>>, resumed: boolean): string {
  const { moved = 0, current = 0, other = 0, foreign = 0, failed = 0 } = counts
  const facts = [
    `moved ${counted(moved, "object")}`,
    ...(current > 0 ? [`${current} already moved`] : []),
    ...(other > 0 ? [`${other} not under the old key`] : []),
    ...(foreign > 0 ? [`${foreign} not of s3ep`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ]
  return `${facts.join(", ")}${resumed ? ", since it went on" : ""}`
}

/** What nobody should believe of a rotation. */
export function tellLimits({ session, request }: Pick<RotateJob, "session" | "request">): void {
  const { output } = session
  output.notice(
    request.reencrypt
      ? "whoever kept an old ciphertext and its DEK, or its envelope and the old KEK, can still read that"
      : "whoever kept an old envelope and the old KEK can still read what it belongs to: the DEKs are the same",
    request.reencrypt
      ? "--prove tries the old key on all of it, and counts old versions"
      : "--prove tries the old key on all of it; --reencrypt makes new DEKs",
  )
}

/** `rotate-key --plan` and `--dry-run`. */
export async function planAction({ session, context, request, options }: RotateJob): Promise<void> {
  const { output } = session
  const plan = await planRotation(context, request, (outcome) => {
    if (outcome.kind === "failed") {
      const { address, obstacle, bytes, error } = outcome
      const line = { type: "stuck", uri: objectUri(address), why: obstacle, bytes, message: error.message }
      output.answer({ ...line, hint: error.hint ?? null }, ({ message }) => `stuck: ${message}`)
    } else if (outcome.kind === "moved" && options.dryRun) {
      const line = { ...movedLine("planned", outcome), action: "rotate" }
      output.report(line, ({ uri, how }) => `${verbs[how].would} ${uri}`)
    }
  })
  if (plan.objects === 0 && !request.shard) throw nothingThere({ request })
  output.count("planned", plan.moves)
  output.answer({ type: "plan", ...plan, priceBasis: PRICE_BASIS }, () => describePlan(plan).join("\n"))
}

function describePlan(plan: RotationPlan): string[] {
  const { requests, cost, stuck } = plan
  const total = requests.list + requests.read + requests.write
  const machine =
    plan.machineBytes > 0
      ? `${formatBytes(plan.machineBytes)} through this machine, in and out`
      : "nothing through this machine"
  return [
    `${counted(plan.objects, "object")}: ${plan.moves} to move, ${plan.current} already moved, ${plan.other} not under the old key, ${plan.foreign} not of s3ep`,
    `${counted(total, "request")}: ${requests.read} to look, ${requests.write} to write, ${requests.list} to list`,
    `${formatBytes(plan.copiedBytes)} copied inside the store, ${machine}`,
    `about $${dollars(cost.once)}${cost.perMonth > 0 ? `, and $${dollars(cost.perMonth)} a month for ${formatBytes(plan.versionBytes)} of old versions until they are removed` : ""}`,
    `(by ${PRICE_BASIS}; colder classes may charge for early deletion too)`,
    ...Object.entries(stuck).map(
      ([why, { objects, bytes }]) => `stuck: ${counted(objects, "object")}, ${formatBytes(bytes)}: ${why}`,
    ),
  ]
}

function dollars(amount: number): string {
  return amount >= 0.01 || amount === 0 ? amount.toFixed(2) : amount.toFixed(6)
}

/** `rotate-key --merge`. */
export async function mergeAction(
  { session, context, request, options }: RotateJob,
  count: number,
): Promise<void> {
  const { output } = session
  const results = new ShardResults(context, request)
  const merged = await results.merge(count)
  output.answer({ type: "merged", ...merged }, () => describeMerged(merged).join("\n"))
  if (!merged.complete) {
    throw new PartialError("the rotation is not finished", {
      hint: "run the shards that are named again, then merge",
    })
  }
  if (!options.dryRun) await results.remove(count)
  output.notice("all shards finished", "prove it: the same command with --prove instead of --merge")
}

function describeMerged({ shards, missing, running, failed, counts }: Merged): string[] {
  const some = (what: string, indexes: readonly number[]) =>
    indexes.length === 0 ? [] : [`shards that ${what}: ${indexes.join(", ")}`]
  return [
    `${counted(shards, "shard")}: ${describeRun(counts, false)}`,
    ...some("have no result", missing),
    ...some("did not finish", running),
    ...some("could not move something", failed),
  ]
}
