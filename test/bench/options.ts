import { cpus } from "node:os"
import { parseArgs } from "node:util"

export const SUITES = ["put", "get", "tree", "start", "size", "sparse"] as const
export type Suite = (typeof SUITES)[number]

export interface Options {
  readonly runs: number
  readonly only: ReadonlySet<Suite>
  /** Beginnings of the names of peers; empty for all. s3ep always takes part. */
  readonly peers: readonly string[]
  /** As `peers`, and of those, which take part over HTTPS. */
  readonly httpsPeers: readonly string[]
  /** As `peers`, and of those, which get trees. */
  readonly treePeers: readonly string[]
  readonly transports: ReadonlySet<string>
  /** Bytes a second that a connection brings, and takes, over HTTP; undefined: what the machine does. */
  readonly line: number | undefined
  readonly fileBytes: number
  readonly treeFiles: number
  readonly largeBytes: number
  readonly sparseBytes: number
  /** For the files; in memory if possible. */
  readonly directory: string | undefined
  readonly out: string
  /** Markdown file whose section between the marks is replaced. */
  readonly update: string | undefined
}

const GIB = 1024 ** 3
const HELP = `npm run bench -- [options]

  --runs N            interleaved runs, of which the median is taken (5)
  --only LIST         of ${SUITES.join(", ")}
  --peers LIST        how their names begin; s3ep is always one of them
  --https-peers LIST  of those, the ones that are measured over HTTPS too (all)
  --tree-peers LIST   of those, the ones that put and get trees (all that can)
  --transport LIST    http, https or both
  --line BYTES        a second for each connection of HTTP, as over a slow line (no limit)
  --size BYTES        of the file (1 GiB)
  --files N           in the tree, 4 KiB each (10000)
  --large BYTES       of the file compared with --size (10 GiB)
  --sparse BYTES      of the sparse file (20 GiB)
  --dir DIR           for the files (memory, where there is room)
  --out DIR           for bench.json, bench.svg and bench.md (test/bench/results)
  --update FILE       put the tables between the marks of that file, as in ARCHITECTURE.md
`

/** @throws {Error} if an option is unknown or has no such value. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string", default: "5" },
      only: { type: "string", default: SUITES.join(",") },
      peers: { type: "string", default: "" },
      "https-peers": { type: "string", default: "" },
      "tree-peers": { type: "string", default: "" },
      transport: { type: "string", default: "http,https" },
      line: { type: "string" },
      size: { type: "string", default: String(GIB) },
      files: { type: "string", default: "10000" },
      large: { type: "string", default: String(10 * GIB) },
      sparse: { type: "string", default: String(20 * GIB) },
      dir: { type: "string" },
      out: { type: "string", default: "test/bench/results" },
      update: { type: "string" },
      help: { type: "boolean", default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    process.exit(0)
  }
  const only = new Set(SUITES.filter((suite) => list(values.only).includes(suite)))
  if (only.size !== list(values.only).length)
    throw new Error(`--only ${values.only}: of ${SUITES.join(", ")}`)
  return {
    runs: count(values.runs),
    only,
    peers: list(values.peers),
    httpsPeers: list(values["https-peers"]),
    treePeers: list(values["tree-peers"]),
    transports: new Set(list(values.transport)),
    line: values.line === undefined ? undefined : count(values.line),
    fileBytes: count(values.size),
    treeFiles: count(values.files),
    largeBytes: count(values.large),
    sparseBytes: count(values.sparse),
    directory: values.dir,
    out: values.out,
    update: values.update,
  }
}

function list(text: string): string[] {
  return text.split(",").filter((name) => name !== "")
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${text} is not a number of anything`)
  return value
}

/** What the figures were taken on. */
export function machine(): string {
  const [first] = cpus()
  return `${cpus().length} × ${first?.model.trim() ?? "unknown processor"}, Node ${process.versions.node}`
}
