import { hex } from "../../bytes.ts"
import { type Argon2Parameters, argon2id, hkdfSha256, pbkdf2Sha256, sha256 } from "../../crypto/kdf.ts"
import type { SecretBytes } from "../../crypto/secret.ts"
import { UsageError } from "../../errors.ts"
import { parseKeyBytes } from "../text.ts"

const FINGERPRINT_BYTES = 8
const KIB_PER_MIB = 1024
const MAX_MEMORY_MIB = 4096
const MAX_TIME = 16
const MAX_THREADS = 64

/** Argon2id parameters as Harpocrates counts and names them; 0 takes the default for that one. */
export interface HarpocratesKdfParameters {
  readonly time?: number | undefined
  /** In MiB. */
  readonly memory?: number | undefined
  readonly threads?: number | undefined
}

/** Harpocrates' own sets of Argon2id parameters. Nothing beside a derived key says which one was used. */
export const HARPOCRATES_KDF_SETS = {
  default: { time: 3, memory: 64, threads: 4 },
  nemesis: { time: 2, memory: 64, threads: 4 },
  "high-security": { time: 5, memory: 128, threads: 4 },
  fast: { time: 1, memory: 32, threads: 2 },
} as const satisfies Record<string, Required<HarpocratesKdfParameters>>

/**
 * Argon2id parameters in RFC 9106's terms.
 *
 * @throws {UsageError} if one is out of bounds, which Harpocrates would have cut to fit.
 */
export function harpocratesArgon2(given: HarpocratesKdfParameters = {}): Argon2Parameters {
  const chosen = (name: keyof HarpocratesKdfParameters, most: number): number => {
    const value = given[name] || HARPOCRATES_KDF_SETS.default[name]
    if (Number.isInteger(value) && value >= 1 && value <= most) return value
    throw new UsageError(`Argon2id with ${name} ${value}: it can be 1 to ${most}`)
  }
  const lanes = chosen("threads", MAX_THREADS)
  return {
    passes: chosen("time", MAX_TIME),
    memoryKib: chosen("memory", MAX_MEMORY_MIB) * KIB_PER_MIB,
    lanes,
  }
}

/**
 * What Harpocrates calls a key: 16 hexadecimal digits of its unsalted SHA-256, so that whoever has the fingerprint of a
 * weak key can guess it; empty for an empty key.
 */
export function harpocratesFingerprint(key: SecretBytes): string {
  return key.length === 0 ? "" : hex(sha256(key.bytes).subarray(0, FINGERPRINT_BYTES))
}

/** How a key was derived of a secret that is brought along. */
export type Derivation =
  | { readonly kdf: "argon2id"; readonly salt: Uint8Array; readonly parameters: Argon2Parameters }
  | { readonly kdf: "pbkdf2-sha256"; readonly salt: Uint8Array; readonly iterations: number }
  | { readonly kdf: "hkdf-sha256"; readonly salt: Uint8Array; readonly info: Uint8Array }

const KEY_BYTES = 32
const MIN_SALT_BYTES = 8

/**
 * Derive a key again that somebody derived once.
 *
 * @param secret - a passphrase, byte for byte; for HKDF a key, in any spelling. Borrowed.
 * @param origin - where it comes from, to stand in errors.
 * @returns 32 bytes.
 * @throws {UsageError} if it cannot have been derived like this. {KeyMissingError} if the key is none.
 */
export async function deriveKey(
  secret: SecretBytes,
  derivation: Derivation,
  origin: string,
): Promise<SecretBytes> {
  const { kdf, salt } = derivation
  if (kdf === "hkdf-sha256") {
    using key = parseKeyBytes(secret.bytes, origin)
    return hkdfSha256(key.bytes, salt, derivation.info, KEY_BYTES)
  }
  if (secret.length === 0) throw new UsageError(`${origin} is empty`)
  if (kdf === "pbkdf2-sha256") {
    if (salt.length === 0) throw new UsageError("PBKDF2 needs the salt the key was derived with")
    return pbkdf2Sha256(secret.bytes, salt, derivation.iterations, KEY_BYTES)
  }
  if (salt.length < MIN_SALT_BYTES) {
    throw new UsageError(`a salt of ${salt.length} bytes: Argon2 needs ${MIN_SALT_BYTES} or more`)
  }
  return argon2id(secret.bytes, salt, derivation.parameters, KEY_BYTES)
}
