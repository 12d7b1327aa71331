import { hex } from "../bytes.ts"
import { type Argon2Parameters, sha256 } from "../crypto/kdf.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { UsageError } from "../errors.ts"

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

export type HarpocratesKeyStatus = "pending" | "validating" | "active" | "deprecated" | "revoked"
const STATUSES: readonly string[] = ["pending", "validating", "active", "deprecated", "revoked"]

/** One KEK of a key manager's export, which holds no key. */
export interface HarpocratesKekEntry {
  /** `kek_` and 16 hexadecimal digits. */
  readonly id: string
  /** Counted from 1. */
  readonly version: number
  readonly status: HarpocratesKeyStatus
  readonly created: Date
  readonly purpose: string | null
}

/** What `ExportKeyMaterial` says: ids, versions and states, and no key material, whatever its name. */
export interface HarpocratesKeyExport {
  /** By version. */
  readonly keks: readonly HarpocratesKekEntry[]
  readonly current: string | null
  readonly previous: string | null
}

/** @returns null if the text is no key export of Harpocrates. */
export function parseHarpocratesKeyExport(text: string): HarpocratesKeyExport | null {
  const root = members(parsed(text))
  const versions = members(root?.["versions"])
  if (!root || !versions) return null
  const keks: HarpocratesKekEntry[] = []
  for (const [name, value] of Object.entries(versions)) {
    const kek = parseKek(value)
    if (kek?.id !== name) return null
    keks.push(kek)
  }
  const current = root["current_kek"]
  const previous = root["previous_kek"]
  return {
    keks: keks.sort((a, b) => a.version - b.version),
    current: isKekId(current) ? current : null,
    previous: isKekId(previous) ? previous : null,
  }
}

function parseKek(value: unknown): HarpocratesKekEntry | null {
  const { id, version, status, created_at, algorithm, purpose } = members(value) ?? {}
  const created = new Date(typeof created_at === "string" ? created_at : Number.NaN)
  const sound =
    isKekId(id) &&
    typeof version === "number" &&
    Number.isSafeInteger(version) &&
    version >= 1 &&
    isStatus(status) &&
    algorithm === "AES-256-GCM" &&
    !Number.isNaN(created.getTime())
  if (!sound) return null
  return { id, version, status, created, purpose: typeof purpose === "string" ? purpose : null }
}

function isKekId(value: unknown): value is string {
  return typeof value === "string" && /^kek_[0-9a-f]{16}$/.test(value)
}

function isStatus(value: unknown): value is HarpocratesKeyStatus {
  return typeof value === "string" && STATUSES.includes(value)
}

function members(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : null
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
