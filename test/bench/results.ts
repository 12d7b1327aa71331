import type { Cost } from "./measure.ts"

export type Transport = "http" | "https"

/** All runs of one peer at one kind of work. */
export interface Row {
  readonly transport: Transport
  /** As in "put", "get", "tree-up"; "put 10 GiB" for what s3ep does alone. */
  readonly work: string
  readonly peer: string
  readonly encrypts: boolean
  /** Of the file, where one kind of work is done with several sizes. */
  readonly bytes?: number
  readonly runs: readonly Cost[]
}

/** What the JSON file holds. */
export interface Results {
  readonly startedAt: string
  readonly command: string
  readonly machine: string
  readonly server: string
  readonly files: string
  /** First line of each tool's version, by peer. */
  readonly versions: Readonly<Record<string, string>>
  /** What is not as the tool comes, by peer. */
  readonly settings: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
  /** What could not be measured, and why. */
  readonly left: readonly string[]
}

/** Of each quantity by itself. */
export function medianCost(runs: readonly Cost[]): Cost {
  const peaks = runs.flatMap(({ peakBytes }) => peakBytes ?? [])
  return {
    wallSeconds: median(runs.map((run) => run.wallSeconds)),
    cpuSeconds: median(runs.map((run) => run.cpuSeconds)),
    peakBytes: peaks.length === 0 ? null : median(peaks),
  }
}

/** @throws {RangeError} if there is nothing to take the median of. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[sorted.length >> 1]
  const lower = sorted[(sorted.length - 1) >> 1]
  if (upper === undefined || lower === undefined) throw new RangeError("a median of nothing")
  return (upper + lower) / 2
}

export class Recorder {
  readonly #rows = new Map<string, Omit<Row, "runs"> & { runs: Cost[] }>()
  readonly left: string[] = []

  add(row: Omit<Row, "runs">, cost: Cost): void {
    const key = `${row.transport} ${row.work} ${row.peer}`
    const known = this.#rows.get(key) ?? { ...row, runs: [] }
    known.runs.push(cost)
    this.#rows.set(key, known)
    const { wallSeconds, cpuSeconds, peakBytes } = cost
    const memory = peakBytes === null ? "" : `, ${(peakBytes / 1e6).toFixed(0)} MB`
    process.stderr.write(`${key}: ${wallSeconds.toFixed(3)} s, ${cpuSeconds.toFixed(3)} CPU s${memory}\n`)
  }

  leave(what: string): void {
    if (!this.left.includes(what)) this.left.push(what)
    process.stderr.write(`left out: ${what}\n`)
  }

  get rows(): Row[] {
    return [...this.#rows.values()]
  }
}
