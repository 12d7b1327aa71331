import type { TransferContext } from "../transfer/context.ts"
import { existsAlready, inspectTarget, ReplacementFile, temporaryPath } from "../transfer/replace.ts"
import { writePieces } from "../transfer/write-pieces.ts"
import { writeInOrder } from "../transfer/write-stream.ts"

/**
 * Write a stream to a file, which gets its name only once all is in it; to a pipe or a device as it comes.
 *
 * @returns what was written to: symbolic links resolved.
 * @throws {PreconditionError} if the file exists and may not be replaced; {LocalIoError} if it cannot be written.
 */
export async function deliverToFile(
  { random, signal }: Pick<TransferContext, "random" | "signal">,
  pieces: AsyncIterable<Uint8Array>,
  path: string,
  overwrite: boolean,
): Promise<string> {
  const found = await inspectTarget(path)
  if (found.kind === "stream") {
    await writeInOrder(found.path, pieces)
    return found.path
  }
  if (found.kind === "directory" || (found.existing && !overwrite)) throw existsAlready(found.path)
  const file = await ReplacementFile.create(found.path, temporaryPath(found.path, random))
  try {
    await writePieces(file, 0, pieces, () => signal.throwIfAborted())
    signal.throwIfAborted()
    await file.finish({ overwrite })
  } catch (error) {
    await file.discard()
    throw error
  }
  return found.path
}

/** Passes pieces on and counts their bytes. */
export function counting(pieces: AsyncIterable<Uint8Array>): {
  readonly pieces: AsyncIterable<Uint8Array>
  readonly bytes: () => number
} {
  let bytes = 0
  const passing = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of pieces) {
      bytes += piece.length
      yield piece
    }
  }
  return { pieces: passing(), bytes: () => bytes }
}
