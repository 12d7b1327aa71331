import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

/** A command line to measure; `argv[0]` is looked up on the PATH of `env`. */
export interface Command {
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** What a command and everything it started took. */
export interface Cost {
  readonly wallSeconds: number
  /** User and system time, of all processes that were waited for. */
  readonly cpuSeconds: number
  /** Resident memory of its processes together, at their largest; null where there is no `/proc`. */
  readonly peakBytes: number | null
}

/** A command that did not do what it was started for. */
export class CommandError extends Error {
  constructor(status: number | null, complaint: string) {
    super(`status ${status}: ${complaint.trim().split("\n").at(-1)}`)
    this.name = "CommandError"
  }
}

const SAMPLE_MS = 10
const FIND_PROCESSES_EVERY = 10
// `time` reports on the shell's standard error, which the command must not share.
const SCRIPT = `TIMEFORMAT='%3R %3U %3S'; exec 4>&2 2>&3 3>&-; time "$@" 2>&4 4>&-`

/**
 * Run a command to its end; what it prints is thrown away.
 *
 * @throws {CommandError} with the last line of its standard error, if it ends with another status than 0.
 */
export async function measure({ argv, cwd, env }: Command): Promise<Cost> {
  const child = spawn("bash", ["-c", SCRIPT, "bash", ...argv], {
    cwd,
    env,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  })
  const sampler = new MemorySampler(child.pid)
  const timer = setInterval(() => sampler.sample(), SAMPLE_MS)
  try {
    const [status, complaint, times] = await Promise.all([
      new Promise<number | null>((resolve, reject) => {
        child.on("error", reject)
        child.on("close", resolve)
      }),
      text(child.stdio[2]),
      text(child.stdio[3]),
    ])
    if (status !== 0) throw new CommandError(status, complaint)
    const [wall, user, system] = times.trim().split(" ").map(Number)
    if (wall === undefined || user === undefined || system === undefined) {
      throw new Error(`bash's time said ${JSON.stringify(times)}`)
    }
    return { wallSeconds: wall, cpuSeconds: user + system, peakBytes: sampler.peakBytes }
  } finally {
    clearInterval(timer)
  }
}

async function text(stream: unknown): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece)
  return Buffer.concat(pieces).toString("utf8")
}

/** Sums up the high-water marks that the kernel keeps for each process, so that no peak is missed between samples. */
class MemorySampler {
  readonly #root: number | undefined
  #samples = 0
  #processes: number[] = []
  #peakBytes = 0

  constructor(root: number | undefined) {
    this.#root = root
  }

  get peakBytes(): number | null {
    return this.#peakBytes === 0 ? null : this.#peakBytes
  }

  sample(): void {
    if (this.#root === undefined) return
    // Looking for new processes costs more than asking the known ones; early on there are new ones.
    if (this.#samples++ % FIND_PROCESSES_EVERY === 0 || this.#processes.length === 0) {
      this.#processes = descendants(this.#root)
    }
    const bytes = this.#processes.reduce((sum, pid) => sum + highWaterBytes(pid), 0)
    this.#peakBytes = Math.max(this.#peakBytes, bytes)
  }
}

function highWaterBytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))
  return Number(line?.[1] ?? 0) * 1024
}

function descendants(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of processNames()) {
    // The name of the program, in parentheses, may hold anything.
    const parent = Number(/^.*\) \S (\d+)/s.exec(read(`/proc/${name}/stat`))?.[1] ?? 0)
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found: number[] = []
  for (let next = children.get(root) ?? []; next.length > 0; ) {
    found.push(...next)
    next = next.flatMap((pid) => children.get(pid) ?? [])
  }
  return found
}

function processNames(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  } catch {
    return [] // no such thing on this system
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return "" // it ended meanwhile
  }
}
