import { fromBase64, fromHex } from "../../bytes.ts"
import { KEY_BYTES } from "../../crypto/aead.ts"
import { SecretBytes } from "../../crypto/secret.ts"
import { KeyMissingError } from "../../errors.ts"
import { aesMaterial } from "../aes-kind.ts"
import type { KekState } from "../kek.ts"
import type { ImportedKey, Recogniser } from "./recogniser.ts"

export type HarpocratesKeyStatus = "pending" | "validating" | "active" | "deprecated" | "revoked"
const STATUSES: readonly string[] = ["pending", "validating", "active", "deprecated", "revoked"]

/** What each state means here: only the active one seals, and a revoked one should open nothing any more. */
const STATES: Record<HarpocratesKeyStatus, KekState> = {
  pending: "retired",
  validating: "retired",
  active: "active",
  deprecated: "retired",
  revoked: "revoked",
}

/** One KEK of a key manager's export. */
export interface HarpocratesKekEntry {
  /** `kek_` and 16 hexadecimal digits. */
  readonly id: string
  /** Counted from 1. */
  readonly version: number
  readonly status: HarpocratesKeyStatus
  readonly created: Date
  readonly purpose: string | null
  /** The key, in base64 or in hex. Harpocrates reserves the member and leaves it out; its user can add it. */
  readonly key: string | null
}

/** What `ExportKeyMaterial` says: ids, versions and states, and no key material, whatever its name. */
export interface HarpocratesKeyExport {
  /** By version. */
  readonly keks: readonly HarpocratesKekEntry[]
  readonly current: string | null
  readonly previous: string | null
}

/**
 * The export of Harpocrates' key manager. It says which keys there were, and which of them is in use, and holds none:
 * whoever has them adds each to its version, as `"key"`.
 */
export const harpocratesExport: Recogniser = async (content, { origin }) => {
  if (content[0] !== 0x7b) return null
  const found = parseHarpocratesKeyExport(
    Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("utf8"),
  )
  if (!found) return null
  const keys: ImportedKey[] = []
  try {
    for (const { id, key, status, created } of found.keks) {
      if (key === null) continue
      const bytes = parseKey(key)
      if (!bytes) throw new KeyMissingError(`${origin}: the key of ${id} is not 32 bytes in base64 or in hex`)
      keys.push({ material: aesMaterial(bytes), name: id, created, state: STATES[status] })
    }
  } catch (error) {
    for (const { material } of keys) material[Symbol.dispose]()
    throw error
  }
  if (keys.length > 0) return keys
  const ids = found.keks.map(({ id, status }) => `${id} (${status})`).join(", ")
  throw new KeyMissingError(
    `${origin} is a key export of Harpocrates, which holds no keys: it names ${ids}`,
    {
      hint: 'add each key as "key" to its version, or import it by itself: `s3ep keys import KEYFILE KEK_ID`',
    },
  )
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
  const { id, version, status, created_at, algorithm, purpose, key } = members(value) ?? {}
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
  return { id, version, status, created, purpose: textOrNull(purpose), key: textOrNull(key) }
}

function parseKey(text: string): SecretBytes | null {
  const key = fromHex(text) ?? fromBase64(text)
  if (key?.length === KEY_BYTES) return new SecretBytes(key)
  key?.fill(0)
  return null
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null
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
