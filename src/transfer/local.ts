import { type FileHandle, open, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { formatMtime, type PrivateMetadata } from "../envelope/private-metadata.ts"
import { UsageError } from "../errors.ts"
import { localError } from "../files/local-error.ts"
import { decryptStream, encryptStream, type FormerObject, type LocalContext } from "./container.ts"
import type { ObjectFormat } from "./inspect.ts"
import { named } from "./naming.ts"
import { existsAlready, inspectTarget, ReplacementFile, restored, temporaryPath } from "./replace.ts"
import { openSource } from "./source.ts"
import { writePieces } from "./write-pieces.ts"
import { writeInOrder } from "./write-stream.ts"

export {
  type DecryptOptions,
  decryptStream,
  type EncryptOptions,
  encryptStream,
  type FormerObject,
  type LocalContext,
} from "./container.ts"

const READ_BYTES = 1_048_576
const SUFFIX = ".s3ep"

export interface LocalRequest {
  /** A file; pipes and devices can be read too. */
  readonly source: string
  /** A file, which is replaced once all is in it; a directory; a pipe or a device. */
  readonly target: string
  /** Its name in progress events; the source's path if not given. */
  readonly item?: string | undefined
  /** False: an existing file is left alone. True if not given. */
  readonly overwrite?: boolean | undefined
}

export interface LocalResult {
  readonly target: string
  /** Plaintext. */
  readonly bytes: number
  /** Of what was decrypted. */
  readonly format?: ObjectFormat | undefined
}

/**
 * Encrypt a file into an S3EP container that knows the file's name, size, mode and time of modification. In a
 * directory it is called as the file is, with `.s3ep` behind.
 *
 * @throws {PreconditionError} if the source changed while it was read, or the target exists and may not be
 * replaced; {LocalIoError} if either cannot be read or written.
 */
export async function encryptFile(
  context: LocalContext,
  request: LocalRequest & { readonly chunkBytes?: number | undefined },
): Promise<LocalResult> {
  const { source: path, chunkBytes } = request
  const name = basename(path)
  const run = async (pieces: AsyncIterable<Uint8Array>, privateMetadata: PrivateMetadata) => {
    const counted = counting(context, request, pieces, privateMetadata.size)
    const sealed = encryptStream(context, counted.pieces, { chunkBytes, privateMetadata })
    const target = await deliver(context, request, `${name}${SUFFIX}`, sealed, () => ({}))
    return { target, bytes: counted.finished() }
  }
  if (!(await isRegular(path))) return run(readInOrder(path), { name })
  await using source = await openSource(path)
  const pieces = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < source.bytes; at += READ_BYTES) {
      const piece = new Uint8Array(Math.min(READ_BYTES, source.bytes - at))
      await source.read(at, piece)
      yield piece
    }
    await source.assertUnchanged()
  }
  const mtime = formatMtime(source.mtimeNs)
  const { bytes: size, mode } = source
  return await run(pieces(), { name, size, mode, ...(mtime === undefined ? {} : { mtime }) })
}

/**
 * Decrypt an S3EP container, or whatever else is recognised, into a file that appears under its name only once all of
 * it verified, with the mode and time of modification the original had. In a directory it is called as the container
 * is, without `.s3ep`.
 *
 * @throws {IntegrityError} if it is in no known format, or not what was written; {KeyMissingError} if no key
 * at hand opens it.
 * @throws {PreconditionError} if the target exists and may not be replaced; {LocalIoError} if either file cannot be
 * read or written.
 */
export async function decryptFile(
  context: LocalContext,
  request: LocalRequest & {
    readonly preserve?: boolean | undefined
    /** What it was in a bucket. */
    readonly object?: FormerObject | undefined
  },
): Promise<LocalResult> {
  const { source: path, object } = request
  const name = basename(path)
  let metadata: PrivateMetadata | null = null
  const onPrivate = (found: PrivateMetadata | null): void => {
    metadata = found
  }
  let format: ObjectFormat | undefined
  const onFormat = (found: ObjectFormat): void => {
    format = found
  }
  try {
    const bytes = (await isRegular(path)) ? (await stat(path)).size : undefined // a directory is refused
    const subject = request.item ?? path
    const opened = decryptStream(context, readInOrder(path), { onPrivate, onFormat, subject, object, bytes })
    const counted = counting(context, request, opened, undefined)
    const inDirectory = name.endsWith(SUFFIX) && name !== SUFFIX ? name.slice(0, -SUFFIX.length) : null
    const target = await deliver(context, request, inDirectory, counted.pieces, () =>
      request.preserve === false ? {} : restored(metadata),
    )
    return { target, bytes: counted.finished(), format }
  } catch (error) {
    throw named(error, "open", path)
  }
}

async function deliver(
  context: LocalContext,
  request: LocalRequest,
  nameInDirectory: string | null,
  pieces: AsyncIterable<Uint8Array>,
  look: () => { mode?: number | undefined; mtimeSeconds?: number | undefined },
): Promise<string> {
  const { overwrite = true } = request
  let found = await inspectTarget(request.target)
  if (found.kind === "directory") {
    if (nameInDirectory === null) {
      throw new UsageError(`cannot tell what ${request.source} is to be called in ${request.target}`, {
        hint: "name the file to write",
      })
    }
    found = await inspectTarget(join(found.path, nameInDirectory))
    if (found.kind === "directory") throw existsAlready(found.path)
  }
  if (found.kind === "stream") {
    await writeInOrder(found.path, pieces)
    return found.path
  }
  if (found.existing && !overwrite) throw existsAlready(found.path)
  const file = await ReplacementFile.create(found.path, temporaryPath(found.path, context.random))
  try {
    await writePieces(file, 0, pieces, () => context.signal.throwIfAborted())
    context.signal.throwIfAborted()
    await file.finish({ ...look(), overwrite })
  } catch (error) {
    await file.discard()
    throw error
  }
  return found.path
}

/** Reports plaintext as it passes. */
function counting(
  { onProgress }: LocalContext,
  request: LocalRequest,
  pieces: AsyncIterable<Uint8Array>,
  expectedBytes: number | undefined,
): { pieces: AsyncIterable<Uint8Array>; finished: () => number } {
  const item = request.item ?? request.source
  let bytes = 0
  const passing = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    onProgress({ type: "started", item, bytes: expectedBytes, doneBytes: 0, parts: undefined })
    for await (const piece of pieces) {
      bytes += piece.length
      onProgress({ type: "advanced", item, bytes: piece.length })
      yield piece
    }
  }
  const finished = (): number => {
    onProgress({ type: "finished", item })
    return bytes
  }
  return { pieces: passing(), finished }
}

async function* readInOrder(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  let file: FileHandle | undefined
  try {
    file = await open(path, "r")
    for (;;) {
      const piece = new Uint8Array(READ_BYTES) // a fresh one each time: readers keep what they get
      const { bytesRead } = await file.read(piece, 0, piece.length)
      if (bytesRead === 0) return
      yield piece.subarray(0, bytesRead)
    }
  } catch (error) {
    throw localError("read", path, error)
  } finally {
    await file?.close()
  }
}

async function isRegular(path: string): Promise<boolean> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new UsageError(`cannot read ${path}: it is a directory`)
    return found.isFile()
  } catch (error) {
    throw localError("read", path, error)
  }
}
