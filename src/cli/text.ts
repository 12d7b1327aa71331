const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"] as const

/** Bytes for people: `512 bytes`, `1.4 MiB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  const digits = power === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${bytes === 1 ? "byte" : (UNITS[power] ?? "")}`
}

/** A span of time for people: `8s`, `3m05s`, `2h10m`, `4d06h`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const pad = (value: number) => String(value).padStart(2, "0")
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m${pad(whole % 60)}s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${pad(Math.floor(whole / 60) % 60)}m`
  return `${Math.floor(whole / 86_400)}d${pad(Math.floor(whole / 3600) % 24)}h`
}

/** Columns, each as wide as its widest cell. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    })
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return right.includes(column) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join("  ")
      .trimEnd(),
  )
}

/** `1 file`, `3 files`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}

// Keys, file names and what a server says are other people's: none of it may command a terminal, or look like a line
// of ours. What orders text from right to left could make a name read as another.
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/** One line, whatever is in it: characters that act instead of being shown are spelt out, as `\u001b`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  })
}

/** The same for text that has lines of its own. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n")
}

/** The same for every text in a value. */
export function printableValue<T>(value: T): T {
  return escaped(value) as T
}

function escaped(value: unknown): unknown {
  if (typeof value === "string") return printable(value)
  if (Array.isArray(value)) return value.map(escaped)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [printable(name), escaped(member)]))
}

/** JSON in one line, in which those characters are escaped too. */
export function jsonLine(value: object): string {
  return printable(JSON.stringify(value))
}
