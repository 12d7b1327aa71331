import { NotFoundError, PreconditionError } from "../../errors.ts"
import type { ObjectAddress } from "../../store/store.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { objectUri } from "../../transfer/naming.ts"
import { customerKeyOf, type UploadOptions } from "../../transfer/upload-request.ts"
import { mustBeNew, type WriteOptions } from "../write-options.ts"

export interface PutOptions extends WriteOptions {
  readonly format: "agcm2" | "s3-encryption-proxy"
  readonly fromCommand?: boolean
  readonly expectedSize?: string
  readonly skipExisting?: boolean
  readonly dryRun?: boolean
  readonly recursive?: boolean
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
}

/** A file or a tree to store, and where. */
export interface PutItem {
  /** As the user wrote it. */
  readonly source: string
  /** Absolute. */
  readonly path: string
  readonly kind: "file" | "tree"
  /** Of a tree: the prefix. */
  readonly address: ObjectAddress
}

type Wishes = Pick<UploadOptions, "settings" | "requesterPays">

/** @throws {PreconditionError} for a dry run, if the object exists and is to stay. */
export async function refuseExisting(
  context: TransferContext,
  address: ObjectAddress,
  options: WriteOptions,
  wishes: Wishes,
): Promise<void> {
  if (!mustBeNew(options) || !(await exists(context, address, wishes))) return
  throw new PreconditionError(`${objectUri(address)} exists`)
}

/** Whether there is an object, asked as one that was written with the same options has to be. */
export async function exists(
  { store, signal }: TransferContext,
  address: ObjectAddress,
  { settings, requesterPays }: Wishes,
): Promise<boolean> {
  try {
    await store.head(address, { customerKey: customerKeyOf(settings), requesterPays, signal })
    return true
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "object") return false
    throw error
  }
}
