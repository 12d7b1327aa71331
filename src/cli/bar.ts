import { Presets, SingleBar } from "cli-progress"
import type { OutputStream } from "./io.ts"
import { describeReading, type Reading } from "./meter.ts"

const BAR_COLUMNS = 24
const MIN_NAME_COLUMNS = 8

/** One line on a terminal that shows how far the work is: name, bar, bytes, rate, time left, parts, retries. */
export function createBar(stream: OutputStream, read: () => Reading): { draw(): void; clear(): void } {
  let bar: SingleBar | undefined
  const draw = () => {
    const reading = read()
    const { doneBytes, totalBytes } = reading
    // Work of unknown length has an empty bar of length one.
    const total = totalBytes ?? 1
    const done = totalBytes === undefined ? 0 : doneBytes
    if (bar === undefined) {
      bar = new SingleBar(
        {
          format: (options, { progress }, { reading }) =>
            formatLine(
              reading,
              progress,
              options.barCompleteString ?? "",
              options.barIncompleteString ?? "",
              columns(stream),
            ),
          stream,
          barsize: BAR_COLUMNS,
          clearOnComplete: true,
          hideCursor: false,
          linewrap: true,
          forceRedraw: true,
          emptyOnZero: true,
        },
        Presets.shades_classic,
      )
      bar.start(total, done, { reading })
    } else {
      bar.setTotal(total)
      bar.update(done, { reading })
    }
  }
  const clear = () => {
    bar?.stop()
    bar = undefined
  }
  return { draw, clear }
}

function columns(stream: OutputStream): number {
  return stream.columns ?? 80
}

function formatLine(reading: Reading, progress: number, full: string, empty: string, width: number): string {
  const done = Math.round(Math.min(1, progress) * BAR_COLUMNS)
  const known = reading.totalBytes !== undefined
  const gauge = known ? `${full.slice(0, done)}${empty.slice(0, BAR_COLUMNS - done)} ` : ""
  const percent = known ? `${String(Math.floor(Math.min(1, progress) * 100)).padStart(3)}% ` : ""
  const facts = `${percent}${describeReading(reading)}`
  const room = width - 1 - facts.length
  const name = reading.current === undefined ? "" : shorten(reading.current, room - (gauge.length + 1))
  const line = `${name === "" ? "" : `${name} `}${room > gauge.length ? gauge : ""}${facts}`
  return line.slice(0, width - 1)
}

function shorten(name: string, room: number): string {
  if (room < MIN_NAME_COLUMNS) return ""
  const plain = name.replace(/\p{Cc}/gu, "?")
  return plain.length <= room ? plain : `…${plain.slice(plain.length - room + 1)}`
}
