import { clearLine, cursorTo } from "node:readline"
import { type Options, Presets, SingleBar } from "cli-progress"
import type { OutputStream } from "./io.ts"
import { describeReading, type Reading } from "./meter.ts"
import { printable } from "./text.ts"

const BAR_COLUMNS = 24
/** Left free at the end of the line, for the ^C that a terminal shows: a bar that wrapped could not be taken away. */
const FREE_COLUMNS = 6
const MIN_BAR_COLUMNS = 6
const MIN_NAME_COLUMNS = 4

/** One line on a terminal that shows how far the work is: name, bar, bytes, rate, time left, parts, retries. */
export function createBar(stream: OutputStream, read: () => Reading): { draw(): void; clear(): void } {
  let bar: SingleBar | undefined
  const options: Options & { terminal: object } = {
    format: ({ barCompleteString = "", barIncompleteString = "" }, { progress }, { reading }) =>
      formatLine(reading, progress, barCompleteString, barIncompleteString, columns(stream)),
    terminal: terminalOf(stream),
    barsize: BAR_COLUMNS,
    clearOnComplete: true,
    gracefulExit: false, // signals have one place, and it is not here
    linewrap: true,
    forceRedraw: true,
    emptyOnZero: true,
  }
  const draw = () => {
    const reading = read()
    const { doneBytes, totalBytes } = reading
    // Work of unknown length has an empty bar of length one.
    const total = totalBytes ?? 1
    const done = totalBytes === undefined ? 0 : doneBytes
    if (bar === undefined) {
      bar = new SingleBar(options, Presets.shades_classic)
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

/**
 * What cli-progress draws with, in place of its own, which saves the cursor's place on the screen and goes back
 * to it: another place once the screen has scrolled.
 */
function terminalOf(stream: OutputStream) {
  const nothing = () => undefined
  return {
    cursorSave: nothing,
    cursorRestore: nothing,
    cursor: nothing,
    lineWrapping: nothing,
    cursorTo: (column: number) => cursorTo(stream, column),
    clearRight: () => clearLine(stream, 1),
    clearLine: () => clearLine(stream, 0),
    newline: () => stream.write("\n"),
    write: (text: string) => stream.write(text),
    isTTY: () => true,
    getWidth: () => columns(stream),
  }
}

function columns(stream: OutputStream): number {
  return (stream.columns ?? 80) - FREE_COLUMNS
}

function formatLine(reading: Reading, progress: number, full: string, empty: string, width: number): string {
  const known = reading.totalBytes !== undefined
  const percent = known ? `${String(Math.floor(Math.min(1, progress) * 100)).padStart(3)}% ` : ""
  const facts = `${percent}${describeReading(reading)}`
  const room = width - facts.length
  const name = shorten(reading.current ?? "", known ? Math.floor(room / 2) : room - 1)
  const columns = Math.min(BAR_COLUMNS, room - (name === "" ? 1 : name.length + 2))
  const done = Math.round(Math.min(1, progress) * columns)
  const gauge = `${full.slice(0, done)}${empty.slice(0, columns - done)}`
  const shown = [name, known && columns >= MIN_BAR_COLUMNS ? gauge : "", facts].filter((part) => part !== "")
  return shown.join(" ").slice(0, width)
}

function shorten(name: string, room: number): string {
  if (room < MIN_NAME_COLUMNS) return ""
  const plain = printable(name)
  return plain.length <= room ? plain : `…${plain.slice(plain.length - room + 1)}`
}
