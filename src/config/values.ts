import * as v from "valibot"
import { UsageError } from "../errors.ts"
import { closestName } from "./closest.ts"
import { looksLikeKey } from "./kinds.ts"
import { resolvePath } from "./paths.ts"
import { type SettingName, settings } from "./settings.ts"

/** What a value is checked against besides its kind. */
export interface ValuePlace {
  /** Begins the error: `option --part-size`, `environment variable S3EP_PART_SIZE`, `s3ep.json: partSize`. */
  readonly where: string
  /** What relative paths are relative to. */
  readonly baseDirectory: string
  readonly homeDirectory: string
}

/**
 * Check a value as written and turn it into what the program works with.
 *
 * @throws {UsageError} naming the place, the value unless it could be secret, and what is allowed.
 */
export function readValue(name: SettingName, given: unknown, place: ValuePlace): unknown {
  const { kind } = settings[name]
  const result = v.safeParse(kind.schema, given)
  if (!result.success) throw unusable(name, given, place)
  if (!kind.isPath) return result.output
  const absolute = (path: unknown) =>
    typeof path !== "string" || kind.isLiteral?.(path)
      ? path
      : resolvePath(path, place.baseDirectory, place.homeDirectory)
  return Array.isArray(result.output) ? result.output.map(absolute) : absolute(result.output)
}

function unusable(name: SettingName, given: unknown, place: ValuePlace): UsageError {
  const { kind } = settings[name]
  if (given === "") return new UsageError(`${place.where} is empty; give ${kind.allowed}, or leave it out`)
  const shown = mayBeSecret(name, given) ? "the value" : JSON.stringify(shorten(given))
  const close = kind.choices && typeof given === "string" ? closestName(given, kind.choices) : undefined
  return new UsageError(`${place.where}: ${shown} is not usable; give ${kind.allowed}`, {
    hint: close === undefined ? undefined : `did you mean ${close}?`,
  })
}

function mayBeSecret(name: SettingName, given: unknown): boolean {
  if ("secret" in settings[name] || typeof given === "object") return true
  // A key given where a key's name belongs; a URL with a password in it.
  return typeof given === "string" && (looksLikeKey(given) || /@|^AGE-|-----BEGIN/i.test(given))
}

function shorten(given: unknown): unknown {
  return typeof given === "string" && given.length > 60 ? `${given.slice(0, 60)}…` : given
}
