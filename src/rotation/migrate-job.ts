import { NotFoundError } from "../errors.ts"
import type { ChecksumChoice, CustomerKey, ObjectAddress, ObjectInfo, StoreLimits } from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import type { Expectation } from "../transfer/expect.ts"
import type { PlanWishes } from "../transfer/plan.ts"
import type { Budget } from "./budget.ts"
import type { ExtrasReader } from "./kept.ts"
import type { MigrationJournal } from "./migration-journal.ts"

/** What all objects of a migration are migrated with. */
export interface MigrationOptions extends Pick<PlanWishes, "partBytes" | "chunkBytes"> {
  readonly checksum?: ChecksumChoice | undefined
  readonly requesterPays?: boolean | undefined
  /** SSE-C: the key objects are read and written with. */
  readonly customerKey?: CustomerKey | undefined
  /** Instead of the class an object has. */
  readonly storageClass?: string | undefined
  /** What is known of the plaintext of a single object. */
  readonly expect?: Expectation | undefined
}

export interface MigrationJob {
  readonly context: TransferContext
  readonly options: MigrationOptions
  readonly journal: MigrationJournal
  /** Of the bucket that is written to. */
  readonly limits: StoreLimits
  /** Where objects lie until they are put in their place: a prefix in the bucket that is written to. */
  readonly besidePrefix: string
  readonly extras: ExtrasReader
  /** Bytes of memory. */
  readonly memory: Budget
}

/** One object on its way. */
export interface Passage {
  readonly source: ObjectAddress
  readonly target: ObjectAddress
}

export function isInPlace({ source, target }: Passage): boolean {
  return source.bucket === target.bucket && source.key === target.key
}

/** @returns null if it is not there. */
export async function headIfAny(
  { store, signal }: TransferContext,
  address: ObjectAddress,
  { requesterPays, customerKey }: MigrationOptions,
): Promise<ObjectInfo | null> {
  try {
    return await store.head(address, { requesterPays, customerKey, signal })
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "object") return null
    throw error
  }
}
