import type { RandomSource } from "../crypto/secret.ts"
import type { KeySet } from "../keys/kek.ts"
import type { ObjectStore } from "../store/store.ts"

/** Something the user should know and need not act on. */
export interface KeyringNotice {
  readonly type: "notice"
  readonly message: string
  readonly hint?: string | undefined
}

/** What work on keyrings needs. The context of a transfer is one. */
export interface KeyringContext {
  /** Retries already; see `withRetry`. */
  readonly store: ObjectStore
  /** The keys at hand: they open keyrings. */
  readonly keys: KeySet
  readonly random: RandomSource
  readonly clock: { now(): number }
  /** Where the generations that were seen are remembered, in `keyrings/` below it. */
  readonly stateDirectory: string
  readonly onProgress: (event: KeyringNotice) => void
  readonly signal: AbortSignal
}

/** What goes with every request for a keyring. */
export interface KeyringOptions {
  readonly requesterPays?: boolean | undefined
}
