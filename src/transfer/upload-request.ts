import type { PrivateMetadata } from "../envelope/private-metadata.ts"
import type {
  ChecksumChoice,
  Conditions,
  CustomerKey,
  ObjectAddress,
  ObjectSettings,
  StoreLimits,
} from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import type { PartMemory } from "./part-memory.ts"
import type { PlanWishes } from "./plan.ts"
import type { Source } from "./source.ts"

/** What every upload may ask for. */
export interface UploadOptions extends PlanWishes {
  readonly address: ObjectAddress
  /** Names it in progress events. */
  readonly item?: string | undefined
  /** Its metadata is the user's own; the envelope is added. */
  readonly settings: ObjectSettings
  readonly conditions?: Conditions | undefined
  readonly checksum?: ChecksumChoice | undefined
  readonly requesterPays?: boolean | undefined
  /** Instead of what is known of the file. */
  readonly privateMetadata?: PrivateMetadata | undefined
}

export interface UploadRequest extends UploadOptions {
  /** A regular file. */
  readonly path: string
  /** Whether to go on with an unfinished upload, which is given up otherwise; true if not given. */
  readonly resume?: boolean | undefined
  /**
   * Whether to go on with whatever keys the unfinished upload was encrypted to, rather than start over for those that
   * write now. If it has to start over all the same, the keys must be the same ones.
   */
  readonly keepRecipients?: boolean | undefined
  /** What earlier runs have left, by a look when this one began: it spares one for each of many files. */
  readonly left?: { hasUpload(address: ObjectAddress): boolean } | undefined
}

export interface UploadResult {
  readonly address: ObjectAddress
  /** Of plaintext. */
  readonly bytes: number
  readonly storedBytes: number
  readonly etag: string
  readonly versionId: string | undefined
  /** 1 for an object that one request carried. */
  readonly parts: number
  /** Those of them that an earlier run had sent. */
  readonly resumedParts: number
  /** Ids of the KEKs that open it. */
  readonly kek: readonly string[]
}

/** One file on its way to one object. */
export interface UploadJob {
  readonly context: TransferContext
  readonly request: UploadRequest
  readonly source: Source
  readonly limits: StoreLimits
  readonly memory: PartMemory
  readonly item: string
}

/** The customer's key a request has to be shown, if the settings have one. */
export function customerKeyOf({ encryption }: ObjectSettings): CustomerKey | undefined {
  return encryption?.kind === "sse-c" ? encryption.key : undefined
}

/** What goes with every request about this object. */
export function callOptions(
  context: TransferContext,
  { requesterPays }: UploadOptions,
): { signal: AbortSignal; requesterPays: boolean | undefined } {
  return { signal: context.signal, requesterPays }
}
