import { homedir } from "node:os"
import type { Readable, Writable } from "node:stream"
import { setTimeout as delay } from "node:timers/promises"
import type { Environment } from "../config/environment.ts"
import type { RandomSource } from "../crypto/secret.ts"
import type { Keychain } from "../keys/keychain.ts"
import type { ObjectStore } from "../store/store.ts"
import type { Clock } from "../transfer/context.ts"

export interface InputStream extends Readable {
  isTTY?: boolean
  setRawMode?: (raw: boolean) => unknown
}

export interface OutputStream extends Writable {
  isTTY?: boolean
  columns?: number
}

export type StopSignal = "SIGINT" | "SIGTERM"

/** Everything a run of the program touches besides files and the network, so that tests can stand in for it. */
export interface Io {
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly env: Environment
  readonly cwd: string
  readonly homeDirectory: string
  readonly clock: Clock
  /** Calls back for each signal; the result takes the handler away again. */
  readonly onSignal: (handler: (signal: StopSignal) => void) => () => void
  /** Ends the process at once. */
  readonly exit: (status: number) => void
  /** Instead of the system's. */
  readonly random?: RandomSource
  /** Instead of the S3 store; retried like it. */
  readonly openStore?: () => Promise<ObjectStore>
  /** Instead of the system's keychain. */
  readonly openKeychain?: () => Promise<Keychain>
}

export const systemClock: Clock = {
  now: Date.now,
  async delay(milliseconds, signal) {
    try {
      await delay(milliseconds, undefined, { signal })
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  },
}

/** The process itself. */
export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    homeDirectory: homedir(),
    clock: systemClock,
    onSignal(handler) {
      const signals = ["SIGINT", "SIGTERM"] as const
      for (const signal of signals) process.on(signal, handler)
      return () => {
        for (const signal of signals) process.off(signal, handler)
      }
    },
    exit: (status) => process.exit(status),
  }
}
