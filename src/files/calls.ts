import { lstatSync, renameSync, type Stats, statSync } from "node:fs"
import { lstat, rename, stat } from "node:fs/promises"
import { errnoOf } from "./local-error.ts"

/** What is copied from and to the page cache in less time than handing it over takes. */
export const SMALL_BYTES = 65_536
/** From which mean on calls wait for something, instead of looking into memory. */
const WAITING_MS = 0.25
/** What a call counts for at most: one that took long says little of the next ones. */
const LONGEST_MS = 2
/** Calls that the mean is of, about. */
const CALLS = 32
/** Of those that are handed over one in so many is not, to see how it fares. */
const PROBED = 32
/** A sync that waits for a disk takes longer than most. */
const SYNCS_PROBED = 256

/**
 * Decides where system calls are made that as a rule only touch memory. Handing one to the thread pool costs ten times
 * as much as making it, which is most of what a small file costs; but on a disk that is slow to be read, or a file
 * system of the network's, they wait, and everything would wait for them.
 */
export class Calls {
  readonly #now: () => number
  readonly #probed: number
  #meanMs = 0
  #handedOver = 0

  /**
   * @param now - milliseconds since whenever.
   * @param probed - how many are handed over for each that is not.
   */
  constructor(now: () => number = () => performance.now(), probed = PROBED) {
    this.#now = now
    this.#probed = probed
  }

  /** Whether calls are made where we are. */
  get areQuick(): boolean {
    return this.#meanMs <= WAITING_MS
  }

  /**
   * Make a call, here or in the pool.
   *
   * @throws what the call does, or the promise is rejected with it.
   */
  make<T>(here: () => T, inPool: () => Promise<T>): T | Promise<T> {
    if (!this.areQuick && ++this.#handedOver % this.#probed > 0) return inPool()
    const begun = this.#now()
    try {
      return here()
    } finally {
      this.#meanMs += (Math.min(this.#now() - begun, LONGEST_MS) - this.#meanMs) / CALLS
    }
  }
}

/** Of the whole process: what one file system does to a run, another one has to bear with. */
export const calls = new Calls()
/** Those that bring a file to the disk: in memory, and on some disks, there is nothing to wait for. */
export const syncs = new Calls(() => performance.now(), SYNCS_PROBED)

/** What has a name, symbolic links not followed; null if nothing has. @throws the system call's failure. */
export async function lstatIfAny(path: string): Promise<Stats | null> {
  const found = await calls.make(
    () => lstatSync(path, { throwIfNoEntry: false }),
    () =>
      lstat(path).catch((error: unknown) => {
        if (errnoOf(error) !== "ENOENT") throw error
        return undefined
      }),
  )
  return found ?? null
}

/** @throws the system call's failure. */
export async function statFile(path: string): Promise<Stats> {
  return calls.make(
    () => statSync(path),
    () => stat(path),
  )
}

/** @throws the system call's failure. */
export async function renameFile(from: string, to: string): Promise<void> {
  return calls.make(
    () => renameSync(from, to),
    () => rename(from, to),
  )
}
