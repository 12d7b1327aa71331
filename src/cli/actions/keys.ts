import { SecretBytes } from "../../crypto/secret.ts"
import { S3epError } from "../../errors.ts"
import { KeyDirectory, type NamedKey } from "../../keys/directory.ts"
import type { Kek } from "../../keys/kek.ts"
import { isUnreadable } from "../../keys/stored.ts"
import type { Session } from "../session.ts"

const KEY_BYTES = 32

/** A KEK as it is printed; never the key. */
interface KeyLine {
  readonly type: "key"
  readonly name: string
  readonly kind: string
  /** Null for a passphrase, which has another one for each salt. */
  readonly id: string | null
  readonly created: string | null
  /** Where it is kept; null for what the settings give. */
  readonly path: string | null
  /** Whether new objects are wrapped to it. */
  readonly default: boolean
}

/** `keys generate`. */
export async function generateKey(session: Session, name: string): Promise<void> {
  const random = await session.random()
  using key = new SecretBytes(random(KEY_BYTES))
  const directory = new KeyDirectory(session.settings.keysDirectory)
  const made = await directory.create(name, key, { created: new Date(session.io.clock.now()) })
  const line = {
    type: "generated",
    name,
    id: made.id,
    path: made.path,
    created: made.created?.toISOString() ?? null,
  }
  session.output.report(line, ({ name, id, path }) =>
    [
      `made the key ${name} (${id})`,
      `it is kept in ${path}`,
      "put a copy of that file where the fate of this machine does not reach: without it nothing can be decrypted",
    ].join("\n"),
  )
}

/** `keys list`. */
export async function listKeys(session: Session): Promise<void> {
  const { broken } = await new KeyDirectory(session.settings.keysDirectory).scan()
  const lines = await keyLines(session)
  const width = Math.max(...lines.map(({ name }) => name.length), 0)
  for (const line of lines) {
    session.output.answer(
      line,
      ({ name, id, kind, default: isDefault }) =>
        `${isDefault ? "*" : " "} ${name.padEnd(width)}  ${id ?? kind}`,
    )
  }
  if (lines.length === 0) session.output.notice("there is no key yet", "make one with `s3ep keys generate`")
  const [first] = broken
  for (const { name, error } of broken) session.output.failure(error, name)
  session.output.count("keys", lines.length)
  if (first) throw first.error
}

/** `keys show`. */
export async function showKey(session: Session, name: string): Promise<void> {
  const chosen = await session.keys("write", { writeTo: [name] })
  const names = chosen.writers.flatMap((kek) => [kek.id, kek.name])
  const lines = await keyLines(session)
  for (const line of lines.filter(({ id, name }) => names.includes(id ?? name))) {
    session.output.answer(line, ({ name, id, kind, created, path, default: isDefault }) =>
      [
        `name:     ${name}`,
        `kind:     ${kind}`,
        `id:       ${id ?? "a new one for each salt"}`,
        `created:  ${created ?? "unknown"}`,
        `kept in:  ${path ?? "what the settings say"}`,
        `default:  ${isDefault ? "yes" : "no"}`,
      ].join("\n"),
    )
  }
}

async function keyLines(session: Session): Promise<KeyLine[]> {
  const stored = await new KeyDirectory(session.settings.keysDirectory).list()
  const keys = await session.keys("read")
  const writers = await writerIds(session)
  const seen = new Set<string>()
  const lines: KeyLine[] = []
  for (const kek of keys.readers) {
    if (seen.has(kek.id) || isUnreadable(kek)) continue
    seen.add(kek.id)
    lines.push(
      keyLine(
        kek,
        stored.find(({ id, name }) => id === kek.id && name === kek.name),
        writers,
      ),
    )
  }
  return lines
}

function keyLine(kek: Kek, stored: NamedKey | undefined, writers: readonly string[]): KeyLine {
  const kind = kek.id.slice(0, kek.id.indexOf(":"))
  const isPassphrase = kind === "passphrase"
  return {
    type: "key",
    name: kek.name,
    kind,
    id: isPassphrase ? null : kek.id,
    created: stored?.created?.toISOString() ?? null,
    path: stored?.path ?? null,
    default: writers.includes(isPassphrase ? kek.name : kek.id),
  }
}

// Ids, and the names of passphrases.
async function writerIds(session: Session): Promise<string[]> {
  try {
    const { writers } = await session.keys("write")
    return writers.flatMap(({ id, name }) => [id, name])
  } catch (error) {
    if (error instanceof S3epError) return []
    throw error
  }
}
