import { onTestFinished } from "vitest"
import { base64 } from "../../src/bytes.ts"
import { MemoryStore, type MemoryStoreOptions } from "../support/memory-store.ts"
import { type Home, openHome, type Run, type RunOptions, runCli } from "../support/run-cli.ts"

/** A KEK as `S3EP_KEK` takes it. */
export const KEK = base64(new Uint8Array(32).fill(7))

export interface CliSite {
  readonly home: Home
  readonly store: MemoryStore
  /** Runs a command line with a key, and the store in memory. */
  run(argv: readonly string[], options?: Partial<RunOptions>): Promise<Run>
  /** The same, and it has to succeed. */
  succeed(argv: readonly string[], options?: Partial<RunOptions>): Promise<Run>
}

/** A home and a store of the test's own; the home is removed when the test is over. */
export async function openCliSite(options: MemoryStoreOptions = {}): Promise<CliSite> {
  const home = await openHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  const store = new MemoryStore(options)
  const run: CliSite["run"] = (argv, { env, ...rest } = {}) =>
    runCli(argv, { home, store, env: { S3EP_KEK: KEK, ...env }, ...rest })
  return {
    home,
    store,
    run,
    async succeed(argv, options) {
      const result = await run(argv, options)
      if (result.status !== 0) throw new Error(`status ${result.status}: ${result.stderr}`)
      return result
    },
  }
}
