import type { RawKey } from "../crypto/raw-key.ts"
import type { RandomSource } from "../crypto/secret.ts"
import type { TransientCause } from "../errors.ts"
import type { Kek, KeySet, Recipient } from "../keys/kek.ts"
import type { ObjectAddress, ObjectStore } from "../store/store.ts"
import type { Expectation } from "./expect.ts"

/** Milliseconds since 1970, and a way to wait. Injected, so that tests never sleep. */
export interface Clock {
  now(): number
  /** @throws the signal's reason if it is aborted. */
  delay(milliseconds: number, signal?: AbortSignal): Promise<void>
}

/** What happens while work goes on; layers below `cli/` report it and never print. */
export type ProgressEvent =
  /** `bytes` is the plaintext length, undefined while nobody knows it; `doneBytes` of it were done by an earlier run. */
  | {
      readonly type: "started"
      readonly item: string
      readonly bytes: number | undefined
      readonly doneBytes: number
      readonly parts: number | undefined
    }
  /** Plaintext bytes done since the last event; negative when work is done over. */
  | { readonly type: "advanced"; readonly item: string; readonly bytes: number }
  | { readonly type: "part"; readonly item: string; readonly partNumber: number }
  | {
      readonly type: "retried"
      readonly what: string
      readonly cause: TransientCause
      readonly attempt: number
      readonly delayMs: number
    }
  /** Something the user should know and need not act on. */
  | { readonly type: "notice"; readonly message: string; readonly hint?: string | undefined }
  | { readonly type: "finished"; readonly item: string }

/** The keyrings of a store, as far as work on objects needs them. */
export interface ObjectKeyrings {
  /** The KEK of the nearest keyring above an object, which a new one is wrapped to; null if there is no keyring. */
  writersFor(address: ObjectAddress): Promise<readonly Kek[] | null>
  /** KEKs of keyrings above an object that fit one of its recipients. */
  readersFor(address: ObjectAddress, recipients: readonly Recipient[]): Promise<readonly Kek[]>
}

/** What is to be done about objects that are not of our own format. */
export interface ReadingOptions {
  /** Keys for formats of others, besides those of the key set; borrowed. */
  readonly rawKeys?: readonly RawKey[] | undefined
  /** Of the metadata of S3 Encryption Proxy, where it is known. */
  readonly proxyPrefix?: string | undefined
  /** Pass on what no format recognises, as it is. */
  readonly plaintext?: boolean | undefined
  /** Read what nothing authenticates, and release what is not proven yet. */
  readonly allowUnauthenticated?: boolean | undefined
  /** Take what is read for a value that Harpocrates sealed, bound to this. */
  readonly sealedValue?: { readonly aad: Uint8Array } | undefined
  /** What is known of the plaintext: nothing of it is released before it turned out to be that. */
  readonly expect?: Expectation | undefined
  /** Codes of findings that were told in this run: each is told once. */
  readonly told?: Set<string> | undefined
}

/** What every transfer works with. */
export interface TransferContext {
  /** Retries already; see `withRetry`. */
  readonly store: ObjectStore
  readonly keys: KeySet
  /** Looked at for every object that is written, and for those none of `keys` opens; not at all if not given. */
  readonly keyrings?: ObjectKeyrings | undefined
  readonly reading?: ReadingOptions | undefined
  readonly random: RandomSource
  readonly clock: Clock
  /** Where journals and locks live, `$XDG_STATE_HOME/s3ep`; made 0700 when first needed. */
  readonly stateDirectory: string
  readonly onProgress: (event: ProgressEvent) => void
  /** Aborted with the `InterruptedError` to exit with. Stops the work; never aborts an upload on the store. */
  readonly signal: AbortSignal
}
