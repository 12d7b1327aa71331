import type { RawKey } from "../crypto/raw-key.ts"
import type { RandomSource, SecretBytes } from "../crypto/secret.ts"

/** One way into an envelope, as it is stored; further members belong to `alg`. */
export interface Recipient {
  /** `type:fingerprint` of the KEK. */
  readonly kek: string
  /** How the DEK is wrapped. */
  readonly alg: string
  /** The wrapped DEK, base64url without padding. */
  readonly ct: string
  readonly [member: string]: string | number
}

/** What a KEK may still be used for. `retired`: reads, does not write. `revoked`: opens nothing, unless told to. */
export type KekState = "active" | "retired" | "revoked"

/** A key-encryption key at hand. One file per kind; nothing else asks which kind it is. */
export interface Kek extends Disposable {
  /** `type:fingerprint`, as in a recipient's `kek`. A passphrase has one for each salt; this is the one it writes with. */
  readonly id: string
  /** What the user calls it: a key's name, or the setting it came from. Never secret. */
  readonly name: string
  /** Unwrapping takes noticeable time, or asks someone: tried after the others. */
  readonly slow?: boolean
  /** It is a public key: what it wraps is for others to open. */
  readonly writesOnly?: boolean
  /** `active` if it does not say. */
  readonly state?: KekState

  /** Whether a recipient could be this KEK's, from public facts alone. */
  matches(recipient: Recipient): boolean

  /**
   * Wrap a DEK.
   *
   * @param dek - 32 bytes, borrowed.
   * @param context - 32 bytes, from `bindingContext`.
   */
  wrap(dek: SecretBytes, context: Uint8Array, random: RandomSource): Promise<Recipient>

  /**
   * Unwrap a DEK.
   *
   * @param context - 32 bytes; one other than it was wrapped with does not open it.
   * @returns null if the recipient is not this KEK's, or this KEK is a public key, which only writes.
   * @throws {IntegrityError} if it is this KEK's and was altered, or belongs to another object.
   * @throws {KeyMissingError} if the passphrase is wrong: for a passphrase the two cannot be told apart. If the KEK
   * is revoked, or cannot be had.
   * @throws {DeniedError} {UnavailableError} if the KEK is kept by a service that refuses or does not answer.
   */
  unwrap(recipient: Recipient, context: Uint8Array): Promise<SecretBytes | null>

  /**
   * The key as the formats of other systems use it, borrowed; null, or absent, if no other system has its kind.
   *
   * @throws {KeyMissingError} if it cannot be read.
   */
  raw?(): Promise<RawKey | null>

  /**
   * What those get who are to write to this key, as text; null, or absent, where only the key itself would do.
   *
   * @throws {KeyMissingError} if it cannot be read.
   */
  publicText?(): Promise<string | null>
}

/** The KEKs at hand: all can read, some write. */
export interface KeySet extends Disposable {
  readonly readers: readonly Kek[]
  /** What new objects are wrapped to: at least one, or writing fails with a `KeyMissingError`. */
  readonly writers: readonly Kek[]
}
