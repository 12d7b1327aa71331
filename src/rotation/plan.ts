import { forEachConcurrent } from "../transfer/concurrent.ts"
import type { TransferContext } from "../transfer/context.ts"
import { DEFAULT_PART_BYTES } from "../transfer/plan.ts"
import { assess } from "./assess.ts"
import { ExtrasReader } from "./kept.ts"
import { PlanSums, type RotationPlan } from "./prices.ts"
import { DEFAULT_CONCURRENCY, type Outcome, type RotationRequest } from "./request.ts"
import { LimitsOf, targetIds } from "./rotate.ts"
import { walk } from "./walk.ts"

/**
 * Say what `rotate` would do, and change nothing: each object is looked at, and its envelope opened.
 *
 * @param onOutcome - called for every object, in no order, as if it had been done.
 */
export async function planRotation(
  context: TransferContext,
  request: RotationRequest,
  onOutcome: (outcome: Outcome) => void,
): Promise<RotationPlan> {
  await targetIds(context, request)
  const limits = new LimitsOf(context, request)
  const extras = new ExtrasReader(context, request)
  const sums = new PlanSums()
  await forEachConcurrent(
    walk(context, request),
    request.concurrency ?? DEFAULT_CONCURRENCY,
    async ({ address }) => {
      const found = await assess(context, request, address, await limits.of(address.bucket))
      if (found.kind !== "movable") {
        sums.add(found, { parts: 0, reads: 0 })
        return onOutcome(found)
      }
      using object = found
      const { info, how } = object
      const outcome = { kind: "moved", address, how, info } as const
      const reads = (info.tagCount ? 1 : 0) + ((await extras.hasAcls(address.bucket)) ? 1 : 0)
      sums.add(outcome, { parts: partsOf(how, info.bytes, info.parts), reads })
      onOutcome(outcome)
    },
    { signal: context.signal },
  )
  return sums.total
}

function partsOf(
  how: "copy" | "copy-in-parts" | "reencrypt",
  bytes: number,
  parts: number | undefined,
): number {
  if (how === "copy") return 1
  return parts ?? Math.max(1, Math.ceil(bytes / DEFAULT_PART_BYTES))
}
