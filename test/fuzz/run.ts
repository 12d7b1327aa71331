import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

// Fuzzes every target: `npm run fuzz -- --seconds 3600 journal`. Targets are built, and what the fuzzer learns is kept,
// under .fuzz/; the corpus in test/fuzz/corpus seeds it. A finding is written there as `TARGET/crash-…`: make a test
// of it by leaving it in the corpus, which `npm test` replays.

const root = fileURLToPath(new URL("../../", import.meta.url))
const directory = join(root, ".fuzz")
const NEEDED_GLIBC = 38
const AT_ONCE = 2
const RSS_LIMIT_MB = 1024

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "60" } },
  allowPositionals: true,
})
const known = readdirSync(new URL("targets", import.meta.url)).map((name) => name.replace(/\.ts$/, ""))
const targets = positionals.length > 0 ? positionals : known
const unknown = targets.find((target) => !known.includes(target))
if (unknown !== undefined) throw new Error(`no target ${unknown}: there are ${known.join(", ")}`)

/** Node, on a C library that the engine can be loaded with. */
function node(): readonly [string, ...string[]] {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  const minor = Number(report.header?.glibcVersionRuntime?.split(".")[1] ?? Number.NaN)
  if (process.platform !== "linux" || minor >= NEEDED_GLIBC) return [process.execPath]
  const libc = join(directory, "libc")
  if (!existsSync(join(libc, "root"))) must("bash", [join(root, "test/fuzz/libc.sh"), libc])
  const triple = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu"
  const loader = process.arch === "arm64" ? "ld-linux-aarch64.so.1" : "ld-linux-x86-64.so.2"
  const libraries = join(libc, "root/usr/lib", triple)
  return [join(libraries, loader), "--library-path", libraries, process.execPath]
}

function must(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] })
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(" ")} ended with ${status}`)
}

interface Outcome {
  readonly target: string
  readonly status: number | null
  readonly log: string
}

function fuzz([command, ...first]: readonly [string, ...string[]], target: string): Promise<Outcome> {
  const learnt = join(directory, "corpus", target)
  const seeds = join(root, "test/fuzz/corpus", target)
  for (const each of [learnt, seeds]) mkdirSync(each, { recursive: true })
  const args = [
    ...first,
    join(root, "node_modules/@jazzer.js/core/dist/cli.js"),
    join(directory, "build/test/fuzz/targets", `${target}.js`),
    learnt,
    seeds,
    "--includes=.fuzz/build",
    "--",
    `-max_total_time=${values.seconds}`,
    `-artifact_prefix=${seeds}/`,
    `-rss_limit_mb=${RSS_LIMIT_MB}`,
    "-max_len=16384",
  ]
  const child = spawn(command, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] })
  // Each by itself: what is written to one in the middle of a line of the other would tear it.
  const texts = [child.stdout, child.stderr].map((stream) => {
    const pieces: string[] = []
    stream.setEncoding("utf8").on("data", (piece: string) => pieces.push(piece))
    return pieces
  })
  return new Promise((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (status) => resolve({ target, status, log: texts.flat().join("") }))
  })
}

/** How often the target ran, by the last line that says so: the engine may be gone before it has printed its statistics. */
function runsOf(log: string): number {
  return Number([...log.matchAll(/^(?:#|Done )(\d+)\b/gm)].at(-1)?.[1] ?? 0)
}

function summary({ target, status, log }: Outcome): string {
  const covered = [...log.matchAll(/cov: (\d+) ft: (\d+) corp: (\d+)/g)].at(-1)
  const [, edges = "?", , inputs = "?"] = covered ?? []
  const ended = status === 0 ? "" : `, ended with ${status}`
  return `${target}: ${runsOf(log)} runs, ${edges} edges, ${inputs} inputs${ended}`
}

must(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "test/fuzz/tsconfig.json"])
const runtime = node()
const waiting = [...targets]
const failed: string[] = []
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      const outcome = await fuzz(runtime, target)
      process.stdout.write(`${summary(outcome)}\n`)
      if (outcome.status === 0 && runsOf(outcome.log) > 0) continue
      failed.push(target)
      process.stdout.write(outcome.log.slice(-6000))
    }
  }),
)
process.exitCode = failed.length > 0 ? 1 : 0
