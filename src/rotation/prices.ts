import type { Obstacle, Outcome } from "./request.ts"

const GIB = 1024 ** 3

/** Of one storage class, in US dollars. */
interface ClassPrices {
  /** For 1,000 requests. */
  readonly copy: number
  readonly get: number
  /** For a GiB that is read, also by a copy. */
  readonly retrieval: number
  readonly storagePerMonth: number
}

/** What the estimate goes by; said with it, since every service and region has prices of its own. */
export const PRICE_BASIS =
  "Amazon S3's list prices in us-east-1: for 1,000 requests on STANDARD objects $0.005 to copy, write or list and " +
  "$0.0004 to read, more in colder classes; $0.09 for a GiB that leaves Amazon"

const STANDARD: ClassPrices = { copy: 0.005, get: 0.0004, retrieval: 0, storagePerMonth: 0.023 }
const PRICES: Readonly<Record<string, ClassPrices>> = {
  STANDARD,
  REDUCED_REDUNDANCY: { ...STANDARD, storagePerMonth: 0.024 },
  INTELLIGENT_TIERING: STANDARD,
  STANDARD_IA: { copy: 0.01, get: 0.001, retrieval: 0.01, storagePerMonth: 0.0125 },
  ONEZONE_IA: { copy: 0.01, get: 0.001, retrieval: 0.01, storagePerMonth: 0.01 },
  GLACIER_IR: { copy: 0.02, get: 0.01, retrieval: 0.03, storagePerMonth: 0.004 },
}
const LISTED_AT_ONCE = 1000
const TRANSFER_OUT_PER_GIB = 0.09

export interface RequestCounts {
  readonly list: number
  /** HEAD, and GET of tags and ACLs. */
  readonly read: number
  /** CopyObject, the requests of a copy in parts, and of a new body. */
  readonly write: number
}

export interface RotationPlan {
  readonly objects: number
  readonly moves: number
  readonly current: number
  readonly other: number
  readonly foreign: number
  readonly requests: RequestCounts
  /** Copied inside the store. */
  readonly copiedBytes: number
  /** That pass through this machine, each way: a new body's. */
  readonly machineBytes: number
  /** That the bucket keeps longer, since it keeps old versions. */
  readonly versionBytes: number
  /** US dollars, by `PRICE_BASIS`. */
  readonly cost: { readonly once: number; readonly perMonth: number }
  readonly stuck: Readonly<Partial<Record<Obstacle | "other", { objects: number; bytes: number }>>>
}

/** Adds up what moving objects would take. */
export class PlanSums {
  #objects = 0
  #moves = 0
  #current = 0
  #other = 0
  #foreign = 0
  #read = 0
  #write = 0
  #copiedBytes = 0
  #machineBytes = 0
  #versionBytes = 0
  #once = 0
  #perMonth = 0
  readonly #stuck: Partial<Record<Obstacle | "other", { objects: number; bytes: number }>> = {}

  /**
   * @param parts - of a copy in parts, or of a new body.
   * @param reads - requests for tags and ACLs.
   */
  add(outcome: Outcome, { parts, reads }: { readonly parts: number; readonly reads: number }): void {
    this.#objects += 1
    this.#read += 1
    switch (outcome.kind) {
      case "moved":
        this.#addMove(outcome, parts, reads)
        break
      case "failed":
        this.#addStuck(outcome)
        break
      case "current":
        this.#current += 1
        break
      case "other":
        this.#other += 1
        break
      case "foreign":
        this.#foreign += 1
        break
      default:
        this.#objects -= 1
    }
  }

  get total(): RotationPlan {
    const list = Math.ceil(this.#objects / LISTED_AT_ONCE)
    const looking = (list * STANDARD.copy + this.#read * STANDARD.get) / 1000
    return {
      objects: this.#objects,
      moves: this.#moves,
      current: this.#current,
      other: this.#other,
      foreign: this.#foreign,
      requests: { list, read: this.#read, write: this.#write },
      copiedBytes: this.#copiedBytes,
      machineBytes: this.#machineBytes,
      versionBytes: this.#versionBytes,
      cost: { once: this.#once + looking, perMonth: this.#perMonth },
      stuck: this.#stuck,
    }
  }

  #addMove({ how, info }: Outcome & { kind: "moved" }, parts: number, reads: number): void {
    const prices = PRICES[info.storageClass ?? "STANDARD"] ?? STANDARD
    const gib = info.bytes / GIB
    // A copy in parts, as an upload, is created and completed; the sizes of its parts are asked for, and its checksum.
    const writes = parts === 1 ? 1 : parts + 2
    const more = how === "copy-in-parts" ? 3 : how === "reencrypt" ? parts : 0
    this.#moves += 1
    this.#write += writes
    this.#read += reads + more
    this.#once += (writes * prices.copy + more * prices.get) / 1000 + gib * prices.retrieval
    if (how === "reencrypt") {
      this.#machineBytes += info.bytes
      this.#once += gib * TRANSFER_OUT_PER_GIB
    } else {
      this.#copiedBytes += info.bytes
    }
    if (info.versionId === undefined) return
    this.#versionBytes += info.bytes
    this.#perMonth += gib * prices.storagePerMonth
  }

  #addStuck({ obstacle, bytes }: Outcome & { kind: "failed" }): void {
    const why = obstacle ?? "other"
    const { objects = 0, bytes: before = 0 } = this.#stuck[why] ?? {}
    this.#stuck[why] = { objects: objects + 1, bytes: before + bytes }
  }
}
