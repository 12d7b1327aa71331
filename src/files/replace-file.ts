import { randomUUID } from "node:crypto"
import { open, readdir, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { errnoOf } from "./local-error.ts"
import { makeDirectories } from "./make-directories.ts"
import { syncDirectory } from "./sync-directory.ts"

/**
 * Write a small file that several processes may write at once, whole or not at all: it is on the disk, under its name,
 * when this returns, and what processes that were killed left beside it is gone.
 *
 * @throws the system call's failure.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  await makeDirectories(dirname(path), 0o700)
  const beside = `${path}.${process.pid}.${randomUUID()}`
  try {
    await using file = await open(beside, "wx", 0o600)
    await file.writeFile(text)
    await file.sync()
    await rename(beside, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined)
    throw error
  }
  await sweepBeside(path)
}

async function sweepBeside(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`)) continue
    const [, pid] = /^(\d+)\.[0-9a-f-]{36}$/.exec(name.slice(basename(path).length + 1)) ?? []
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(dirname(path), name), { force: true })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === "EPERM"
  }
}
