import { resolve } from "node:path"
import { concat, utf8 } from "../../bytes.ts"
import { looksLikeKey } from "../../config/kinds.ts"
import { SecretBytes } from "../../crypto/secret.ts"
import { KeyMissingError, UsageError } from "../../errors.ts"
import { aesMaterial } from "../../keys/aes-kind.ts"
import type { KeyPlace, NamedKey } from "../../keys/directory.ts"
import { isRecipientText } from "../../keys/given.ts"
import { type Derivation, deriveKey, harpocratesFingerprint } from "../../keys/import/derive.ts"
import type { ImportedKey } from "../../keys/import/recogniser.ts"
import { recogniseKeys } from "../../keys/import/recognisers.ts"
import { generators } from "../../keys/kinds.ts"
import { isPaperLine, PAPER_LINES } from "../../keys/paper.ts"
import { readKeyFile, readSecretStream } from "../../keys/source.ts"
import { withoutLineEnding } from "../../keys/text.ts"
import { type DerivationOptions, readDerivation } from "../derivation.ts"
import type { Session } from "../session.ts"

export interface KeepOptions {
  readonly keychain?: boolean
  readonly protect?: boolean
}

/** `keys generate`. */
export async function generateKey(
  session: Session,
  name: string,
  { kind, ...keep }: KeepOptions & { readonly kind: string },
): Promise<void> {
  const { directory } = await session.keysDirectory()
  const generate = generators().get(kind)
  if (!generate) throw new UsageError(`there is no kind of key ${kind} to make`)
  await directory.refuseTaken(name)
  using material = await generate(await session.random())
  const created = new Date(session.io.clock.now())
  const made = await keepKey(session, name, { material, created }, keep)
  const { id, path } = made
  const line = { type: "generated", name, id, path, place: made.place, created: created.toISOString() }
  session.output.report(line, () =>
    [
      `made the key ${name} (${id})`,
      whereItIs(made),
      `put a copy of it where the fate of this machine does not reach: \`s3ep keys export ${name} --reveal FILE\`; without it nothing can be decrypted`,
    ].join("\n"),
  )
}

/** `keys import`. */
export async function importKeys(
  session: Session,
  source: string | undefined,
  givenName: string | undefined,
  { paper, ...options }: KeepOptions & DerivationOptions & { readonly paper?: boolean },
): Promise<void> {
  const derivation = readDerivation(options)
  const { directory, sources } = await session.keysDirectory()
  const origin = paper
    ? "what you typed"
    : source === "-"
      ? "what standard input holds"
      : `the file ${source ?? ""}`
  const { content: read, exposed } = paper
    ? { content: await typedSheet(session), exposed: null }
    : await contentOf(session, source)
  using content = read
  const found: (ImportedKey & { readonly harpocratesFingerprint?: string })[] = derivation
    ? [await derived(content, derivation, origin)]
    : await recogniseKeys(content.bytes, { origin, unlock: sources.unlock })
  try {
    if (exposed && found.some(({ material }) => material.secret)) throw exposed
    const names = namesFor(found, givenName)
    for (const name of names) await directory.refuseTaken(name)
    for (const [index, key] of found.entries()) {
      const kept = await keepKey(session, names[index] ?? "", key, options)
      const { name, id, path, place } = kept
      const { harpocratesFingerprint = null } = key
      const line = { type: "imported", name, id, path, place, harpocratesFingerprint }
      session.output.report(line, () =>
        [
          `imported the key ${name} (${id})`,
          whereItIs(kept),
          ...(harpocratesFingerprint === null ? [] : [`Harpocrates calls it ${harpocratesFingerprint}`]),
        ].join("\n"),
      )
    }
  } finally {
    for (const { material } of found) material[Symbol.dispose]()
  }
  session.output.count("keys", found.length)
}

/** A key that was derived once. Its fingerprint is all that tells whether everything was as it was then. */
async function derived(
  content: SecretBytes,
  derivation: Derivation,
  origin: string,
): Promise<ImportedKey & { readonly harpocratesFingerprint: string }> {
  using secret = withoutLineEnding(new SecretBytes(content.bytes.slice()))
  const key = await deriveKey(secret, derivation, origin)
  const fingerprint = harpocratesFingerprint(key)
  return { material: aesMaterial(key), harpocratesFingerprint: fingerprint }
}

async function keepKey(
  session: Session,
  name: string,
  { material, created, state }: Pick<ImportedKey, "material" | "created" | "state">,
  { keychain, protect }: KeepOptions,
): Promise<NamedKey> {
  if (keychain && protect) {
    throw new UsageError("--keychain and --protect exclude each other", {
      hint: "the keychain protects the key already",
    })
  }
  const { directory, sources, unlocker } = await session.keysDirectory()
  const place: KeyPlace = keychain ? "keychain" : protect ? "protected" : "file"
  const passphrase =
    protect && material.secret ? await unlocker.choose(`the key ${name} from now on`) : undefined
  const now = new Date(session.io.clock.now())
  return directory.add(name, material, { created: created ?? now, state, place, passphrase }, sources)
}

function whereItIs({ place, path }: NamedKey): string {
  if (place === "keychain") return `it is kept in the system keychain, and its name in ${path}`
  return `it is kept in ${path}${place === "protected" ? ", under the passphrase" : ""}`
}

/** What there is to import, and what to throw if it is secret and others may read it too. */
async function contentOf(
  session: Session,
  source: string | undefined,
): Promise<{ content: SecretBytes; exposed: KeyMissingError | null }> {
  const { io } = session
  if (source === undefined) {
    throw new UsageError("import needs a file to import, or `-` for standard input", {
      hint: "`s3ep keys import --paper` reads a recovery sheet that you type",
    })
  }
  if (isRecipientText(source)) return { content: new SecretBytes(utf8(`${source}\n`)), exposed: null }
  if (looksLikeKey(source) || /^AGE-|-----BEGIN/i.test(source)) {
    throw new UsageError(
      "a key on the command line is for everybody on this machine to see: it was not imported",
      {
        hint: "give it in a file, or on standard input: `s3ep keys import -`",
      },
    )
  }
  if (source !== "-") return readKeyFile(resolve(io.cwd, source))
  const content = io.stdin.isTTY
    ? await session.ask("key: ")
    : await readSecretStream(io.stdin, "the key on standard input", session.signal)
  return { content, exposed: null }
}

/** The lines of a sheet, each asked for until it is right. */
async function typedSheet(session: Session): Promise<SecretBytes> {
  if (!session.io.stdin.isTTY) {
    throw new KeyMissingError("cannot ask for the lines of the sheet: there is no terminal", {
      hint: "write them into a file, or pipe them to `s3ep keys import -`",
    })
  }
  const lines: SecretBytes[] = []
  try {
    while (lines.length < PAPER_LINES) {
      const line = await session.ask(`line ${lines.length + 1} of ${PAPER_LINES}: `)
      if (isPaperLine(line.bytes, lines.length)) lines.push(line)
      else {
        line[Symbol.dispose]()
        session.output.notice("that is not as it stands on the sheet; once more")
      }
    }
    return new SecretBytes(concat(...lines.flatMap((line) => [line.bytes, utf8("\n")])))
  } finally {
    for (const line of lines) line[Symbol.dispose]()
  }
}

function namesFor(found: readonly ImportedKey[], given: string | undefined): string[] {
  if (found.length === 1) return [given ?? found[0]?.name ?? "default"]
  return found.map(
    ({ name }, index) => (given === undefined && name) || `${given ?? "imported"}-${index + 1}`,
  )
}
