import { medianCost, type Results } from "./results.ts"

/** One thing to reach, and what was. */
export interface Goal {
  readonly what: string
  readonly goal: string
  /** Null if it was not measured. */
  readonly reached: string | null
  readonly met: boolean | null
}

type Quantity = "wallSeconds" | "cpuSeconds" | "peakBytes"

// Over plain HTTP. s3ep may take at most that share of the other's.
const SHARES: readonly (readonly [work: string, peer: string, quantity: Quantity, limit: number])[] = [
  ["put", "mc", "wallSeconds", 1],
  ["put", "AWS CLI", "wallSeconds", 0.8],
  ["put", "rclone crypt", "wallSeconds", 0.5],
  ["put", "rclone crypt", "cpuSeconds", 0.4],
  ["put", "AWS CLI", "cpuSeconds", 0.7],
  ["get", "rclone crypt", "wallSeconds", 0.8],
  ["get", "AWS CLI", "wallSeconds", 0.8],
  ["get", "rclone crypt", "cpuSeconds", 0.8],
  ["get", "AWS CLI", "cpuSeconds", 0.8],
  ["tree-up", "rclone crypt", "wallSeconds", 0.5],
  ["tree-up", "rclone crypt, 32 transfers", "wallSeconds", 1],
  ["tree-down", "rclone crypt", "wallSeconds", 0.5],
  ["tree-down", "rclone crypt, 32 transfers", "wallSeconds", 1],
]
// Milliseconds beyond bare Node.
const STARTS = [
  ["s3ep --version", 25],
  ["s3ep --help", 25],
  ["s3ep put, 1 KiB", 200],
] as const
const MOST_BYTES = 200 * 1024 ** 2
const GROWS_WITHIN = 0.1

/** The goals of the project for its speed, each with what these results say about it. */
export function judge(results: Results): Goal[] {
  return [...shares(results), memory(results), ...starts(results), ...sizes(results)]
}

function shares(results: Results): Goal[] {
  return SHARES.map(([work, peer, quantity, limit]) => {
    const ours = medianOf(results, "http", work, "s3ep")
    const theirs = medianOf(results, "http", work, peer)
    const share = ours && theirs ? Number(ours[quantity]) / Number(theirs[quantity]) : null
    const name = quantity === "wallSeconds" ? "wall" : "CPU"
    return {
      what: `${work}: ${name}, of ${peer}'s`,
      goal: `≤ ${limit.toFixed(1)}`,
      reached: share === null ? null : share.toFixed(2),
      met: share === null ? null : share <= limit,
    }
  })
}

function memory({ rows }: Results): Goal {
  const peaks = rows.flatMap(({ peer, runs }) =>
    peer.startsWith("s3ep") ? runs.flatMap(({ peakBytes }) => peakBytes ?? []) : [],
  )
  const largest = peaks.length === 0 ? null : Math.max(...peaks)
  return {
    what: "peak memory, the largest of all runs",
    goal: `< ${MOST_BYTES / 1024 ** 2} MiB`,
    reached: largest === null ? null : `${Math.round(largest / 1024 ** 2)} MiB`,
    met: largest === null ? null : largest < MOST_BYTES,
  }
}

function starts(results: Results): Goal[] {
  const node = medianOf(results, "http", "start", "node -e 0")
  return STARTS.map(([name, limit]) => {
    const ours = medianOf(results, "http", "start", name)
    const beyond = node && ours ? 1000 * (ours.wallSeconds - node.wallSeconds) : null
    return {
      what: `${name}, beyond \`node -e 0\``,
      goal: `≤ ${limit} ms`,
      reached: beyond === null ? null : `${beyond.toFixed(0)} ms`,
      met: beyond === null ? null : beyond <= limit,
    }
  })
}

/** Cost against size: CPU for each byte, and memory, of the large file over those of the small one. */
function sizes(results: Results): Goal[] {
  return ["put", "get", "verify"].flatMap((work) => {
    const measured = results.rows
      .filter((row) => row.work.startsWith(`${work} `) && row.bytes !== undefined && row.runs.length > 0)
      .map((row) => ({ bytes: row.bytes ?? 0, ...medianCost(row.runs) }))
      .sort((a, b) => a.bytes - b.bytes)
    const [small, large] = measured
    const cpu = small && large && large.cpuSeconds / large.bytes / (small.cpuSeconds / small.bytes)
    const memory = small?.peakBytes && large?.peakBytes ? large.peakBytes / small.peakBytes : undefined
    return [
      growth(`${work}: CPU for each byte of the large file, of that of the small one`, cpu),
      growth(`${work}: peak memory with the large file, of that with the small one`, memory),
    ]
  })
}

function growth(what: string, ratio: number | undefined): Goal {
  const most = 1 + GROWS_WITHIN
  const goal = `≤ ${most.toFixed(1)}`
  if (ratio === undefined) return { what, goal, reached: null, met: null }
  return { what, goal, reached: ratio.toFixed(2), met: ratio <= most }
}

function medianOf({ rows }: Results, transport: string, work: string, peer: string) {
  const row = rows.find((one) => one.transport === transport && one.work === work && one.peer === peer)
  return row && medianCost(row.runs)
}
