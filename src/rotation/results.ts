import { fromUtf8, hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import { NotFoundError, UsageError } from "../errors.ts"
import type { ObjectAddress } from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import { targetUri } from "./journal.ts"
import type { RotationRequest } from "./request.ts"
import { fromIds } from "./rotate.ts"
import type { Shard } from "./shard.ts"

/** Results this much older than the newest are of another rotation. */
const MAX_SPREAD_MS = 30 * 86_400_000
const MAX_RESULT_BYTES = 65_536

export type ShardCounts = Readonly<Record<string, number>>

/** What one machine of a fleet did; kept in the bucket, where all of them can reach it. */
export interface ShardResult {
  readonly v: 1
  readonly shard: Shard
  readonly state: "running" | "finished"
  readonly started: string
  readonly ended: string | null
  readonly counts: ShardCounts
}

/** What all of them did together. */
export interface Merged {
  readonly shards: number
  /** Whether all of them finished, and none of them failed on anything. */
  readonly complete: boolean
  /** Indexes of shards without a result. */
  readonly missing: readonly number[]
  /** Of those that began and did not finish. */
  readonly running: readonly number[]
  /** Of those that could not move something. */
  readonly failed: readonly number[]
  readonly counts: ShardCounts
  readonly started: string | null
  readonly ended: string | null
}

/** Where the shards of a rotation leave their results: `.s3ep/rotations/` of the one tree it is of. */
export class ShardResults {
  readonly #context: TransferContext
  readonly #request: RotationRequest
  readonly #bucket: string
  readonly #prefix: string

  /** @throws {UsageError} if the rotation is not of one tree. */
  constructor(context: TransferContext, request: RotationRequest) {
    const [target, ...others] = request.targets
    if (target?.kind !== "tree" || others.length > 0) {
      throw new UsageError("a rotation that is shared by several machines is of one tree", {
        hint: "give one prefix, ending in a slash",
      })
    }
    this.#context = context
    this.#request = request
    this.#bucket = target.bucket
    // What it moves to may bear another id on each machine, as a passphrase does.
    const words = [targetUri(target), String(request.reencrypt ?? false), ...fromIds(request)]
    const id = hex(sha256(utf8(words.join("\0")))).slice(0, 16)
    this.#prefix = `${target.prefix}.s3ep/rotations/${id}/`
  }

  async write(shard: Shard, result: Omit<ShardResult, "v" | "shard">): Promise<void> {
    const { store, signal } = this.#context
    const body = utf8(JSON.stringify({ v: 1, shard, ...result }))
    const { requesterPays } = this.#request
    const settings = { metadata: {}, contentType: "application/json" }
    await store.put(this.#address(shard), body, { signal, requesterPays, settings })
  }

  async merge(count: number): Promise<Merged> {
    const results: (ShardResult | null)[] = []
    for (let index = 0; index < count; index += 1) results.push(await this.#read({ index, count }))
    const found = results.filter((result) => result !== null)
    const newest = Math.max(0, ...found.map(({ started }) => Date.parse(started)))
    const fresh = found.filter(({ started }) => newest - Date.parse(started) <= MAX_SPREAD_MS)
    const indexes = (some: readonly ShardResult[]) => some.map(({ shard }) => shard.index)
    const there = new Set(indexes(fresh))
    const missing = results.flatMap((_, index) => (there.has(index) ? [] : [index]))
    const running = indexes(fresh.filter(({ state }) => state === "running"))
    const failed = indexes(fresh.filter(({ counts }) => (counts["failed"] ?? 0) > 0))
    const ends = fresh.map(({ ended }) => ended ?? "").sort()
    return {
      shards: count,
      complete: missing.length + running.length + failed.length === 0,
      missing,
      running,
      failed,
      counts: sum(fresh),
      started: fresh.map(({ started }) => started).sort()[0] ?? null,
      ended: ends.at(-1) || null,
    }
  }

  /** Once they were merged: the next rotation must not find them. */
  async remove(count: number): Promise<void> {
    const { store, signal } = this.#context
    const { requesterPays } = this.#request
    for (let index = 0; index < count; index += 1) {
      await store.delete(this.#address({ index, count }), { signal, requesterPays })
    }
  }

  async #read(shard: Shard): Promise<ShardResult | null> {
    const { store, signal } = this.#context
    const { requesterPays } = this.#request
    try {
      const range = { start: 0, end: MAX_RESULT_BYTES }
      const { body } = await store.get(this.#address(shard), { signal, requesterPays, range })
      const pieces: Uint8Array[] = []
      for await (const piece of body) pieces.push(piece)
      return parse(Buffer.concat(pieces), shard)
    } catch (error) {
      if (error instanceof NotFoundError && error.what === "object") return null
      throw error
    }
  }

  #address({ index, count }: Shard): ObjectAddress {
    return { bucket: this.#bucket, key: `${this.#prefix}${index}-of-${count}.json` }
  }
}

/** Anybody who may write to the bucket may have written it: what makes no sense is no result. */
function parse(json: Uint8Array, shard: Shard): ShardResult | null {
  try {
    const value: unknown = JSON.parse(fromUtf8(json))
    return isResult(value) && value.shard.index === shard.index && value.shard.count === shard.count
      ? value
      : null
  } catch {
    return null
  }
}

function isResult(value: unknown): value is ShardResult {
  if (typeof value !== "object" || value === null) return false
  const { v, shard, state, started, ended, counts }: { [member in keyof ShardResult]?: unknown } = value
  return (
    v === 1 &&
    typeof shard === "object" &&
    shard !== null &&
    (state === "running" || state === "finished") &&
    typeof started === "string" &&
    !Number.isNaN(Date.parse(started)) &&
    (ended === null || typeof ended === "string") &&
    typeof counts === "object" &&
    counts !== null &&
    Object.values(counts).every((count) => Number.isSafeInteger(count))
  )
}

function sum(results: readonly ShardResult[]): ShardCounts {
  const total: Record<string, number> = {}
  for (const { counts } of results) {
    for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count
  }
  return total
}
