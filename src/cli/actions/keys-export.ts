import { open } from "node:fs/promises"
import { resolve } from "node:path"
import { fromUtf8, utf8 } from "../../bytes.ts"
import { KeyMissingError, PreconditionError, UsageError } from "../../errors.ts"
import { errnoOf, localError } from "../../files/local-error.ts"
import type { NamedKey } from "../../keys/directory.ts"
import { encodeKeyFile } from "../../keys/key-file.ts"
import { kindOf } from "../../keys/kinds.ts"
import type { KeyMaterial } from "../../keys/material.ts"
import { encodePaper } from "../../keys/paper.ts"
import { renderSheet } from "../../keys/sheet.ts"
import { writeData } from "../output.ts"
import type { Session } from "../session.ts"
import { storedKey } from "../stored-keys.ts"

export interface ExportOptions {
  readonly reveal?: boolean
  readonly paper?: boolean
  readonly public?: boolean
}

/** `keys export`. */
export async function exportKey(
  session: Session,
  name: string,
  dest: string | undefined,
  { reveal, paper, public: onlyPublic }: ExportOptions,
): Promise<void> {
  const { directory, sources } = await session.keysDirectory()
  const key = storedKey(name, await directory.list())
  const { io, output } = session
  if (onlyPublic && (reveal || paper)) throw new UsageError("--public goes with neither --reveal nor --paper")
  if (!onlyPublic && !reveal) {
    throw new UsageError(`the key ${key.name} is secret: it is shown only when that is asked for`, {
      hint: "--reveal asks for it; --public exports what may be handed out",
    })
  }
  if (!onlyPublic && dest === undefined && io.stdout.isTTY) {
    throw new UsageError("a key is not shown on a terminal that was not asked for", {
      hint: "name a file, or give `-` to have it on the terminal all the same",
    })
  }
  using material = await directory.read(key.name, sources)
  if (!material) throw new KeyMissingError(`the key file ${key.path} is gone`)
  const content = utf8(
    onlyPublic ? publicText(key, material) : paper ? await sheet(key, material) : keyText(key, material),
  )
  try {
    if (dest === undefined || dest === "-") {
      output.reserveStdout()
      await writeData(io.stdout, once(content), session.signal)
    } else {
      await writeNew(resolve(io.cwd, dest), content, onlyPublic ? 0o644 : 0o600)
    }
  } finally {
    // What standard output has been given may not have left it yet.
    if (dest !== undefined && dest !== "-") content.fill(0)
  }
  if (dest !== undefined && dest !== "-") {
    const line = { type: "exported", name: key.name, id: key.id, target: dest, public: onlyPublic ?? false }
    output.report(line, () =>
      paper
        ? `wrote the recovery sheet of ${key.name} to ${dest}: print it, then remove the file`
        : `exported ${onlyPublic ? "the public part of " : ""}${key.name} to ${dest}`,
    )
  }
}

// The form of a key file of ours: other programs read past its comments.
function keyText({ name, ...facts }: NamedKey, { text }: KeyMaterial): string {
  const content = encodeKeyFile(name, { ...facts, place: "file" }, text.bytes)
  const string = fromUtf8(content)
  content.fill(0)
  return string
}

function publicText({ name }: NamedKey, { publicText }: KeyMaterial): string {
  if (publicText !== null) return publicText
  throw new KeyMissingError(`the key ${name} has no public part: who is to write to it needs the key itself`)
}

async function sheet({ name, id, created }: NamedKey, material: KeyMaterial): Promise<string> {
  const packed = await kindOf(id)?.written?.pack?.(material)
  if (!packed) {
    throw new UsageError(`the key ${name} is too long to be typed from paper, or no secret`, {
      hint: `print what \`s3ep keys export ${name} --reveal\` writes, or keep it on a medium`,
    })
  }
  using bytes = packed.bytes
  return renderSheet({ name, id, created }, encodePaper({ tag: packed.tag, bytes }))
}

async function writeNew(path: string, content: Uint8Array, mode: number): Promise<void> {
  try {
    await using file = await open(path, "wx", mode)
    await file.writeFile(content)
    await file.sync()
  } catch (error) {
    if (errnoOf(error) === "EEXIST") {
      throw new PreconditionError(`${path} exists already`, { hint: "choose another name" })
    }
    throw localError("write", path, error)
  }
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield content
}
