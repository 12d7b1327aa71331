import { isReserved } from "../envelope/reserved.ts"
import type { ObjectAddress } from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import type { Position } from "./journal.ts"
import type { RotationRequest } from "./request.ts"
import { fallsTo } from "./shard.ts"

/** An object to look at, and where in the targets it is. */
export interface Found extends Position {
  readonly address: ObjectAddress
}

/**
 * The objects of the targets that fall to this shard, in order; those up to `after` are left out, and so is what s3ep
 * keeps for itself below a prefix.
 */
export async function* walk(
  { store, signal }: TransferContext,
  { targets, shard, requesterPays }: RotationRequest,
  after: Position | null = null,
): AsyncGenerator<Found, void, undefined> {
  for (const [target, place] of targets.entries()) {
    if (after && target < after.target) continue
    const behind = after?.target === target ? after.key : undefined
    if (place.kind === "object") {
      const { address } = place
      const ours = behind === undefined && (!shard || fallsTo(address.key, shard))
      if (ours) yield { target, key: address.key, address }
      continue
    }
    const { bucket, prefix } = place
    const listed = store.list(bucket, { prefix, startAfter: behind, requesterPays, signal })
    for await (const entry of listed) {
      if (entry.kind !== "object" || isReserved(entry.key)) continue
      if (shard && !fallsTo(entry.key, shard)) continue
      yield { target, key: entry.key, address: { bucket, key: entry.key } }
    }
  }
}

/** Tells up to where everything is done while work on several objects goes on at once. */
export class Watermark {
  readonly #order: { readonly position: Position; done: boolean }[] = []

  /** To be called in order. @returns what to call when the object is dealt with. */
  begin(position: Position): () => Position | null {
    const entry = { position, done: false }
    this.#order.push(entry)
    return () => {
      entry.done = true
      return this.#advance()
    }
  }

  #advance(): Position | null {
    let reached: Position | null = null
    while (this.#order[0]?.done) reached = this.#order.shift()?.position ?? reached
    return reached
  }
}
