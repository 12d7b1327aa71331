import type { Recipient } from "../keys/kek.ts"

/**
 * What becomes of an epoch: new objects are wrapped to the one that is `active`; a `retired` one is read; a `revoked`
 * one opens nothing, unless that is asked for. An epoch never goes back.
 */
export type EpochState = "active" | "retired" | "revoked"

/** In the order an epoch goes through them. */
export const EPOCH_STATES: readonly EpochState[] = ["active", "retired", "revoked"]

/** Who can open a keyring. */
export interface KeyringRecipient {
  /** Id of the KEK. */
  readonly kek: string
  /** What people call it; several may have one name. Printable ASCII without blanks. */
  readonly name: string
  /** The public key, where wrapping takes no more than that: its text in base64url. */
  readonly pub?: string | undefined
}

/** A KEK of the bucket's own. */
export interface Epoch {
  /** `aes:` and the fingerprint of its 32 bytes. */
  readonly kek: string
  readonly state: EpochState
  /** ISO 8601, UTC, milliseconds. */
  readonly created: string
  /** The KEK wrapped to every recipient, in the order of the keyring's recipients. */
  readonly wraps: readonly Recipient[]
}

/** @see man/s3ep-format.5, "KEYRING" */
export interface Keyring {
  readonly v: 1
  /** 32 hexadecimal digits, made of the prefix and the seed: see `keyringId`. */
  readonly id: string
  /** 32 hexadecimal digits, drawn when it was made. */
  readonly seed: string
  /** From 1; every change adds 1. */
  readonly generation: number
  /** When it was changed last: ISO 8601, UTC, milliseconds. */
  readonly updated: string
  /** At least one; no KEK twice. */
  readonly recipients: readonly KeyringRecipient[]
  /** The oldest first; one is active. */
  readonly epochs: readonly Epoch[]
}

/** With the MAC over all of it, in base64url. */
export interface SealedKeyring extends Keyring {
  readonly mac: string
}

/** The epoch that new objects are wrapped to. */
export function activeEpoch({ epochs }: Keyring): Epoch {
  const active = epochs.find(({ state }) => state === "active")
  if (!active) throw new RangeError("a keyring without an active epoch")
  return active
}
