import { KeyMissingError, S3epError } from "../../errors.ts"
import { distinct, pick } from "../../keys/choose.ts"
import type { KeyPlace, NamedKey } from "../../keys/directory.ts"
import type { Kek, KekState } from "../../keys/kek.ts"
import type { OpenKeys } from "../../keys/keyset.ts"
import { isUnreadable } from "../../keys/stored.ts"
import type { Session } from "../session.ts"
import { table } from "../text.ts"

/** A KEK as it is printed; never the key. */
interface KeyLine {
  readonly type: "key"
  readonly name: string
  readonly kind: string
  /** Null for a passphrase, which has another one for each salt. */
  readonly id: string | null
  readonly state: KekState
  readonly created: string | null
  /** Its file in the keys directory; null for what the settings give. */
  readonly path: string | null
  /** Where the key itself is; null for what the settings give. */
  readonly place: KeyPlace | null
  /** Whether it opens what it wraps; a public key does not. */
  readonly reads: boolean
  /** Whether new objects are wrapped to it. */
  readonly default: boolean
}

const PLACES: Readonly<Record<KeyPlace, string>> = {
  file: "its file",
  protected: "its file, under a passphrase",
  keychain: "the system keychain",
}

/** `keys list`. */
export async function listKeys(session: Session): Promise<void> {
  const { directory } = await session.keysDirectory()
  const { keys, broken } = await directory.scan()
  const lines = await keyLines(session, keys)
  const rows = table(
    lines.map((line) => [line.default ? "*" : " ", line.name, line.id ?? line.kind, notes(line)]),
  )
  for (const [index, line] of lines.entries()) session.output.answer(line, () => rows[index] ?? "")
  if (lines.length === 0) session.output.notice("there is no key yet", "make one with `s3ep keys generate`")
  const [first] = broken
  for (const { name, error } of broken) session.output.failure(error, name)
  session.output.count("keys", lines.length)
  if (first) throw first.error
}

/** `keys show`. */
export async function showKey(session: Session, name: string): Promise<void> {
  const { directory } = await session.keysDirectory()
  const { keys, broken } = await directory.scan()
  const unreadable = broken.find((key) => key.name === name)
  if (unreadable) throw unreadable.error
  const lines = await keyLines(session, keys)
  const chosen = pick(
    name,
    lines.map((line) => ({ line, name: line.name, id: line.id ?? `${line.kind}:` })),
  )
  if (!chosen) return missing(name, lines)
  session.output.answer(
    chosen.line,
    ({ name, id, kind, state, created, path, place, reads, default: isDefault }) =>
      [
        `name:     ${name}`,
        `kind:     ${kind}`,
        `id:       ${id ?? "a new one for each salt"}`,
        `state:    ${state}`,
        `created:  ${created ?? "unknown"}`,
        `kept in:  ${place === null ? "what the settings say" : PLACES[place]}`,
        `file:     ${path ?? "none"}`,
        `reads:    ${reads ? "yes" : "no, it is a public key"}`,
        `default:  ${isDefault ? "yes" : "no"}`,
      ].join("\n"),
  )
}

/** `keys recipients`. */
export async function listRecipients(session: Session, names: readonly string[]): Promise<void> {
  const { readers } = await session.keysAtHand("read")
  const all = distinct(readers.filter((kek) => !isUnreadable(kek)))
  const chosen = names.length === 0 ? all : names.map((name) => pick(name, all) ?? missing(name, all))
  let shown = 0
  for (const kek of chosen) {
    const { name, id } = kek
    const recipient = (await kek.publicText?.())?.trimEnd()
    if (recipient === undefined) {
      if (names.length === 0) continue
      throw new KeyMissingError(
        `the key ${name} has no public part: who is to write to it needs the key itself`,
        { hint: PUBLIC_KINDS },
      )
    }
    shown++
    session.output.answer({ type: "recipient", name, id, recipient }, () => recipient)
  }
  if (shown === 0) session.output.notice("no key has a public part", PUBLIC_KINDS)
  session.output.count("recipients", shown)
}

const PUBLIC_KINDS = "keys of the kinds age and rsa have one: `s3ep keys generate --kind age`"

async function keyLines(session: Session, stored: readonly NamedKey[]): Promise<KeyLine[]> {
  const keys = await session.keysAtHand("read")
  const writers = writersAmong(session, keys)
  const seen = new Set<string>()
  const lines: KeyLine[] = []
  for (const kek of keys.readers) {
    const kept = stored.find(({ id, name }) => id === kek.id && name === kek.name)
    // A key of the settings that is kept too has a line for each; one that is given twice has not.
    const line = kept ? `${kek.id} ${kek.name}` : kek.id
    if (seen.has(line) || isUnreadable(kek)) continue
    seen.add(line)
    lines.push(keyLine(kek, kept, writers))
  }
  return lines
}

function keyLine(kek: Kek, stored: NamedKey | undefined, writers: readonly Kek[]): KeyLine {
  const kind = kek.id.slice(0, kek.id.indexOf(":"))
  return {
    type: "key",
    name: kek.name,
    kind,
    id: kind === "passphrase" ? null : kek.id,
    state: kek.state ?? "active",
    created: stored?.created?.toISOString() ?? null,
    path: stored?.path ?? null,
    place: stored?.place ?? null,
    reads: !kek.writesOnly,
    default: writers.some((writer) => writer.id === kek.id && writer.name === kek.name),
  }
}

// For a list it does not matter why nothing could be written.
function writersAmong(session: Session, keys: OpenKeys): readonly Kek[] {
  try {
    return keys.writers(session.writerChoice())
  } catch (error) {
    if (error instanceof S3epError) return []
    throw error
  }
}

function notes({ state, place, reads }: KeyLine): string {
  const all = [
    ...(state === "active" ? [] : [state]),
    ...(place === "protected" ? ["under a passphrase"] : []),
    ...(place === "keychain" ? ["in the keychain"] : []),
    ...(reads ? [] : ["writes only"]),
  ]
  return all.join(", ")
}

function missing(name: string, keys: readonly { readonly name: string }[]): never {
  throw new KeyMissingError(`there is no key ${JSON.stringify(name)}`, {
    hint:
      keys.length === 0
        ? "make one with `s3ep keys generate`"
        : `the keys at hand are ${keys.map((key) => key.name).join(", ")}`,
  })
}
