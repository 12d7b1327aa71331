import { isAbsolute, join, resolve } from "node:path"

/** Where s3ep keeps what is its own, all absolute. Nothing is created here. */
export interface Directories {
  /** User config and, below it, the keys. */
  readonly config: string
  /** Journals, locks, unfinished downloads. */
  readonly state: string
  /** What can be found out again, such as what a service is able to do. */
  readonly cache: string
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The XDG directories of s3ep. A variable that is empty or not absolute counts as not set, as the specification
 * asks.
 *
 * @see https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function directories(env: Environment, homeDirectory: string): Directories {
  const base = (variable: string, ...fallback: string[]) => {
    const value = env[variable]
    return join(value !== undefined && isAbsolute(value) ? value : join(homeDirectory, ...fallback), "s3ep")
  }
  return {
    config: base("XDG_CONFIG_HOME", ".config"),
    state: base("XDG_STATE_HOME", ".local", "state"),
    cache: base("XDG_CACHE_HOME", ".cache"),
  }
}

/**
 * A path as the user wrote it, made absolute: `~` and `~/…` are the home directory, the rest is relative to
 * `baseDirectory`. `~name` is taken literally, since only a shell knows other people's homes.
 */
export function resolvePath(path: string, baseDirectory: string, homeDirectory: string): string {
  if (path === "~") return homeDirectory
  if (path.startsWith("~/")) return join(homeDirectory, path.slice(2))
  return resolve(baseDirectory, path)
}
