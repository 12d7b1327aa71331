import { readFile, writeFile } from "node:fs/promises"
import { judge } from "./goals.ts"
import type { Cost } from "./measure.ts"
import { medianCost, type Results, type Row } from "./results.ts"

const BEGIN = "<!-- bench: written by `npm run bench` -->"
const END = "<!-- /bench -->"
const SCOPES = ["put", "get", "tree-up", "tree-down"]

/** Everything, as Markdown: a table for each kind of work, with the ratio of each figure to that of s3ep. */
export function fullReport(results: Results): string {
  const groups = Map.groupBy(
    results.rows,
    ({ transport, work }) => `${work}, over ${transport.toUpperCase()}`,
  )
  const sections = [...groups].map(([title, rows]) => `### ${title}\n\n${workTable(rows)}`)
  return [heading(results), ...sections, `### Goals\n\n${goalTable(results)}`, notes(results)].join("\n\n")
}

/** What a page of documentation has room for: one table for each transport, and the goals. */
export function summary(results: Results): string {
  const transports = [...new Set(results.rows.map(({ transport }) => transport))]
  const tables = transports.map((transport) => {
    const rows = results.rows.filter((row) => row.transport === transport && SCOPES.includes(row.work))
    return `Over ${transport.toUpperCase()}:\n\n${summaryTable(rows)}`
  })
  return [heading(results), ...tables, alone(results), goalTable(results), notes(results)].join("\n\n")
}

/** What is not compared with others. */
function alone({ rows }: Results): string {
  const figures = rows
    .filter(({ work }) => !SCOPES.includes(work))
    .map(({ work, peer, runs }) => {
      const cost = medianCost(runs)
      const name = work === "start" ? `\`${peer}\`` : work
      return `${name}: ${seconds(cost.wallSeconds)}, ${seconds(cost.cpuSeconds)}, ${megabytes(cost.peakBytes)}`
    })
  return `Alone, in the same units: ${figures.join("; ")}.`
}

/**
 * Put text between the marks of a file.
 *
 * @throws {Error} if the marks are not there.
 */
export async function updateSection(path: string, text: string): Promise<void> {
  const page = await readFile(path, "utf8")
  const [before, rest] = page.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined)
    throw new Error(`${path} has no section between ${BEGIN} and ${END}`)
  await writeFile(path, `${before}${BEGIN}\n\n${text}\n\n${END}${after}`)
}

function heading({ command, machine, server, files, rows, startedAt }: Results): string {
  const counted = rows.filter(({ work }) => work !== "start")
  const runs = Math.max(0, ...counted.map((row) => row.runs.length))
  const fewer = counted.filter((row) => row.runs.length < runs).map((row) => `${row.work} ${row.runs.length}`)
  const exceptions = fewer.length > 0 ? ` (${[...new Set(fewer)].join(", ")})` : ""
  return (
    `\`${command}\` on ${startedAt.slice(0, 10)}: ${machine}; ${server}; files ${files}. Median of ${runs} interleaved` +
    ` runs${exceptions}. CPU is user and system time of all processes of the client; memory is resident, at its peak.`
  )
}

function workTable(rows: readonly Row[]): string {
  const ours = rows.find(({ peer }) => peer === "s3ep" || peer === "node -e 0")
  const base = ours && medianCost(ours.runs)
  const lines = rows.map(({ peer, encrypts, runs }) => {
    const cost = medianCost(runs)
    const cells = [
      seconds(cost.wallSeconds),
      ratio(cost, base, "wallSeconds"),
      seconds(cost.cpuSeconds),
      ratio(cost, base, "cpuSeconds"),
      megabytes(cost.peakBytes),
      ratio(cost, base, "peakBytes"),
    ]
    return `| ${[peer, encrypts ? "yes" : "no", ...cells].join(" | ")} |`
  })
  const of = ours?.peer === "node -e 0" ? "of node" : "of s3ep's"
  const head = `| | encrypts | wall s | ${of} | CPU s | ${of} | peak MB | ${of} |`
  return [head, "|---|---|--:|--:|--:|--:|--:|--:|", ...lines].join("\n")
}

function summaryTable(rows: readonly Row[]): string {
  const works = SCOPES.filter((work) => rows.some((row) => row.work === work))
  const peers = [...new Map(rows.map(({ peer, encrypts }) => [peer, encrypts]))]
  const lines = peers.map(([peer, encrypts]) => {
    const cells = works.map((work) => {
      const row = rows.find((one) => one.peer === peer && one.work === work)
      const base = rows.find((one) => one.peer === "s3ep" && one.work === work)
      return row ? summaryCell(medianCost(row.runs), base && medianCost(base.runs)) : ""
    })
    return `| ${[encrypts ? `**${peer}**` : peer, ...cells].join(" | ")} |`
  })
  const head = `| wall s, CPU s, peak MB (times s3ep's); **bold**: encrypts | ${works.join(" | ")} |`
  return [head, `|---|${works.map(() => "---|").join("")}`, ...lines].join("\n")
}

function summaryCell(cost: Cost, base: Cost | undefined): string {
  const figures = [seconds(cost.wallSeconds), seconds(cost.cpuSeconds), megabytes(cost.peakBytes)].join(", ")
  if (!base || base === cost) return figures
  const ratios = (["wallSeconds", "cpuSeconds", "peakBytes"] as const).map((name) => ratio(cost, base, name))
  return ratios.every((text) => text === "1.00") ? figures : `${figures} (${ratios.join(", ")})`
}

function goalTable(results: Results): string {
  const lines = judge(results).map(({ what, goal, reached, met }) => {
    const verdict = met === null ? "not measured" : met ? "yes" : "**no**"
    return `| ${what} | ${goal} | ${reached ?? ""} | ${verdict} |`
  })
  return ["| goal | | reached | |", "|---|---|---|---|", ...lines].join("\n")
}

function notes({ versions, settings, left }: Results): string {
  const named = Object.entries(versions).map(([peer, version]) => {
    const changed = settings[peer]
    return `${peer}: ${version}${changed ? ` (${changed})` : ""}`
  })
  const missing = left.length === 0 ? "" : ` Left out: ${left.join("; ")}.`
  return `As they come where nothing is said. ${named.join("; ")}.${missing}`
}

function ratio(cost: Cost, base: Cost | undefined, name: keyof Cost): string {
  const own = cost[name]
  const other = base?.[name]
  return own === null || !other ? "" : (own / other).toFixed(2)
}

function seconds(value: number): string {
  return value < 1 ? value.toFixed(3) : value.toFixed(2)
}

function megabytes(bytes: number | null): string {
  return bytes === null ? "" : (bytes / 1e6).toFixed(0)
}
