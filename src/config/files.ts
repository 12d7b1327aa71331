import { statSync } from "node:fs"
import { type FileHandle, open, stat } from "node:fs/promises"
import { dirname, extname, isAbsolute, join, relative } from "node:path"
import { LocalIoError, UsageError } from "../errors.ts"
import type { FileTrust } from "./origin.ts"

/** Nothing but comments. */
const EMPTY = /^(?:[ \t]*(?:#.*)?(?:\r?\n|$))*$/
const MAX_CONFIG_BYTES = 64 * 1024

/** A config file as parsed, its members not yet looked at. */
export interface ConfigFile {
  readonly path: string
  readonly trust: FileTrust
  readonly content: unknown
}

/** Names of a project's config, looked for in every directory upwards. */
export const PROJECT_PLACES: readonly string[] = [
  "s3ep.json",
  ".s3eprc",
  ".s3eprc.json",
  ".s3eprc.yaml",
  ".s3eprc.yml",
  join(".config", "s3ep.json"),
  join(".config", "s3ep.yaml"),
  join(".config", "s3ep.yml"),
]

/** Names of the user's config, in the user's config directory. */
export const USER_PLACES: readonly string[] = ["config.json", "config.yaml", "config.yml"]

// Only these of cosmiconfig. Its search would first load `.config/config.js` of the working directory to configure
// itself, and its loader follows `$import` to any file, JavaScript too: both run code because it lies there.
const LOADERS: ReadonlyMap<string, ".json" | ".yaml"> = new Map([
  [".json", ".json"],
  [".yaml", ".yaml"],
  [".yml", ".yaml"],
  ["", ".yaml"], // JSON is YAML
])

/**
 * The config file of a project: in `cwd` or the nearest directory above it, up to the home directory if that is
 * above it and to the root otherwise.
 *
 * @returns null if there is none.
 * @throws {UsageError} if a directory has two, or someone else put it there.
 */
export async function findProjectFile(cwd: string, homeDirectory: string): Promise<ConfigFile | null> {
  const fromHome = relative(homeDirectory, cwd)
  const last = fromHome.startsWith("..") || isAbsolute(fromHome) ? undefined : homeDirectory
  for (let directory = cwd; ; directory = dirname(directory)) {
    const path = onlyOne(directory, PROJECT_PLACES)
    if (path !== null) {
      await refuseForeignOwner(path, cwd)
      return await readConfigFile(path, "project")
    }
    if (directory === last || directory === dirname(directory)) return null
  }
}

/** @throws {UsageError} if there are two. */
export async function findUserFile(configDirectory: string): Promise<ConfigFile | null> {
  const path = onlyOne(configDirectory, USER_PLACES)
  return path === null ? null : await readConfigFile(path, "user")
}

/**
 * Read and parse one config file, as data: JSON, or YAML if it is not called `.json`.
 *
 * @throws {UsageError} if it is missing, too large, not text or not what its name says, with the line.
 * @throws {LocalIoError} if it cannot be read.
 */
export async function readConfigFile(path: string, trust: FileTrust): Promise<ConfigFile> {
  const load = await loaderOf(path)
  return parseWith(load, path, trust, await readBounded(path))
}

/**
 * Parse what a config file holds.
 *
 * @throws {UsageError} as `readConfigFile`.
 */
export async function parseConfigFile(
  path: string,
  trust: FileTrust,
  bytes: Uint8Array,
): Promise<ConfigFile> {
  return parseWith(await loaderOf(path), path, trust, bytes)
}

type Loader = (path: string, content: string) => unknown

// Imported where there is a file to load: most runs find none.
async function loaderOf(path: string): Promise<Loader> {
  const name = LOADERS.get(extname(path))
  if (name !== undefined) return (await import("cosmiconfig")).defaultLoaders[name]
  throw new UsageError(`cannot use config file ${path}: it is called neither .json nor .yaml nor .yml`, {
    hint: "config is data, JSON or YAML; programs are not run",
  })
}

function parseWith(load: Loader, path: string, trust: FileTrust, bytes: Uint8Array): ConfigFile {
  const text = textOf(path, bytes)
  try {
    return { path, trust, content: EMPTY.test(text) ? {} : load(path, text) }
  } catch (error) {
    // Not as its cause: parsers quote the file, which may hold what does not belong in a log.
    throw new UsageError(`cannot parse config file ${path}${parseFailure(error)}`)
  }
}

function onlyOne(directory: string, places: readonly string[]): string | null {
  const found = places.map((place) => join(directory, place)).filter(isThere)
  if (found.length > 1) {
    throw new UsageError(`there are two config files, ${found.slice(0, 2).join(" and ")}`, {
      hint: "keep one of them",
    })
  }
  return found[0] ?? null
}

// Nothing else goes on meanwhile, and of the dozens of names mostly none is there: another thread would take longer to
// be asked than to answer.
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false
  } catch {
    // Not there, or in a directory this user may not look into, where nothing can be meant for them.
    return false
  }
}

/** Otherwise anyone could leave a file in /tmp that sends the work of others to an endpoint of theirs. */
async function refuseForeignOwner(path: string, cwd: string): Promise<void> {
  const me = process.getuid?.()
  if (me === undefined) return
  const { uid: owner } = await stat(path)
  if (owner === me || owner === 0 || owner === (await stat(cwd)).uid) return
  throw new UsageError(`config file ${path} belongs to another user (uid ${owner})`, {
    hint: `if it is to be trusted, name it: --config ${path}`,
  })
}

function textOf(path: string, bytes: Uint8Array): string {
  if (bytes.length > MAX_CONFIG_BYTES) {
    throw new UsageError(`config file ${path} is larger than ${MAX_CONFIG_BYTES / 1024} KiB`)
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch (error) {
    throw new UsageError(`config file ${path} is not UTF-8 text`, { cause: error })
  }
}

/** At most one byte more than allowed, also from a pipe (`--config <(…)`). */
async function readBounded(path: string): Promise<Uint8Array> {
  let file: FileHandle | undefined
  try {
    file = await open(path)
    const buffer = new Uint8Array(MAX_CONFIG_BYTES + 1)
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.subarray(0, length)
  } catch (error) {
    throw readFailure(path, error)
  } finally {
    await file?.close()
  }
}

function readFailure(path: string, error: unknown): UsageError | LocalIoError {
  const code = error instanceof Error && "code" in error ? error.code : undefined
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new UsageError(`config file ${path} does not exist`, { cause: error })
  }
  if (code === "EISDIR") return new UsageError(`config file ${path} is a directory`, { cause: error })
  const why = error instanceof Error ? error.message : String(error)
  return new LocalIoError(`cannot read config file ${path}: ${why}`, { cause: error })
}

/** Line and reason, without the excerpt. */
function parseFailure(error: unknown): string {
  if (!(error instanceof Error)) return ""
  if ("mark" in error && "reason" in error) {
    const { mark, reason } = error as { mark?: { line?: number }; reason?: string }
    return `, line ${(mark?.line ?? 0) + 1}: ${reason ?? "it is not YAML"}`
  }
  const line = /\(line (\d+) column \d+\)/.exec(error.message)?.[1]
  return line === undefined ? ": it is not JSON" : `, line ${line}: it is not JSON`
}
