import { open } from "node:fs/promises"
import { errnoOf } from "./local-error.ts"

/**
 * A new name is on the disk once its directory is. Not every platform lets a directory be opened or synced, and there
 * it is left to itself.
 *
 * @throws the system call's failure.
 */
export async function syncDirectory(path: string): Promise<void> {
  try {
    await using directory = await open(path, "r")
    await directory.sync()
  } catch (error) {
    if (!["EISDIR", "EPERM", "EACCES", "EINVAL", "ENOTSUP"].includes(errnoOf(error) ?? "")) throw error
  }
}
