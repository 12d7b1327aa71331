import { UsageError } from "../errors.ts"

const KIBI = 1024
const KILO = 1000
const PREFIXES = "KMGTP"

/**
 * Bytes from what people write, read as GNU coreutils reads it: `16777216`, `16M` and `16MiB` are the same, `16MB` is
 * 16,000,000. Capitals do not matter; a fraction is taken if it comes out as whole bytes (`1.5GiB`).
 *
 * @throws {UsageError} if it is not a size, or more than can be counted exactly (2^53 - 1).
 */
export function parseSize(text: string): number {
  const match = /^(\d{1,16}(?:\.\d{1,6})?) ?(?:([KMGTP])(i?B)?|B)?$/i.exec(text.trim())
  if (match?.[1] === undefined) throw unusable(text, "a size", "16MiB, 16M or 16777216")
  const power = match[2] === undefined ? 0 : PREFIXES.indexOf(match[2].toUpperCase()) + 1
  const base = match[3]?.toLowerCase() === "b" ? KILO : KIBI
  const bytes = Number(match[1]) * base ** power
  if (!Number.isSafeInteger(bytes)) throw unusable(text, "a whole number of bytes", "16MiB, 16M or 16777216")
  return bytes
}

/**
 * Bytes for people: three significant digits or so, in powers of 1,024.
 *
 * @param bytes - a count, negative if it is a difference.
 * @returns for instance `512 B`, `1.5 KiB`, `16 MiB`.
 */
export function formatSize(bytes: number): string {
  const power = Math.min(PREFIXES.length, Math.floor(Math.log2(Math.max(1, Math.abs(bytes))) / 10))
  if (power === 0) return `${bytes} B`
  const scaled = bytes / KIBI ** power
  const digits = Math.abs(scaled) < 99.95 ? 1 : 0
  return `${scaled.toFixed(digits).replace(/\.0$/, "")} ${PREFIXES[power - 1]}iB`
}

const AGE_UNITS: ReadonlyMap<string, number> = new Map([
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 7 * 86_400_000],
])

/**
 * Milliseconds from an age such as `7d`, `36h`, `1d12h` or `0s`: seconds, minutes, hours, days, weeks.
 *
 * @throws {UsageError} if it is not an age; a number without a unit is none, since it could mean days or seconds.
 */
export function parseAge(text: string): number {
  const trimmed = text.trim().toLowerCase()
  if (!/^(?:\d{1,9}[smhdw])+$/.test(trimmed)) throw unusable(text, "an age", "30m, 36h, 7d or 2w")
  let milliseconds = 0
  for (const [, count, unit] of trimmed.matchAll(/(\d+)([smhdw])/g)) {
    milliseconds += Number(count) * (AGE_UNITS.get(unit ?? "") ?? 0)
  }
  return milliseconds
}

function unusable(text: string, what: string, examples: string): UsageError {
  return new UsageError(`${JSON.stringify(text)} is not ${what}`, { hint: `write it like ${examples}` })
}
