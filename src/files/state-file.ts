import { type FileHandle, open, rename, unlink } from "node:fs/promises"
import { dirname } from "node:path"
import { errnoOf, localError } from "./local-error.ts"
import { makeDirectories } from "./make-directories.ts"
import { syncDirectory } from "./sync-directory.ts"

/**
 * Write a file that one process at a time writes, whole or not at all: it is on the disk, under its name, when this
 * returns.
 *
 * @throws {LocalIoError} if it cannot be written.
 */
export async function writeStateFile(path: string, text: string): Promise<void> {
  const beside = besideOf(path)
  try {
    await makeDirectories(dirname(path), 0o700)
    const file: FileHandle = await open(beside, "w", 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    throw localError("write", path, error)
  }
}

/** Remove a file of the state directory, and what writing it may have left; nothing there is fine. */
export async function removeStateFile(path: string): Promise<void> {
  // In this order: a crash in between leaves what somebody will look for.
  for (const each of [besideOf(path), path]) {
    try {
      await unlink(each)
      await syncDirectory(dirname(each))
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw localError("write", each, error)
    }
  }
}

// One name for all: whoever writes next replaces what a crash has left of the one before.
function besideOf(path: string): string {
  return `${path}.new`
}
