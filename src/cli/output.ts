import type { Paint } from "./color.ts"
import { type ErrorRecord, errorRecord, isBrokenPipe } from "./errors.ts"
import type { Io, OutputStream } from "./io.ts"
import { jsonLine, printable, printableLines, printableValue } from "./text.ts"

/** A line of output: printed as it is with `--json`, and as text made of it otherwise. */
export interface Line {
  readonly type: string
}

export interface OutputStyle {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly paint: Paint
}

/** Where everything the user reads goes through. */
export class Output {
  readonly #io: Pick<Io, "stdout" | "stderr">
  readonly #style: OutputStyle
  readonly #totals: Record<string, number> = {}
  #dataOnStdout = false
  #before: () => void = () => undefined

  constructor(io: Pick<Io, "stdout" | "stderr">, style: OutputStyle) {
    this.#io = io
    this.#style = style
  }

  get json(): boolean {
    return this.#style.json
  }

  get verbose(): boolean {
    return this.#style.verbose && !this.#style.quiet
  }

  /** `clear` is called before anything is written to a terminal, to take a progress bar away. */
  beforeWriting(clear: () => void): void {
    this.#before = clear
  }

  /** From here on standard output is for data, and lines go to standard error. */
  reserveStdout(): void {
    this.#dataOnStdout = true
  }

  /** What was asked for. @param text - of the line it is given: on a terminal, nothing in that can command it. */
  answer<T extends Line>(line: T, text: (line: T) => string): void {
    const stream = this.#dataOnStdout ? this.#io.stderr : this.#io.stdout
    if (this.json) this.#write(stream, `${jsonLine(line)}\n`)
    else if (stream.isTTY) this.#write(stream, `${printableLines(text(printableValue(line)))}\n`)
    else this.#write(stream, `${text(line)}\n`) // another program takes names as they are
  }

  /** What was done, which `--quiet` keeps from people. */
  report<T extends Line>(line: T, text: (line: T) => string): void {
    if (this.json || !this.#style.quiet) this.answer(line, text)
  }

  /** Something to know that changes nothing. */
  notice(message: string, hint?: string): void {
    if (this.json) this.#error({ type: "notice", message, hint: hint ?? null })
    else if (!this.#style.quiet) this.#say("", message, hint)
  }

  /** What an item of several, or the whole run, failed with. */
  failure(error: unknown, item?: string): ErrorRecord {
    const record = errorRecord(error, item)
    if (this.json) {
      this.#error(record)
    } else {
      if (record.stack !== undefined) this.#writeError(`${printableLines(record.stack)}\n`)
      this.#say("error", record.message, record.hint ?? undefined)
    }
    return record
  }

  /** Adds to what the summary will say. */
  count(name: string, amount: number): void {
    this.#totals[name] = (this.#totals[name] ?? 0) + amount
  }

  total(name: string): number {
    return this.#totals[name] ?? 0
  }

  /** The last line of a run with `--json`. */
  summary(command: string, exitCode: number): void {
    if (this.json) this.answer({ type: "summary", command, exitCode, ...this.#totals }, () => "")
  }

  /** A line on standard error, for `--json` only. */
  event(line: Line): void {
    if (this.json) this.#error(line)
  }

  #error(line: object): void {
    this.#writeError(`${jsonLine(line)}\n`)
  }

  #say(kind: "error" | "", message: string, hint?: string): void {
    const { paint } = this.#style
    const label = kind === "error" ? `${paint.error("error:")} ` : ""
    this.#writeError(`s3ep: ${label}${printable(message)}\n`)
    if (hint !== undefined) this.#writeError(`s3ep: ${paint.hint("hint:")} ${printable(hint)}\n`)
  }

  #writeError(text: string): void {
    this.#write(this.#io.stderr, text)
  }

  #write(stream: OutputStream, text: string): void {
    this.#before()
    if (!stream.destroyed && !stream.writableEnded) stream.write(text)
  }
}

/** Write data to standard output and wait while its reader is slow. */
export async function writeData(
  stdout: OutputStream,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const piece of pieces) {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const stop = () => reject(signal.reason) // a reader that takes nothing must not hold us up
      signal.addEventListener("abort", stop, { once: true })
      stdout.write(piece, (error) => {
        signal.removeEventListener("abort", stop)
        if (error) reject(error)
        else resolve()
      })
    })
  }
}

/** Once all that was written is out, or nobody takes it any more. */
export async function flushed(stream: OutputStream): Promise<void> {
  if (stream.destroyed) return
  await new Promise<void>((resolve) => {
    stream.write("", () => resolve())
  })
}

/** Aborted when the reader of a stream goes away. */
export function brokenPipeSignal(stream: OutputStream): AbortSignal {
  const controller = new AbortController()
  stream.on("error", (error: Error) => {
    if (!isBrokenPipe(error)) throw error
    controller.abort(error)
  })
  return controller.signal
}
