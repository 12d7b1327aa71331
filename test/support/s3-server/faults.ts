import type { S3Request } from "./request.ts"

/** Which bytes arrive otherwise than they were sent. */
export type Corruption = ((bytes: Uint8Array) => Uint8Array) | { flipByteAt: number }

/** What goes wrong. */
export type FaultAction =
  /** The connection is reset without an answer. */
  | { reset: true }
  /** The connection is reset after so many bytes of the request's body; needs `moment: "before"`. */
  | { resetAfterRequestBytes: number }
  /** An error answer; `retryAfter` in seconds. */
  | { status: number; code: string; retryAfter?: number }
  /** Status 200 and an error document, as Complete and CopyObject may answer. */
  | { errorIn200: string }
  /** The answer's body ends there, in good order: Content-Length says so too, unless `keepLength`. */
  | { truncateBodyAt: number; keepLength?: boolean }
  /** The connection is reset after so many bytes of the answer's body. */
  | { resetAfterResponseBytes: number }
  /** The answer, or with `before` the work, waits so long. */
  | { delayMs: number }
  /** There is no answer, and the connection stays open. */
  | { hang: true }
  /** Before: the request's body is changed as it arrives; after: the answer's as it leaves, length kept. */
  | { corruptBody: Corruption }

/** Which requests are hit; every given field must hold. */
export interface FaultMatch {
  operation?: string
  bucket?: string
  key?: string
  partNumber?: number
  /** Only from the n-th request on that the other fields let through, counted from 1. */
  nth?: number
}

export interface FaultRule {
  when?: FaultMatch | ((request: S3Request) => boolean)
  /** Before the store acts (the default), or after, when the client cannot know that it did. */
  moment?: "before" | "after"
  action: FaultAction
  /** How many requests it hits, 1 unless said; `Infinity` for all. */
  times?: number
  /** Called when it strikes: a test waits for this where the client itself sees nothing. */
  onStrike?: () => void
}

interface ActiveRule extends FaultRule {
  seen: number
  hits: number
}

/** The faults still to come. */
export class FaultPlan {
  #rules: ActiveRule[] = []

  add(rule: FaultRule): void {
    this.#rules.push({ ...rule, seen: 0, hits: 0 })
  }

  clear(): void {
    this.#rules = []
  }

  /** How many rules have not yet hit all they will. */
  get pending(): number {
    return this.#rules.filter((rule) => rule.hits < (rule.times ?? 1)).length
  }

  /** The first rule that hits this request; asking counts it. */
  take(request: S3Request): FaultRule | undefined {
    let hit: ActiveRule | undefined
    for (const rule of this.#rules) {
      if (!matches(rule.when, request)) continue
      rule.seen += 1
      const nth = typeof rule.when === "object" ? (rule.when.nth ?? 1) : 1
      if (hit !== undefined || rule.seen < nth || rule.hits >= (rule.times ?? 1)) continue
      rule.hits += 1
      hit = rule
    }
    return hit
  }
}

function matches(when: FaultRule["when"], request: S3Request): boolean {
  if (when === undefined) return true
  if (typeof when === "function") return when(request)
  return (
    (when.operation === undefined || when.operation === request.operation) &&
    (when.bucket === undefined || when.bucket === request.bucket) &&
    (when.key === undefined || when.key === request.key) &&
    (when.partNumber === undefined || String(when.partNumber) === request.query.get("partNumber"))
  )
}

/** Apply a corruption to bytes as they pass. */
export async function* corrupt(
  source: AsyncIterable<Buffer>,
  corruption: Corruption,
): AsyncGenerator<Buffer> {
  let offset = 0
  for await (const chunk of source) {
    const start = offset
    offset += chunk.length
    if (typeof corruption === "function") {
      yield Buffer.from(corruption(chunk))
    } else if (corruption.flipByteAt >= start && corruption.flipByteAt < offset) {
      const changed = Buffer.from(chunk)
      const at = corruption.flipByteAt - start
      changed[at] = (changed[at] ?? 0) ^ 0xff
      yield changed
    } else {
      yield chunk
    }
  }
}
