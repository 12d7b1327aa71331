import { KeyMissingError, UsageError } from "../errors.ts"
import { distinct, namesOf, pick } from "./choose.ts"
import type { KeyDirectory } from "./directory.ts"
import { openIdentities, openRecipients } from "./given.ts"
import type { Kek, KekState, KeySet } from "./kek.ts"
import type { KeySetRequest, KeySources } from "./kind.ts"
import { KEK_KINDS } from "./kinds.ts"
import { heldToState, refusedToWrite } from "./states.ts"
import { brokenKek, storedKek } from "./stored.ts"

export type { KeySetRequest, KeySources } from "./kind.ts"

const DEFAULT_NAME = "default"

/** The KEKs at hand, before it is decided which of them write. */
export interface OpenKeys extends Disposable {
  readonly readers: readonly Kek[]
  /**
   * The KEKs to write to: those of `writeTo` and the recipients; else the one configured (if there are several, the
   * one `defaultKek` names); else the one `defaultKek` names; else the one named `default`; else the one identity.
   *
   * @throws {KeyMissingError} if one is not there, cannot be read, or is not active; if there is none.
   * @throws {UsageError} if it cannot be told which KEK is meant.
   */
  writers(choice: WriterChoice): readonly Kek[]
}

export type WriterChoice = Pick<KeySetRequest, "writeTo" | "defaultKek" | "recipientsAre">

/**
 * All KEKs that are configured and all of the directory; the latter are opened when first needed.
 *
 * @throws {KeyMissingError} if a configured key cannot be had.
 */
export async function openKeys(
  request: Omit<KeySetRequest, "writeTo" | "defaultKek">,
  deps: KeySources & { directory: KeyDirectory },
): Promise<OpenKeys> {
  const opened: Kek[] = []
  const keep = (keks: readonly Kek[]) => {
    opened.push(...keks)
    return keks
  }
  try {
    const given: Kek[] = []
    for (const kind of KEK_KINDS) given.push(...keep((await kind.open?.(request, deps)) ?? []))
    const recipients = keep(await openRecipients(request.recipients ?? [], deps))
    const { identityFiles: files, identityCommand: command } = request
    const identities = keep(await openIdentities({ files, command }, deps))
    const { keys, broken } = await deps.directory.scan()
    const states = strictest(keys)
    const held = (kek: Kek) =>
      heldToState(kek, states.get(kek.id) ?? "active", { allowRevoked: request.allowRevoked ?? false })
    return new KeysAtHand({
      given: given.map(held),
      recipients: recipients.map(held),
      identities: identities.map(held),
      stored: keys.map((key) => held(storedKek(deps.directory, key, deps))),
      broken: new Map(broken.map((key) => [brokenKek(key), key.error])),
    })
  } catch (error) {
    for (const kek of opened) kek[Symbol.dispose]()
    throw error
  }
}

/**
 * The KEKs to work with: all that are at hand read, and those of `OpenKeys.writers` write, unless the purpose is
 * reading.
 *
 * @throws as `openKeys` and `OpenKeys.writers`.
 */
export async function openKeySet(
  request: KeySetRequest,
  deps: KeySources & { directory: KeyDirectory },
): Promise<KeySet> {
  const keys = await openKeys(request, deps)
  try {
    return keySetOf(keys, request)
  } catch (error) {
    keys[Symbol.dispose]()
    throw error
  }
}

/**
 * A key set of keys that are open. Disposing of it disposes of them.
 *
 * @throws as `OpenKeys.writers`; with `writersMayBeMissing` only when `writers` is asked for.
 */
export function keySetOf(
  keys: OpenKeys,
  request: WriterChoice & Pick<KeySetRequest, "purpose" | "writersMayBeMissing">,
): KeySet {
  let writers: readonly Kek[] | undefined
  const choose = () => {
    writers ??= request.purpose === "read" ? [] : keys.writers(request)
    return writers
  }
  if (!request.writersMayBeMissing) choose()
  return {
    readers: keys.readers,
    get writers() {
      return choose()
    },
    [Symbol.dispose]: () => keys[Symbol.dispose](),
  }
}

interface Groups {
  /** From settings of their kinds' own. */
  readonly given: readonly Kek[]
  readonly recipients: readonly Kek[]
  readonly identities: readonly Kek[]
  readonly stored: readonly Kek[]
  readonly broken: ReadonlyMap<Kek, Error>
}

class KeysAtHand implements OpenKeys {
  readonly readers: readonly Kek[]
  readonly #groups: Groups

  constructor(groups: Groups) {
    const { given, recipients, identities, stored, broken } = groups
    this.readers = [...given, ...identities, ...recipients, ...stored, ...broken.keys()]
    this.#groups = groups
  }

  writers(choice: WriterChoice): readonly Kek[] {
    const writers = chooseWriters(choice, this.#groups)
    for (const writer of writers) {
      const error = this.#groups.broken.get(writer)
      if (error) throw error
      if (writer.state !== undefined && writer.state !== "active") throw refusedToWrite(writer, writer.state)
    }
    return writers
  }

  [Symbol.dispose](): void {
    for (const kek of this.readers) kek[Symbol.dispose]()
  }
}

function chooseWriters(
  { writeTo = [], defaultKek, recipientsAre = "configured" }: WriterChoice,
  groups: Groups,
): Kek[] {
  const stored = [...groups.stored, ...groups.broken.keys()]
  const all = [...groups.given, ...groups.identities, ...groups.recipients, ...stored]
  const recipients = recipientsAre === "passed over" ? [] : groups.recipients
  if (writeTo.length > 0) return distinct([...writeTo.map((name) => find(name, all)), ...recipients])
  const given = distinct(groups.given)
  if (recipients.length > 0 && (given.length === 0 || recipientsAre === "chosen")) return distinct(recipients)
  if (given.length > 1 || recipients.length > 0) {
    const configured = [...given, ...recipients]
    const chosen = defaultKek === undefined ? undefined : pick(defaultKek, configured)
    if (chosen) return [chosen]
    throw new UsageError(`several keys are configured: ${namesOf(configured)}`, {
      hint: "say which to write to with --kek; it can be given several times",
    })
  }
  if (given.length === 1) return given
  if (defaultKek !== undefined) return [find(defaultKek, all)]
  const ordinary = pick(DEFAULT_NAME, stored)
  if (ordinary) return [ordinary]
  const identities = distinct(groups.identities)
  if (identities.length === 1) return identities
  const others = [...identities, ...stored]
  throw new KeyMissingError("no key to encrypt to", {
    hint:
      others.length === 0
        ? "make one with `s3ep keys generate`, or set S3EP_KEK_FILE"
        : `say which with --kek (there are ${namesOf(others)}), or set S3EP_KEK_FILE`,
  })
}

// A key is retired or revoked whatever name it has here, and wherever else it is given from.
function strictest(keys: readonly { id: string; state: KekState }[]): Map<string, KekState> {
  const order: readonly KekState[] = ["active", "retired", "revoked"]
  const states = new Map<string, KekState>()
  for (const { id, state } of keys) {
    if (order.indexOf(state) > order.indexOf(states.get(id) ?? "active")) states.set(id, state)
  }
  return states
}

function find(name: string, keks: readonly Kek[]): Kek {
  const kek = pick(name, keks)
  if (kek) return kek
  throw new KeyMissingError(`there is no key ${JSON.stringify(name)}`, {
    hint: keks.length === 0 ? "make one with `s3ep keys generate`" : `the keys at hand are ${namesOf(keks)}`,
  })
}
