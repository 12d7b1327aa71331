import { mkdir, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { errnoOf } from "./local-error.ts"

/**
 * Make a directory, and those above it that are missing; one that is there is fine. Node's own way of doing so says
 * ENOENT where the file system is read-only.
 *
 * @param mode - of those that are made.
 * @throws the system call's failure.
 */
export async function makeDirectories(path: string, mode = 0o777): Promise<void> {
  const failure = await make(path, mode)
  if (failure === null) return
  if (errnoOf(failure) !== "ENOENT" || dirname(path) === path) throw failure
  await makeDirectories(dirname(path), mode)
  const again = await make(path, mode)
  if (again !== null) throw again
}

/** @returns why it is not there and cannot be made; null if it is there. */
async function make(path: string, mode: number): Promise<unknown> {
  try {
    await mkdir(path, { mode })
    return null
  } catch (error) {
    // A read-only file system says so of directories that are there, too.
    return (await isDirectory(path)) ? null : error
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
