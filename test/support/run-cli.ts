import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough, Readable, Writable } from "node:stream"
import type { InputStream, Io, OutputStream, StopSignal } from "../../src/cli/io.ts"
import { run } from "../../src/cli/run.ts"
import { KeyMissingError } from "../../src/errors.ts"
import type { Keychain } from "../../src/keys/keychain.ts"
import type { ObjectStore } from "../../src/store/store.ts"

/** A home of its own, so that no setting of the machine and no state of another test reaches the program. */
export interface Home extends AsyncDisposable {
  readonly directory: string
  path(name: string): string
}

export async function openHome(): Promise<Home> {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-cli-"))
  return {
    directory,
    path: (name) => join(directory, name),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

export interface RunOptions {
  readonly home: Home
  /** Instead of the store the settings name. */
  readonly store?: ObjectStore | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Instead of the system's, which is not there if not given. */
  readonly keychain?: Keychain | undefined
  /** What standard input holds; nothing if not given. */
  readonly stdin?: Uint8Array | InputStream | undefined
  readonly stdout?: OutputStream | undefined
  readonly stderr?: OutputStream | undefined
  /** Milliseconds since 1970, at all times. */
  readonly now?: number | undefined
  /** How the program waits; it never comes back if not given, which suits progress and the grace of a signal. */
  readonly delay?: Io["clock"]["delay"] | undefined
  /** Sends signals to the program. */
  readonly signals?: SignalSender | undefined
  /** Called where the process would end at once. */
  readonly exit?: ((status: number) => void) | undefined
}

/** What a shell would see. */
export interface Run {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  /** Standard output as it is. */
  readonly data: Buffer
  /** The JSON lines of standard output. */
  readonly lines: Record<string, unknown>[]
  /** The JSON lines of standard error. */
  readonly events: Record<string, unknown>[]
}

/** Run a command line in this process. */
export async function runCli(argv: readonly string[], options: RunOptions): Promise<Run> {
  const stdout = new Collector()
  const stderr = new Collector()
  const { store, home, now = Date.parse("2026-03-01T12:00:00Z") } = options
  const io: Io = {
    stdin: inputOf(options.stdin),
    stdout: options.stdout ?? stdout,
    stderr: options.stderr ?? stderr,
    env: { XDG_CONFIG_HOME: home.path("config"), XDG_STATE_HOME: home.path("state"), ...options.env },
    cwd: home.directory,
    homeDirectory: home.directory,
    clock: { now: () => now, delay: options.delay ?? waitForAbort },
    onSignal: (handler) => options.signals?.connect(handler) ?? (() => undefined),
    exit: options.exit ?? unexpectedExit,
    openKeychain: async () => options.keychain ?? noKeychain(),
    ...(store ? { openStore: async () => store } : {}),
  }
  const status = await run(argv, io)
  return {
    status,
    stdout: stdout.text(),
    stderr: stderr.text(),
    data: stdout.data(),
    get lines() {
      return parseLines(stdout.text())
    },
    get events() {
      return parseLines(stderr.text())
    },
  }
}

export class SignalSender {
  #handler: ((signal: StopSignal) => void) | undefined

  connect(handler: (signal: StopSignal) => void): () => void {
    this.#handler = handler
    return () => {
      this.#handler = undefined
    }
  }

  send(signal: StopSignal): void {
    this.#handler?.(signal)
  }
}

/** Keeps what is written to it. */
export class Collector extends Writable {
  readonly #pieces: Buffer[] = []
  readonly isTTY: boolean
  readonly columns = 100

  constructor({ isTTY = false }: { isTTY?: boolean } = {}) {
    super()
    this.isTTY = isTTY
  }

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.#pieces.push(Buffer.from(piece))
    done()
  }

  data(): Buffer {
    return Buffer.concat(this.#pieces)
  }

  text(): string {
    return this.data().toString()
  }
}

/** A keyboard: what is typed comes in one piece after each prompt. */
export class Keyboard extends PassThrough {
  readonly isTTY = true
  readonly rawModes: boolean[] = []

  setRawMode(raw: boolean): void {
    this.rawModes.push(raw)
  }
}

function inputOf(given: Uint8Array | InputStream | undefined): InputStream {
  return given instanceof Readable ? given : Readable.from(given?.length ? [Buffer.from(given)] : [])
}

function waitForAbort(_milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    if (signal?.aborted) reject(signal.reason)
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true })
  })
}

function noKeychain(): never {
  throw new KeyMissingError("cannot use the system keychain: a test has none")
}

function unexpectedExit(status: number): void {
  throw new Error(`the process would have ended at once, with status ${status}`)
}

function parseLines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
}
