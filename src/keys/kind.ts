import type { RandomSource, SecretBytes } from "../crypto/secret.ts"
import type { Kek } from "./kek.ts"
import type { Keychain } from "./keychain.ts"
import type { KeyMaterial } from "./material.ts"

/** Which KEKs to open, as the settings say; each member is one setting. */
export interface KeySetRequest {
  /** From S3EP_KEK: base64 of 32 bytes. */
  readonly kek?: string | undefined
  readonly kekFile?: string | undefined
  /** For the shell; prints the key. */
  readonly kekCommand?: string | undefined
  /** An open file descriptor, read to its end. */
  readonly kekDescriptor?: number | undefined
  readonly passphraseFile?: string | undefined
  /** For the shell; prints the passphrase. */
  readonly passphraseCommand?: string | undefined
  /** An open file descriptor, read to its end. */
  readonly passphraseDescriptor?: number | undefined
  /** Ask for it. */
  readonly passphrasePrompt?: boolean | undefined
  /** Public keys as text, or paths of files with public keys. */
  readonly recipients?: readonly string[] | undefined
  /**
   * How `recipients` stand to other keys that are configured: they are written to instead (`chosen`), it has to be
   * said which is meant (`configured`, the default), or they are not written to (`passed over`).
   */
  readonly recipientsAre?: "chosen" | "configured" | "passed over" | undefined
  /** Files with private keys, to read with. */
  readonly identityFiles?: readonly string[] | undefined
  /** For the shell; prints private keys. */
  readonly identityCommand?: string | undefined
  /** From --kek: names, ids, or the beginning of an id that only one KEK has. */
  readonly writeTo?: readonly string[] | undefined
  /** The configured one to write to, in the same spelling. */
  readonly defaultKek?: string | undefined
  /** Let revoked KEKs open what they wrapped. */
  readonly allowRevoked?: boolean | undefined
  readonly purpose: "read" | "write" | "both"
  /** Fail over there being none to write to only when `writers` is asked for: a keyring may serve instead. */
  readonly writersMayBeMissing?: boolean | undefined
}

/** Gives the passphrase that protects a key; `what` names the key, for the question. */
export type Unlock = (what: string) => Promise<SecretBytes>

/** Where keys come from, besides the request. */
export interface KeySources {
  readonly random: RandomSource
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asks a person; absent where there is none. */
  readonly prompt?: ((question: string) => Promise<SecretBytes>) | undefined
  /** For keys that are protected by a passphrase; they cannot be opened without. */
  readonly unlock?: Unlock | undefined
  /** Instead of the system's. */
  readonly openKeychain?: (() => Promise<Keychain>) | undefined
  /** How to reach AWS KMS, where it is not the SDK's defaults. */
  readonly kms?: { readonly endpoint?: string | undefined; readonly profile?: string | undefined } | undefined
  readonly signal?: AbortSignal | undefined
}

/** A kind of KEK. A new one is a file of its own and a line in `kinds.ts`. */
export interface KekKind {
  /** What the kind's ids begin with, before the colon. */
  readonly type: string
  /** The `alg` of what its KEKs wrap. */
  readonly alg: string
  /** Looking at a key of this kind takes a library that is large to load. */
  readonly costly?: boolean
  /** Whether its KEKs have `Kek.publicText`. */
  readonly hasPublicPart?: boolean
  /** Whether its KEKs have `Kek.raw`. */
  readonly usedRaw?: boolean
  /** As `Kek.slow`. */
  readonly slow?: boolean
  /** The KEKs of this kind that settings of its own name, opened; the caller owns them. */
  readonly open?: (request: KeySetRequest, sources: KeySources) => Promise<Kek[]>
  /** What someone who lacks this KEK should do, to stand after "hint: ". */
  hint(id: string): string
  /** How keys of this kind are written down; absent where they are not kept. */
  readonly written?: WrittenKind
}

/** What a key is read from: `origin` stands in errors ("what the key file x holds"), `unlock` is asked if need be. */
export interface WrittenPlace {
  readonly origin: string
  readonly unlock?: Unlock | undefined
}

/** How keys of a kind are written down. */
export interface WrittenKind {
  /**
   * The keys of this kind that a text holds.
   *
   * @param content - borrowed.
   * @returns none if it holds something else; the caller owns them.
   * @throws {KeyMissingError} if it is of this kind and cannot be used.
   */
  parse(content: Uint8Array, place: WrittenPlace): Promise<KeyMaterial[]>
  /** @param material - of this kind; owned by the KEK from now on, whatever happens. */
  kek(material: KeyMaterial, name: string, sources: KeySources): Promise<Kek>
  /** What `keys generate --kind` may be given for this kind. */
  readonly generate: Readonly<Record<string, (random: RandomSource) => Promise<KeyMaterial>>>
  /** The secret of a key short enough to type; null if it is not. */
  readonly pack?: (material: KeyMaterial) => Promise<PackedKey | null>
  /** @returns null if the tag is none of this kind's. */
  readonly unpack?: (packed: PackedKey) => Promise<KeyMaterial | null>
}

/** A key on a recovery sheet. */
export interface PackedKey {
  /** Says what `bytes` are; a number no other form of a key has. */
  readonly tag: number
  /** 32 bytes. */
  readonly bytes: SecretBytes
}
