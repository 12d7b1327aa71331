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
