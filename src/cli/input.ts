import type { PrivateMetadata } from "../envelope/private-metadata.ts"
import { formatMtime } from "../envelope/private-metadata.ts"
import { localError } from "../files/local-error.ts"
import type { Source } from "../transfer/source.ts"
import type { InputStream } from "./io.ts"

const READ_BYTES = 1_048_576

/**
 * Standard input as it comes.
 *
 * @throws {LocalIoError} if it cannot be read; the signal's reason if it is aborted.
 */
export async function* standardInput(
  stdin: InputStream,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  signal.throwIfAborted()
  const stop = () => void stdin.destroy()
  signal.addEventListener("abort", stop, { once: true })
  try {
    for await (const piece of stdin) yield piece
    signal.throwIfAborted()
  } catch (error) {
    signal.throwIfAborted()
    throw localError("read", "standard input", error)
  } finally {
    signal.removeEventListener("abort", stop)
  }
}

/** A file from its beginning to its end. */
export async function* piecesOf(source: Source): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < source.bytes; at += READ_BYTES) {
    const piece = new Uint8Array(Math.min(READ_BYTES, source.bytes - at))
    await source.read(at, piece)
    yield piece
  }
  await source.assertUnchanged()
}

/** What a container keeps of the file it was made from. */
export function metadataOf({ bytes: size, mode, mtimeNs }: Source, name: string): PrivateMetadata {
  const mtime = formatMtime(mtimeNs)
  return { name, size, mode, ...(mtime === undefined ? {} : { mtime }) }
}
