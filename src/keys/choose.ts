import { UsageError } from "../errors.ts"

/** What a key can be called by. */
export interface Named {
  readonly name: string
  /** `type:fingerprint`. */
  readonly id: string
}

const MIN_PREFIX_CHARACTERS = 4

/**
 * The key that is meant by a name, an id, or the beginning of an id with or without its type; the first of these that
 * fits at all.
 *
 * @returns undefined if none fits.
 * @throws {UsageError} if several do.
 */
export function pick<K extends Named>(name: string, keys: readonly K[]): K | undefined {
  const prefix = name.slice(name.indexOf(":") + 1)
  const ways: ((key: K) => boolean)[] = [
    (key) => key.name === name,
    (key) => key.id === name || fingerprintOf(key) === name,
    (key) =>
      prefix.length >= MIN_PREFIX_CHARACTERS &&
      (name.includes(":") ? key.id : fingerprintOf(key)).startsWith(name),
  ]
  for (const fits of ways) {
    const fitting = keys.filter(fits)
    const [key, another] = distinct(fitting)
    if (another) {
      throw new UsageError(`several keys are called ${JSON.stringify(name)}`, {
        hint: `use the whole id: ${fitting.map(({ id }) => id).join(", ")}`,
      })
    }
    if (key) return key
  }
  return undefined
}

/** The first of each id. */
export function distinct<K extends Named>(keys: readonly K[]): K[] {
  const byId = new Map<string, K>()
  for (const key of keys) if (!byId.has(key.id)) byId.set(key.id, key)
  return [...byId.values()]
}

export function namesOf(keys: readonly Named[]): string {
  return keys.map(({ name }) => name).join(", ")
}

function fingerprintOf({ id }: Named): string {
  return id.slice(id.indexOf(":") + 1)
}
