/**
 * What a format of stored objects is to s3ep, whoever writes it: our own and those of other systems alike. A new one
 * is a file in this folder and a line in `transfer/formats.ts`.
 */
export interface Format {
  /** Stable, for scripts: `agcm2`, `s3-encryption-proxy`. */
  readonly id: string
  /**
   * Look whether an object is of this format, by facts of its structure and without any key.
   *
   * @returns null if it is not.
   * @throws {IntegrityError} if it claims to be and what it says of itself is damaged.
   */
  recognise(found: Found): Reader | null
}

/** Bytes of an object's beginning that recognising a format may look at. */
export const RECOGNITION_BYTES = 80

/** What is at hand before anything was decided. */
export interface Found {
  /** Where it lies in its bucket; null for a file or a pipe of which nobody said. */
  readonly objectKey: string | null
  /** User metadata with lower-case names, without `x-amz-meta-`; empty if there is none. */
  readonly metadata: Readonly<Record<string, string>>
  /** Stored bytes; null while nobody knows, as in a pipe. */
  readonly bytes: number | null
  /** Parts it was uploaded in; null if it was one request, or nobody knows. */
  readonly parts: number | null
  /** `RECOGNITION_BYTES` of its beginning, or all if it has fewer. */
  readonly head: Uint8Array
}

/**
 * When plaintext is known to be genuine. `piece`: each piece as it comes, so it may be released at once. `end`: only
 * once all of it was read; whoever reads has to hold it back. `never`: nothing can be known.
 */
export type Proof = "piece" | "end" | "never"

/**
 * What a format is worth. `sound`: confidential and authenticated. `weak`: so against most, with exceptions that
 * `findings` names. `unauthenticated`: whoever can write to the bucket chooses the plaintext. `broken`: neither.
 */
export type Verdict = "sound" | "weak" | "unauthenticated" | "broken"

/** Something to know about an object or its format. */
export interface Finding {
  /** Stable, for scripts: `no-hmac`, `unauthenticated-dek`. */
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
}

/** What `stat` shows of a KEK that would open an object. */
export interface ReaderKek {
  readonly kek: string
  readonly alg: string
}

/** One object of a known format. Nothing it says is authenticated before `open`. */
export interface Reader {
  readonly format: string
  /** The format for people, with its variant: `S3 Encryption Proxy, aes-ctr with HMAC`. */
  readonly title: string
  /** Plaintext, as the stored length says; null if that cannot be told beforehand. */
  readonly plaintextBytes: number | null
  /** Whether plaintext can be read from the middle, and several places at once: `OpenBody.at` is there. */
  readonly ranges: boolean
  readonly proof: Proof
  readonly verdict: Verdict
  readonly findings: readonly Finding[]
  readonly keks: readonly ReaderKek[]
  /** Whether its writer is known to have encrypted the framing of an upload with the data; see `unframe`. */
  readonly mayBeFramed: boolean
  /** Whether a name among the user metadata is the format's own. */
  isOwnMetadata(name: string): boolean
  /**
   * Unwrap the DEK.
   *
   * @throws {KeyMissingError} if no key at hand does; {IntegrityError} if one fits and what it wrapped is damaged.
   */
  open(): Promise<OpenBody>
}

/** An object whose DEK is at hand. Disposing of it wipes the DEK. */
export interface OpenBody extends Disposable {
  /** The key that opened it; null where there is none, or it is found in the body. */
  readonly kek: { readonly id: string; readonly name: string } | null
  /**
   * Decrypt all of it.
   *
   * @param stored - the whole stored body, sliced as it comes; its arrays may be kept until the iteration ends.
   * @param ownMemory - whether they are nobody else's: they may be given back, or given out as plaintext.
   * @returns plaintext in order, in memory of its own. Only a normal end says that it is whole and, as far as the
   * format can tell, genuine; what comes before may be released only if `proof` is `piece`.
   * @throws {IntegrityError} if it is not what was written.
   */
  decrypt(stored: AsyncIterable<Uint8Array>, ownMemory?: boolean): AsyncIterable<Uint8Array>
  /** Decryption from the middle, where the format offers `ranges`. */
  readonly at?: RandomAccess | undefined
}

/** A body whose bytes are where the plaintext's are, or near them. Nothing it returns is authenticated. */
export interface RandomAccess {
  /** The stored bytes that hold a range of plaintext; `end` exclusive. */
  place(plaintext: { readonly start: number; readonly end: number }): {
    readonly start: number
    readonly end: number
  }
  /**
   * Decrypt a range.
   *
   * @param start - its first plaintext byte.
   * @param stored - what `place` said.
   */
  decrypt(start: number, stored: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
}
