import { medianCost, type Results, type Row } from "./results.ts"

const WIDTH = 900
const LABEL_WIDTH = 210
const FIGURE_WIDTH = 150
const BAR_HEIGHT = 9
const ROW_HEIGHT = 26
const TITLE_HEIGHT = 40
const OURS = "#0b6e4f"
const ENCRYPTING = "#3d5a80"
const PLAIN = "#a9b4c2"

/** Bars for each kind of work: wall time above, CPU seconds below it, paler. */
export function drawChart({ rows, machine, server }: Results): string {
  const groups = Map.groupBy(rows, ({ transport, work }) => `${work}, over ${transport.toUpperCase()}`)
  let y = TITLE_HEIGHT
  const panels: string[] = []
  for (const [title, members] of groups) {
    panels.push(text(10, y + 18, title, 'font-weight="bold"'))
    y += 28
    panels.push(...panel(members, y))
    y += members.length * ROW_HEIGHT + 14
  }
  const legend = "upper bar: wall seconds; lower, paler: CPU seconds; green: s3ep, blue: others that encrypt"
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 10}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${y + 10}" fill="white"/>`,
    text(10, 18, `${machine}; ${server}`, 'fill="#555"'),
    text(10, 34, legend, 'fill="#555"'),
    ...panels,
    "</svg>",
    "",
  ].join("\n")
}

function panel(rows: readonly Row[], top: number): string[] {
  const costs = rows.map((row) => ({ row, cost: medianCost(row.runs) }))
  const most = Math.max(...costs.flatMap(({ cost }) => [cost.wallSeconds, cost.cpuSeconds]), Number.EPSILON)
  const scale = (WIDTH - LABEL_WIDTH - FIGURE_WIDTH) / most
  return costs.flatMap(({ row, cost }, index) => {
    const y = top + index * ROW_HEIGHT
    const colour = row.peer.startsWith("s3ep") ? OURS : row.encrypts ? ENCRYPTING : PLAIN
    const wall = cost.wallSeconds * scale
    const cpu = cost.cpuSeconds * scale
    const memory = cost.peakBytes === null ? "" : `, ${(cost.peakBytes / 1e6).toFixed(0)} MB`
    const figures = `${cost.wallSeconds.toFixed(2)} s, ${cost.cpuSeconds.toFixed(2)} CPU s${memory}`
    return [
      text(LABEL_WIDTH - 8, y + 14, row.peer, 'text-anchor="end"'),
      bar(y, wall, colour, 1),
      bar(y + BAR_HEIGHT + 1, cpu, colour, 0.5),
      text(LABEL_WIDTH + Math.max(wall, cpu) + 6, y + 14, figures, 'font-size="10" fill="#333"'),
    ]
  })
}

function bar(y: number, width: number, colour: string, opacity: number): string {
  const shown = width.toFixed(1)
  return `<rect x="${LABEL_WIDTH}" y="${y}" width="${shown}" height="${BAR_HEIGHT}" fill="${colour}" opacity="${opacity}"/>`
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escaped}</text>`
}
