import { readFileSync } from "node:fs"
import { type FileHandle, link, open, readdir, readFile, rename, unlink } from "node:fs/promises"
import { hostname } from "node:os"
import { basename, dirname, join } from "node:path"
import { hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import type { RandomSource } from "../crypto/secret.ts"
import { PreconditionError } from "../errors.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import { makeDirectories } from "../files/make-directories.ts"

/** Who holds a lock, and how to tell whether they still live. */
export interface LockOwner {
  readonly pid: number
  /** Clock ticks after boot, where the system says: a process id is given out again. */
  readonly started: string | null
  readonly host: string
  /** A pid of before the last boot is nobody's. */
  readonly boot: string | null
  /** Tells this lock from every other one. */
  readonly nonce: string
}

/** How a process looks at others; injected for tests. */
export interface ProcessTable {
  readonly pid: number
  readonly host: string
  readonly boot: string | null
  /** @returns null if there is no such process; "" if nobody can say when it started. */
  startOf(pid: number): string | null
}

/** Held until disposed of. */
export interface Lock extends AsyncDisposable {
  readonly owner: LockOwner
}

/**
 * Take a lock: a file that only one process can make. One whose owner is dead is taken over, by exactly one of
 * those that try.
 *
 * @param what - what is locked, for the message.
 * @throws {PreconditionError} if a living process holds it.
 * @throws {LocalIoError} if the file cannot be made.
 */
export async function acquireLock(
  path: string,
  what: string,
  random: RandomSource,
  processes: ProcessTable = systemProcesses,
): Promise<Lock> {
  try {
    await makeDirectories(dirname(path), 0o700)
    const lock = await acquire(path, what, random, processes)
    await sweepBeside(path, processes)
    return lock
  } catch (error) {
    throw localError("write", path, error)
  }
}

// Who died while taking the lock has left files that nobody else will look at: nothing depends on them while it is held.
async function sweepBeside(path: string, processes: ProcessTable): Promise<void> {
  const names = await readdir(dirname(path)).catch(() => [])
  for (const name of names.filter((other) => other.startsWith(`${basename(path)}.`))) {
    const beside = join(dirname(path), name)
    const left = await readLock(beside).catch(() => null)
    const dead = left?.owner ? !isAlive(left.owner, processes) : left && isOfDead(name, processes)
    if (dead) await unlinkIfAny(beside).catch(() => undefined)
  }
}

/** A name for a file of its owner's. Who makes one may die before its first byte: then this alone says whose it was. */
export function ownersPath(path: string, { pid, host, nonce }: LockOwner): string {
  return `${path}.${pid}-${hostTag(host)}.${nonce}`
}

/** Whether a name is one of `ownersPath`, and its owner dead. */
export function isOfDead(name: string, processes: ProcessTable = systemProcesses): boolean {
  const [, pid, host] = /\.(\d+)-([0-9a-f]{8})\.[0-9a-f]{16}$/.exec(name) ?? []
  return host === hostTag(processes.host) && processes.startOf(Number(pid)) === null
}

function hostTag(host: string): string {
  return hex(sha256(utf8(host))).slice(0, 8)
}

/** @returns who holds the lock now, or null if nobody alive does. */
export async function lockHolder(
  path: string,
  processes: ProcessTable = systemProcesses,
): Promise<LockOwner | null> {
  const held = await readLock(path)
  return held?.owner && isAlive(held.owner, processes) ? held.owner : null
}

/** This process, as the owner of something new. */
export function ownerHere(random: RandomSource, processes: ProcessTable = systemProcesses): LockOwner {
  const { pid, host, boot } = processes
  return { pid, started: processes.startOf(pid), host, boot, nonce: hex(random(8)) }
}

async function acquire(
  path: string,
  what: string,
  random: RandomSource,
  processes: ProcessTable,
): Promise<Lock> {
  const owner = ownerHere(random, processes)
  const beside = ownersPath(path, owner)
  await writeSynced(beside, JSON.stringify(owner))
  try {
    for (;;) {
      if (await linked(beside, path)) return held(path, owner)
      const found = await readLock(path)
      if (!found) continue // released meanwhile
      if (found.owner && isAlive(found.owner, processes)) throw inUse(path, what, found.owner)
      // Whoever may replace this dead lock is decided by a lock of its own, named after it.
      await using _claim = await acquire(`${path}.after-${found.nonce}`, what, random, processes)
      if ((await readLock(path))?.nonce !== found.nonce) continue
      await rename(beside, path)
      return held(path, owner)
    }
  } finally {
    await unlinkIfAny(beside)
  }
}

function held(path: string, owner: LockOwner): Lock {
  return {
    owner,
    [Symbol.asyncDispose]: async () => {
      try {
        if ((await readLock(path))?.nonce === owner.nonce) await unlinkIfAny(path)
      } catch (error) {
        throw localError("write", path, error)
      }
    },
  }
}

// A lock is linked to its name only once it is whole, so one that cannot be read was left by a crash of the system.
async function readLock(path: string): Promise<{ owner: LockOwner | null; nonce: string } | null> {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null
    throw error
  }
  const owner = parseOwner(text)
  return { owner, nonce: owner?.nonce ?? hex(sha256(utf8(text))).slice(0, 16) }
}

/** @returns null if it is no owner written as JSON. */
export function parseOwner(text: string): LockOwner | null {
  try {
    const { pid, started, host, boot, nonce } = JSON.parse(text)
    const readable =
      Number.isSafeInteger(pid) && pid > 0 && typeof host === "string" && /^[0-9a-f]{16}$/.test(nonce)
    return readable ? { pid, started: textOrNull(started), host, boot: textOrNull(boot), nonce } : null
  } catch {
    return null
  }
}

/** Whether an owner may still be at work. */
export function isAlive(owner: LockOwner, processes: ProcessTable = systemProcesses): boolean {
  if (owner.host !== processes.host) return true // nobody here can say
  if (owner.boot !== null && processes.boot !== null && owner.boot !== processes.boot) return false
  const started = processes.startOf(owner.pid)
  if (started === null) return false
  return started === "" || !owner.started || started === owner.started
}

function inUse(path: string, what: string, owner: LockOwner): PreconditionError {
  const elsewhere = owner.host === hostname() ? "" : ` on ${owner.host}`
  return new PreconditionError(`${what} is being worked on by process ${owner.pid}${elsewhere}`, {
    hint: elsewhere
      ? `if that process is gone, remove ${path}`
      : "wait for it to end, or stop it: what it has done is kept",
  })
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false
    throw error
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file: FileHandle = await open(path, "wx", 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function unlinkIfAny(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null
}

let ownStart: string | null = null

const systemProcesses: ProcessTable = {
  pid: process.pid,
  host: hostname(),
  boot: readIfAny("/proc/sys/kernel/random/boot_id")?.trim() ?? null,
  startOf(pid) {
    if (pid !== process.pid) return startOf(pid)
    ownStart ??= startOf(pid) // asked for each file of a tree
    return ownStart
  },
}

function startOf(pid: number): string | null {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (errnoOf(error) !== "EPERM") return null
  }
  const stat = readIfAny(`/proc/${pid}/stat`)
  // proc(5): fields 3, the state, and 22; the second one, a name in parentheses, may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")
  return fields?.[0] === "Z" ? null : (fields?.[19] ?? "")
}

function readIfAny(path: string): string | null {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return null
  }
}
