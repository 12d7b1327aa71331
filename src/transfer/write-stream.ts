import { constants } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { localError } from "../files/local-error.ts"

/**
 * Write to a pipe or a device, in order, as fast as it takes it.
 *
 * @throws {LocalIoError} if it cannot be written to; whatever `pieces` throws, unchanged.
 */
export async function writeInOrder(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const input = pieces[Symbol.asyncIterator]()
  let file: FileHandle | undefined
  try {
    // At once, so that whoever reads a pipe learns of an end without bytes too.
    file = await opened(path)
    for (let next = await input.next(); !next.done; next = await input.next()) {
      try {
        for (let left = next.value; left.length > 0; ) {
          const { bytesWritten } = await file.write(left)
          left = left.subarray(bytesWritten)
        }
      } catch (error) {
        throw localError("write", path, error)
      }
    }
  } finally {
    await input.return?.()
    await file?.close()
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_WRONLY)
  } catch (error) {
    throw localError("write", path, error)
  }
}
