import { readdir, readFile, unlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { errnoOf, localError } from "../files/local-error.ts"
import { makeDirectories } from "../files/make-directories.ts"
import type { TransferContext } from "./context.ts"
import { isAlive, ownerHere, type ProcessTable, parseOwner } from "./lock.ts"
import { isTemporaryPath, lstatIfAny } from "./replace.ts"

type Context = Pick<TransferContext, "stateDirectory" | "random">

/**
 * Put a temporary file on record before it is made, so that the run after a SIGKILL can remove it. Disposing of the
 * record says that the file is gone, or that something else knows of it now.
 *
 * @param path - from `temporaryPath`.
 * @throws {LocalIoError} if the record cannot be written.
 */
export async function recordTemporary(
  { stateDirectory, random }: Context,
  path: string,
): Promise<AsyncDisposable> {
  const directory = directoryOf(stateDirectory)
  const owner = ownerHere(random)
  const record = join(directory, `${owner.nonce}.json`)
  try {
    await makeDirectories(directory, 0o700)
    await writeFile(record, JSON.stringify({ ...owner, path }), { flag: "wx", mode: 0o600 })
  } catch (error) {
    throw localError("write", record, error)
  }
  return { [Symbol.asyncDispose]: () => unlinkIfAny(record) }
}

/** Remove the temporary files on record whose process is dead. What cannot be looked at is left for another run. */
export async function sweepTemporaries(
  { stateDirectory }: Pick<TransferContext, "stateDirectory">,
  processes?: ProcessTable,
): Promise<void> {
  const directory = directoryOf(stateDirectory)
  const names = await readdir(directory).catch(() => [])
  for (const name of names) {
    await sweep(join(directory, name), processes).catch(() => undefined)
  }
}

async function sweep(record: string, processes: ProcessTable | undefined): Promise<void> {
  const text = await readFile(record, "utf8")
  const owner = parseOwner(text)
  if (owner && isAlive(owner, processes)) return
  // A record that was cut is of a file that was never made: the record comes first.
  const path: unknown = owner ? JSON.parse(text).path : null
  if (typeof path === "string" && isTemporaryPath(path) && (await lstatIfAny(path))?.isFile()) {
    await unlinkIfAny(path)
  }
  await unlinkIfAny(record)
}

function directoryOf(stateDirectory: string): string {
  return join(stateDirectory, "temporaries")
}

async function unlinkIfAny(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOENT") throw error
  })
}
