import { LocalIoError, PreconditionError, UsageError } from "../errors.ts"
import { statFile } from "../files/calls.ts"
import { localError } from "../files/local-error.ts"
import { OpenFile } from "../files/open-file.ts"

/** What tells one state of one file from every other; decimal strings, since nanoseconds exceed a double. */
export interface SourceIdentity {
  readonly dev: string
  readonly ino: string
  readonly size: string
  readonly mtimeNs: string
  readonly ctimeNs: string
}

type Identifying<T> = { readonly [member in keyof SourceIdentity]: T }

/** An open file that is read at any position, and is known to have stayed the same. */
export interface Source extends AsyncDisposable {
  readonly path: string
  readonly identity: SourceIdentity
  readonly bytes: number
  /** Permission bits. */
  readonly mode: number
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint
  /**
   * Fill all of `target`, in which something else may stand, from `position`.
   *
   * @throws {LocalIoError} if there are fewer bytes, or they cannot be read.
   */
  read(position: number, target: Uint8Array): Promise<void>
  /** @throws {PreconditionError} if the file is no longer what it was when opened. */
  assertUnchanged(): Promise<void>
  close(): Promise<void>
}

/**
 * Open a file to upload.
 *
 * @throws {LocalIoError} if it cannot be opened; {UsageError} if it is no regular file.
 */
export async function openSource(path: string): Promise<Source> {
  const file = await openRegular(path)
  try {
    const stats = await file.stat()
    // Files of /proc and the like say that they are empty whatever is in them.
    if (stats.size === 0n && (await readSome(file, path, 0, new Uint8Array(1))) > 0) {
      throw notRegular(path)
    }
    return {
      path,
      get identity() {
        return identify(stats)
      },
      bytes: Number(stats.size),
      mode: Number(stats.mode & 0o7777n),
      mtimeNs: stats.mtimeNs,
      read: (position, target) => readFully(file, path, position, target),
      assertUnchanged: async () => {
        if (!sameSource(stats, await file.stat())) {
          throw new PreconditionError(`${path} changed while it was read`, {
            hint: "run the command again when nothing writes to the file, or take a copy of it first",
          })
        }
      },
      close: () => file.close(),
      [Symbol.asyncDispose]: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Whether two identities are of one file in one state. */
export function sameSource<T extends bigint | string>(a: Identifying<T>, b: Identifying<T>): boolean {
  return (
    a.dev === b.dev &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs
  )
}

async function openRegular(path: string): Promise<OpenFile> {
  try {
    // Asked by name first: opening a FIFO would wait for whoever writes to it.
    const stats = await statFile(path)
    if (stats.isDirectory()) {
      throw new UsageError(`${path} is a directory`, { hint: "upload a tree with -r" })
    }
    if (!stats.isFile()) {
      throw notRegular(path)
    }
    return await OpenFile.open(path, "r")
  } catch (error) {
    throw localError("read", path, error)
  }
}

function notRegular(path: string): UsageError {
  return new UsageError(`${path} is not a regular file`, {
    hint: `pipe it: s3ep put - s3://bucket/key < ${path}`,
  })
}

async function readFully(file: OpenFile, path: string, position: number, target: Uint8Array): Promise<void> {
  for (let filled = 0; filled < target.length; ) {
    const bytesRead = await readSome(file, path, position + filled, target.subarray(filled))
    if (bytesRead === 0) {
      throw new LocalIoError(`${path} ended at ${position + filled} bytes: it was cut while it was read`)
    }
    filled += bytesRead
  }
}

async function readSome(file: OpenFile, path: string, position: number, target: Uint8Array): Promise<number> {
  try {
    return await file.read(position, target)
  } catch (error) {
    throw localError("read", path, error)
  }
}

function identify(stats: Identifying<bigint>): SourceIdentity {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats
  return {
    dev: String(dev),
    ino: String(ino),
    size: String(size),
    mtimeNs: String(mtimeNs),
    ctimeNs: String(ctimeNs),
  }
}
