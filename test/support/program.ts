import { type ChildProcess, spawn } from "node:child_process"
import { createCipheriv, randomBytes } from "node:crypto"
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const LAUNCHER = fileURLToPath(new URL("../../bin/s3ep.js", import.meta.url))
const NONCE_RECORDER = new URL("./nonce-recorder.mjs", import.meta.url).href

/**
 * A home of its own for the program under test: no setting or state of the machine reaches it. Disposing of it fails
 * if any two of its runs, or one, have used a key and a nonce twice.
 */
export interface Workspace extends AsyncDisposable {
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
  path(name: string): string
  /** Digests of all (key, nonce) pairs that ciphers were created with, over all runs in this workspace. */
  noncePairs(): Promise<string[]>
}

export async function openWorkspace(env: Readonly<Record<string, string>>): Promise<Workspace> {
  const directory = await mkdtemp(join(tmpdir(), "s3ep-test-"))
  const nonceLog = join(directory, "nonces.log")
  const noncePairs = async () => {
    const text = await readFile(nonceLog, "utf8").catch(() => "") // nothing was encrypted
    return text === "" ? [] : text.trimEnd().split("\n")
  }
  return {
    directory,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: directory,
      XDG_CONFIG_HOME: join(directory, "config"),
      XDG_STATE_HOME: join(directory, "state"),
      AWS_EC2_METADATA_DISABLED: "true",
      NODE_OPTIONS: `--import=${NONCE_RECORDER}`,
      S3EP_TEST_NONCE_LOG: nonceLog,
      ...env,
    },
    path: (name) => join(directory, name),
    noncePairs,
    async [Symbol.asyncDispose]() {
      const pairs = await noncePairs()
      await rm(directory, { recursive: true, force: true })
      if (new Set(pairs).size < pairs.length) throw new Error("a key and a nonce were used twice")
    },
  }
}

export interface Finished {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly stdin?: Uint8Array | undefined
  readonly cwd?: string | undefined
}

/** Start `s3ep ARGS` as a user would, in a process of its own. */
export function start(workspace: Workspace, args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    cwd: options.cwd ?? workspace.directory,
    env: { ...workspace.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  })
  const stdout: Buffer[] = []
  let stderr = ""
  child.stdout.on("data", (piece: Buffer) => stdout.push(piece))
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  // A program that exits early closes its standard input under us; its status tells the story.
  child.stdin.on("error", () => undefined)
  child.stdin.end(options.stdin ?? new Uint8Array())
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (status, signal) => resolve({ status, signal, stdout: Buffer.concat(stdout), stderr }))
  })
  return { child, finished }
}

/** Run `s3ep ARGS` to its end. */
export function run(
  workspace: Workspace,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  return start(workspace, args, options).finished
}

/** How many parts the one upload journal of the workspace records as finished; 0 while there is no journal. */
export async function journaledParts(workspace: Workspace): Promise<number> {
  const directory = join(workspace.directory, "state", "s3ep", "uploads")
  const names = await readdir(directory).catch(() => [])
  const journal = names.find((name) => name.endsWith(".jsonl"))
  if (!journal) return 0
  const text = await readFile(join(directory, journal), "utf8").catch(() => "")
  return text.split("\n").filter((line) => line.startsWith('{"part"')).length
}

/** Wait until the upload has at least so many parts behind it, or the program ended. */
export async function untilParts(workspace: Workspace, running: Running, parts: number): Promise<number> {
  let ended = false
  void running.finished.finally(() => {
    ended = true
  })
  for (;;) {
    const done = await journaledParts(workspace)
    if (done >= parts || ended) return done
    await delay(2)
  }
}

/** Write a file of bytes that do not compress, quickly. */
export async function writeRandomFile(path: string, bytes: number): Promise<void> {
  const keystream = createCipheriv("aes-128-ctr", randomBytes(16), randomBytes(16))
  const zeros = Buffer.alloc(1024 * 1024)
  const file = await open(path, "w")
  try {
    for (let left = bytes; left > 0; left -= zeros.length) {
      await file.write(keystream.update(zeros.subarray(0, Math.min(left, zeros.length))))
    }
  } finally {
    await file.close()
  }
}
