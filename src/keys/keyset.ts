import { KeyMissingError, UsageError } from "../errors.ts"
import type { KeyDirectory } from "./directory.ts"
import type { Kek, KeySet } from "./kek.ts"
import type { KeySetRequest, KeySources } from "./kind.ts"
import { KEK_KINDS } from "./kinds.ts"
import { brokenKek, storedKek } from "./stored.ts"

export type { KeySetRequest, KeySources } from "./kind.ts"

const DEFAULT_NAME = "default"
const MIN_PREFIX_CHARACTERS = 4

/**
 * The KEKs to work with. All that are configured and all of the directory read; the latter are read from disk
 * when first needed. Which ones write: those of `writeTo`; else the one configured (if there are several, the one
 * `defaultKek` names); else the one `defaultKek` names; else the one named `default`.
 *
 * @throws {KeyMissingError} if a configured key cannot be had, one to write to is not there or cannot be read, or
 * there is none to write to.
 * @throws {UsageError} if it cannot be told which KEK is meant.
 */
export async function openKeySet(
  request: KeySetRequest,
  deps: KeySources & { directory: KeyDirectory },
): Promise<KeySet> {
  const configured: Kek[] = []
  try {
    for (const kind of KEK_KINDS) configured.push(...(await kind.open(request, deps)))
    const { keys, broken } = await deps.directory.scan()
    const stored = keys.map((key) => storedKek(deps.directory, key))
    const unreadable = new Map(broken.map((key) => [brokenKek(key), key.error]))
    const directoryKeks = [...stored, ...unreadable.keys()]
    const choose = (): readonly Kek[] => {
      const writers = request.purpose === "read" ? [] : chooseWriters(request, configured, directoryKeks)
      for (const writer of writers) {
        const error = unreadable.get(writer)
        if (error) throw error
      }
      return writers
    }
    if (!request.writersMayBeMissing) choose()
    return new OpenKeySet([...configured, ...directoryKeks], choose)
  } catch (error) {
    for (const kek of configured) kek[Symbol.dispose]()
    throw error
  }
}

class OpenKeySet implements KeySet {
  readonly readers: readonly Kek[]
  readonly #choose: () => readonly Kek[]
  #writers: readonly Kek[] | undefined

  constructor(readers: readonly Kek[], choose: () => readonly Kek[]) {
    this.readers = readers
    this.#choose = choose
  }

  get writers(): readonly Kek[] {
    this.#writers ??= this.#choose()
    return this.#writers
  }

  [Symbol.dispose](): void {
    for (const kek of this.readers) kek[Symbol.dispose]()
  }
}

function chooseWriters(
  { writeTo = [], defaultKek }: KeySetRequest,
  configured: readonly Kek[],
  stored: readonly Kek[],
): Kek[] {
  const all = [...configured, ...stored]
  if (writeTo.length > 0) return distinct(writeTo.map((name) => find(name, all)))
  const given = distinct(configured)
  if (given.length > 1) {
    const chosen = defaultKek === undefined ? undefined : pick(defaultKek, given)
    if (chosen) return [chosen]
    throw new UsageError(`several keys are configured: ${namesOf(given)}`, {
      hint: "say which to write to with --kek; it can be given several times",
    })
  }
  if (given.length === 1) return given
  if (defaultKek !== undefined) return [find(defaultKek, all)]
  const ordinary = pick(DEFAULT_NAME, stored)
  if (ordinary) return [ordinary]
  throw new KeyMissingError("no key to encrypt to", {
    hint:
      stored.length === 0
        ? "make one with `s3ep keys generate`, or set S3EP_KEK_FILE"
        : `say which with --kek (there are ${namesOf(stored)}), or set S3EP_KEK_FILE`,
  })
}

function find(name: string, keks: readonly Kek[]): Kek {
  const kek = pick(name, keks)
  if (kek) return kek
  throw new KeyMissingError(`there is no key ${JSON.stringify(name)}`, {
    hint: keks.length === 0 ? "make one with `s3ep keys generate`" : `the keys at hand are ${namesOf(keks)}`,
  })
}

// A name, an id, or the beginning of an id with or without its type; the first of these that fits at all.
function pick(name: string, keks: readonly Kek[]): Kek | undefined {
  const prefix = name.slice(name.indexOf(":") + 1)
  const ways: ((kek: Kek) => boolean)[] = [
    (kek) => kek.name === name,
    (kek) => kek.id === name || fingerprintOf(kek) === name,
    (kek) =>
      prefix.length >= MIN_PREFIX_CHARACTERS &&
      (name.includes(":") ? kek.id : fingerprintOf(kek)).startsWith(name),
  ]
  for (const fits of ways) {
    const [kek, another] = distinct(keks.filter(fits))
    if (another) {
      throw new UsageError(`several keys are called ${JSON.stringify(name)}`, {
        hint: `use the whole id: ${keks
          .filter(fits)
          .map((kek) => kek.id)
          .join(", ")}`,
      })
    }
    if (kek) return kek
  }
  return undefined
}

function distinct(keks: readonly Kek[]): Kek[] {
  const byId = new Map<string, Kek>()
  for (const kek of keks) if (!byId.has(kek.id)) byId.set(kek.id, kek)
  return [...byId.values()]
}

function fingerprintOf({ id }: Kek): string {
  return id.slice(id.indexOf(":") + 1)
}

function namesOf(keks: readonly Kek[]): string {
  return keks.map((kek) => kek.name).join(", ")
}
