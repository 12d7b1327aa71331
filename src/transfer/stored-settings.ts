import type { CustomerKey, ObjectSettings, ServerSideEncryption } from "../store/store.ts"

/** Object settings as the journal keeps them: a customer's key is mentioned, never stored. */
export interface StoredSettings extends Omit<ObjectSettings, "encryption" | "retention"> {
  readonly encryption?:
    | Exclude<ServerSideEncryption, { kind: "sse-c" }>
    | { readonly kind: "sse-c" }
    | undefined
  readonly retention?: { readonly mode: "GOVERNANCE" | "COMPLIANCE"; readonly until: string } | undefined
}

/** What of an object's settings an unfinished upload remembers. */
export function storeSettings(settings: ObjectSettings): StoredSettings {
  const { encryption, retention, ...others } = settings
  return {
    ...others,
    ...(encryption && { encryption: encryption.kind === "sse-c" ? { kind: "sse-c" } : encryption }),
    ...(retention && { retention: { ...retention, until: retention.until.toISOString() } }),
  }
}

/**
 * The settings again.
 *
 * @returns null if they need a customer's key and there is none.
 */
export function restoreSettings(stored: StoredSettings, key: CustomerKey | undefined): ObjectSettings | null {
  const { encryption, retention, ...others } = stored
  if (encryption?.kind === "sse-c" && !key) return null
  return {
    ...others,
    ...(encryption && {
      encryption: encryption.kind === "sse-c" && key ? { kind: "sse-c", key } : withoutKey(encryption),
    }),
    ...(retention && { retention: { ...retention, until: new Date(retention.until) } }),
  }
}

/** Whether two uploads would store the same settings. */
export function sameSettings(a: StoredSettings, b: StoredSettings): boolean {
  return canonical(a) === canonical(b)
}

function withoutKey(
  encryption: NonNullable<StoredSettings["encryption"]>,
): Exclude<ServerSideEncryption, { kind: "sse-c" }> {
  if (encryption.kind === "sse-c") throw new RangeError("a customer's key was asked for before")
  return encryption
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
