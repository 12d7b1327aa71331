import { constants } from "node:fs"
import { access } from "node:fs/promises"
import { dirname } from "node:path"
import { explain } from "../../config/explain.ts"
import { S3epError } from "../../errors.ts"
import type { Session } from "../session.ts"
import { table } from "../text.ts"

/** `config explain`. */
export function explainConfig({ output, resolved }: Session): void {
  const rows = explain(resolved)
  if (output.json) {
    for (const row of rows) output.answer({ type: "setting", ...row }, () => "")
    return
  }
  const lines = table(rows.map(({ name, value, origin }) => [name, shown(value), origin]))
  output.answer({ type: "settings" }, () => lines.join("\n"))
}

/** `config path`. */
export async function showPaths({ output, resolved }: Session): Promise<void> {
  const { directories, files, values } = resolved
  const paths = [
    ...files.map((path) => ["config file", path] as const),
    ["config directory", directories.config] as const,
    ["keys", values.keysDirectory] as const,
    ["state", values.stateDirectory] as const,
    ["cache", directories.cache] as const,
  ]
  const width = Math.max(...paths.map(([what]) => what.length))
  for (const [what, path] of paths) {
    const exists = await allows(path, constants.F_OK)
    output.answer({ type: "path", what, path, exists }, (line) => {
      return `${line.what.padEnd(width)}  ${line.path}${line.exists ? "" : "  (not there yet)"}`
    })
  }
}

/** `config check`: what the settings name can be used. */
export async function checkConfig(session: Session): Promise<void> {
  const { output, resolved } = session
  const good = (what: string, detail: string) =>
    output.answer({ type: "check", what, ok: true, detail }, (line) => `ok  ${line.what}: ${line.detail}`)
  good("settings", resolved.files.length === 0 ? "no config file" : resolved.files.join(", "))

  const { readers } = await session.keys("read")
  good("keys to read with", readers.length === 0 ? "none" : readers.map(({ name }) => name).join(", "))
  await checkWriters(session, good)
  if (await session.customerKey()) good("SSE-C key", "32 bytes")

  const { stateDirectory } = session.settings
  const writable = await allowsWriting(stateDirectory)
  if (!writable) {
    const { LocalIoError } = await import("../../errors.ts")
    throw new LocalIoError(`cannot write in the state directory ${stateDirectory}`, {
      hint: "make it writable, or set S3EP_STATE_DIRECTORY",
    })
  }
  good("state directory", stateDirectory)
}

// A machine that only reads needs no key to write with.
async function checkWriters(session: Session, good: (what: string, detail: string) => void): Promise<void> {
  try {
    const { writers } = await session.keys("both")
    good("keys to write with", writers.map(({ name, id }) => `${name} (${id})`).join(", "))
  } catch (error) {
    if (!(error instanceof S3epError) || session.settings.kek !== undefined) throw error
    session.output.notice(error.message, error.hint)
  }
}

async function allowsWriting(directory: string): Promise<boolean> {
  if (await allows(directory, constants.W_OK)) return true
  const above = dirname(directory)
  return !(await allows(directory, constants.F_OK)) && above !== directory && allowsWriting(above)
}

async function allows(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

function shown(value: unknown): string {
  if (value === null) return "-"
  return Array.isArray(value) ? value.join(", ") : String(value)
}
