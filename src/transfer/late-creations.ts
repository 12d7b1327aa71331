import { readdir } from "node:fs/promises"
import { S3epError } from "../errors.ts"
import { lstatIfAny } from "../files/calls.ts"
import type { TransferContext } from "./context.ts"
import { Creations, creationsPath } from "./creations.ts"
import { journalPath, lockPath, uploadsDirectory } from "./journal.ts"
import { acquireLock } from "./lock.ts"

/**
 * Look once more for uploads that requests without an answer have made since the upload they were for is done: a
 * service may carry out what a process had sent that was killed when the next one is through.
 *
 * Whatever is in the way is left for another time, and nobody's reason to fail.
 *
 * @param forgetBefore - records of requests sent before are removed, even where nothing is known to look with.
 */
export async function settleCreations(
  context: TransferContext,
  forgetBefore = Number.NEGATIVE_INFINITY,
): Promise<void> {
  const names = await readdir(uploadsDirectory(context.stateDirectory)).catch(() => [])
  for (const name of names) {
    const [, id] = /^([0-9a-f]{16})\.creating$/.exec(name) ?? []
    if (id !== undefined) await settle(context, id, forgetBefore)
  }
}

async function settle(context: TransferContext, id: string, forgetBefore: number): Promise<void> {
  const { stateDirectory, signal, random } = context
  signal.throwIfAborted()
  const path = creationsPath(stateDirectory, id)
  try {
    // While the lock is held, another process would be told that the upload is being worked on.
    if (!(await Creations.open(path)).isDue(context, forgetBefore)) return
    await using _ = await acquireLock(lockPath(stateDirectory, id), `upload ${id}`, random)
    // The run that goes on with it has its own upload to compare with.
    if (await lstatIfAny(journalPath(stateDirectory, id))) return
    const creations = await Creations.open(path)
    await creations.abortLateStrays(context, forgetBefore)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof S3epError)) throw error
  }
}
