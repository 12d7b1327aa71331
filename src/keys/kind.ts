import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import type { Kek } from "./kek.ts"

/** Which KEKs to open, as the settings say; each member is one setting. */
export interface KeySetRequest {
  /** From S3EP_KEK: base64 of 32 bytes. */
  readonly kek?: string | undefined
  readonly kekFile?: string | undefined
  /** For the shell; prints the key. */
  readonly kekCommand?: string | undefined
  readonly passphraseFile?: string | undefined
  /** For the shell; prints the passphrase. */
  readonly passphraseCommand?: string | undefined
  /** An open file descriptor, read to its end. */
  readonly passphraseDescriptor?: number | undefined
  /** Ask for it. */
  readonly passphrasePrompt?: boolean | undefined
  /** From --kek: names, ids, or the beginning of an id that only one KEK has. */
  readonly writeTo?: readonly string[] | undefined
  /** The configured one to write to, in the same spelling. */
  readonly defaultKek?: string | undefined
  readonly purpose: "read" | "write" | "both"
  /** Fail over there being none to write to only when `writers` is asked for: a keyring may serve instead. */
  readonly writersMayBeMissing?: boolean | undefined
}

/** Where keys come from, besides the request. */
export interface KeySources {
  readonly random: RandomSource
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asks a person; absent where there is none. */
  readonly prompt?: ((question: string) => Promise<SecretBytes>) | undefined
  readonly signal?: AbortSignal | undefined
}

/** A kind of KEK. A new one is a file of its own and a line in `kinds.ts`. */
export interface KekKind {
  /** What the kind's ids begin with, before the colon. */
  readonly type: string
  /** The KEKs of this kind that the request names, opened; the caller owns them. */
  open(request: KeySetRequest, sources: KeySources): Promise<Kek[]>
  /** What someone who lacks this KEK should do, to stand after "hint: ". */
  hint(id: string): string
}
