import type { S3epError } from "../errors.ts"
import type { Kek } from "../keys/kek.ts"
import type { CustomerKey, ObjectAddress, ObjectInfo } from "../store/store.ts"
import type { OldKeys } from "./old-keys.ts"
import type { Shard } from "./shard.ts"

/** One object, or all below a prefix: "" for the whole bucket, otherwise ending in a slash. */
export type Target =
  | { readonly kind: "object"; readonly address: ObjectAddress }
  | { readonly kind: "tree"; readonly bucket: string; readonly prefix: string }

export interface RotationRequest {
  readonly targets: readonly Target[]
  /** What objects are to be wrapped to; if not given, what a new object in their place would be. */
  readonly to?: readonly Kek[] | undefined
  /** Only objects that one of these can open. */
  readonly from?: OldKeys | undefined
  /** A new DEK and a new body, instead of a new envelope alone. */
  readonly reencrypt?: boolean | undefined
  /** Only the objects that fall to this one of several machines. */
  readonly shard?: Shard | undefined
  /** False if ACLs are to be neither read nor kept. */
  readonly acls?: boolean | undefined
  /** Objects worked on at once. */
  readonly concurrency?: number | undefined
  /** Larger objects are copied in parts; the service's limit if not given. */
  readonly maxCopyBytes?: number | undefined
  /** Objects between two notes of how far it came: what a crash makes the next run look at again. */
  readonly noteEvery?: number | undefined
  readonly requesterPays?: boolean | undefined
  readonly customerKey?: CustomerKey | undefined
}

/** Why an object cannot be moved. */
export type Obstacle =
  /** It must be restored first. */
  | "archived"
  /** Object Lock forbids to replace it. */
  | "locked"
  /** No key at hand opens it. */
  | "no-key"
  /** Its envelope is not what was written, or belongs to another object. */
  | "damaged"
  /** The new envelope, or what others keep with the object, cannot be sent. */
  | "metadata"
  | "denied"

/** What became of an object, or would. */
export type Outcome =
  | { readonly kind: "moved"; readonly address: ObjectAddress; readonly how: Move; readonly info: ObjectInfo }
  /** It is wrapped to the new KEKs, and to no other, already. */
  | { readonly kind: "current"; readonly address: ObjectAddress; readonly info: ObjectInfo }
  /** None of the KEKs to move away from opens it. */
  | { readonly kind: "other"; readonly address: ObjectAddress; readonly info: ObjectInfo }
  /** s3ep did not write it, or it is s3ep's own housekeeping. */
  | { readonly kind: "foreign"; readonly address: ObjectAddress; readonly info: ObjectInfo }
  /** It was deleted meanwhile. */
  | { readonly kind: "gone"; readonly address: ObjectAddress }
  | {
      readonly kind: "failed"
      readonly address: ObjectAddress
      readonly obstacle: Obstacle | null
      readonly error: S3epError
      readonly bytes: number
    }

/** How an object is moved: one copy inside the store, a copy in parts, or a new body through this machine. */
export type Move = "copy" | "copy-in-parts" | "reencrypt"

export const DEFAULT_CONCURRENCY = 32
