import { type BigIntStats, constants, type Stats } from "node:fs"
import { link, open, realpath, rename, stat, unlink } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { hex } from "../bytes.ts"
import type { RandomSource } from "../crypto/secret.ts"
import { type PrivateMetadata, parseMtime } from "../envelope/private-metadata.ts"
import { PreconditionError } from "../errors.ts"
import { lstatIfAny, renameFile } from "../files/calls.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import { OpenFile } from "../files/open-file.ts"
import { syncDirectory } from "../files/sync-directory.ts"

const MAX_NAME_BYTES = 255
const PERMISSIONS = 0o777 // and never the set-id and sticky bits: the bucket does not decide who runs as whom

/** What a path that is to be written to is. */
export type TargetKind =
  /** Nothing yet, or a file that will be replaced: `path` is the file itself, symbolic links resolved. */
  | { readonly kind: "file"; readonly path: string; readonly existing: Stats | null }
  | { readonly kind: "directory"; readonly path: string }
  /** A pipe or a device: written to in order, never replaced. */
  | { readonly kind: "stream"; readonly path: string }

/**
 * Find out what is written to. A symbolic link is resolved once, so that what it points to is replaced and the
 * link stays; one that points to nothing is refused, since nobody said where it should lead.
 *
 * @throws {LocalIoError} if it cannot be looked at, or nothing can be made there.
 */
export async function inspectTarget(path: string): Promise<TargetKind> {
  try {
    const link = await lstatIfAny(path)
    if (!link)
      return { kind: "file", path: join(await realpath(dirname(path)), basename(path)), existing: null }
    const existing = link.isSymbolicLink() ? await stat(path) : link
    if (existing.isDirectory()) return { kind: "directory", path }
    if (!existing.isFile()) return { kind: "stream", path }
    return { kind: "file", path: await realpath(path), existing }
  } catch (error) {
    throw localError("write", path, error)
  }
}

/**
 * As `inspectTarget`, for a path that is to be the file itself, whatever takes its name meanwhile.
 *
 * @throws {PreconditionError} if a directory, a symbolic link, a pipe or a device has the name.
 */
export async function inspectExact(path: string): Promise<TargetKind & { readonly kind: "file" }> {
  try {
    const existing = await lstatIfAny(path)
    if (existing && !existing.isFile()) throw existsAlready(path)
    return { kind: "file", path: join(await realpath(dirname(path)), basename(path)), existing }
  } catch (error) {
    throw localError("write", path, error)
  }
}

/** When and by whom a temporary file was made: what tells it from another under the same name. */
export interface FileIdentity {
  readonly device: number
  readonly inode: number
}

/** How the finished file is to look. */
export interface FinishOptions {
  /** False: a file that has appeared under the name meanwhile is left alone, and the new one given up. */
  readonly overwrite: boolean
  /** Permission bits; those of the file being replaced, or the process's default, if not given. */
  readonly mode?: number | undefined
  /** Seconds since 1970, with a fraction. */
  readonly mtimeSeconds?: number | undefined
  /** Brings the name to the disk, given its directory; done at once if not given. */
  readonly named?: ((directory: string) => Promise<void>) | undefined
}

/** How an original looked, as far as its private metadata say. */
export function restored(original: PrivateMetadata | null): Pick<FinishOptions, "mode" | "mtimeSeconds"> {
  const mtimeNs = original?.mtime === undefined ? null : parseMtime(original.mtime)
  return { mode: original?.mode, mtimeSeconds: mtimeNs === null ? undefined : Number(mtimeNs) / 1e9 }
}

/** A file being written beside the one it will become: whole and synced before it gets its name. */
export class ReplacementFile {
  readonly path: string
  readonly target: string
  readonly #file: OpenFile

  private constructor(path: string, target: string, file: OpenFile) {
    this.path = path
    this.target = target
    this.#file = file
  }

  /**
   * @param target - the file it will become, symbolic links resolved.
   * @param path - where it is until then, from `temporaryPath`.
   * @throws {LocalIoError} if it cannot be made.
   */
  static async create(target: string, path: string): Promise<ReplacementFile> {
    try {
      const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
      const file = await OpenFile.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
      return new ReplacementFile(path, target, file)
    } catch (error) {
      throw localError("write", target, error)
    }
  }

  /** Open one that an earlier run left; null if it is not there, or is not that one. */
  static async reopen(path: string, target: string, identity: FileIdentity): Promise<ReplacementFile | null> {
    let file: OpenFile
    try {
      file = await OpenFile.open(path, constants.O_RDWR | constants.O_NOFOLLOW)
    } catch {
      return null
    }
    const found = await file.stat()
    if (found.isFile() && sameIdentity(identityOf(found), identity)) {
      return new ReplacementFile(path, target, file)
    }
    await file.close()
    return null
  }

  /** What another run tells it by. */
  async identity(): Promise<FileIdentity> {
    return identityOf(await this.#do(() => this.#file.stat()))
  }

  /** Give it its final length, sparse: what is written lands anywhere in it. */
  async setLength(bytes: number): Promise<void> {
    await this.#do(() => this.#file.truncate(bytes))
  }

  /** @throws {LocalIoError} if not all of it could be written. */
  async write(position: number, pieces: readonly Uint8Array[]): Promise<void> {
    await this.#do(async () => {
      let at = position
      let left = [...pieces]
      while (left.length > 0) {
        const bytesWritten = await this.#file.write(at, left)
        at += bytesWritten
        left = without(left, bytesWritten)
      }
    })
  }

  /** @returns how many bytes there were, fewer than asked for only at the end of the file. */
  async read(position: number, into: Uint8Array): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const bytesRead = await this.#do(() => this.#file.read(position + filled, into.subarray(filled)))
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  /**
   * Sync it and give it its name.
   *
   * @throws {PreconditionError} if there is a file under that name and it may not be replaced.
   * @throws {LocalIoError} if the file system refuses.
   */
  async finish(options: FinishOptions): Promise<void> {
    await this.#do(async () => {
      const mode = options.mode ?? (await lstatIfAny(this.target))?.mode ?? 0o666 & ~process.umask()
      await this.#file.chmod(mode & PERMISSIONS)
      if (options.mtimeSeconds !== undefined) {
        await this.#file.utimes(options.mtimeSeconds)
      }
      await this.#file.sync()
      await this.#file.close()
      if (options.overwrite) await renameFile(this.path, this.target)
      else await this.#claim()
      await (options.named ?? syncDirectory)(dirname(this.target))
    })
  }

  /** Leave it where it is, for another run. */
  async close(): Promise<void> {
    await this.#file.close()
  }

  /** Remove it. @returns whether it is gone. */
  async discard(): Promise<boolean> {
    await this.#file.close()
    return unlink(this.path).then(
      () => true,
      (error: unknown) => errnoOf(error) === "ENOENT",
    )
  }

  // Linking fails if the name is taken, which renaming does not. Where there are no hard links, an empty file made
  // for us alone claims the name.
  async #claim(): Promise<void> {
    try {
      await link(this.path, this.target)
    } catch (error) {
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(errnoOf(error) ?? "")) throw error
      await (await open(this.target, "wx")).close()
      return rename(this.path, this.target)
    }
    await unlink(this.path)
  }

  async #do<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (errnoOf(error) === "EEXIST") throw existsAlready(this.target, error)
      throw localError("write", this.target, error)
    }
  }
}

export function existsAlready(target: string, cause?: unknown): PreconditionError {
  return new PreconditionError(`cannot write ${target}: it exists already`, { cause })
}

/** Remove a temporary file of an earlier run, if it still is that one. */
export async function discardTemporary(path: string, identity: FileIdentity): Promise<void> {
  const found = await lstatIfAny(path)
  if (found?.isFile() && sameIdentity(identityOf(found), identity)) await unlink(path)
}

function identityOf({ dev, ino }: Stats | BigIntStats): FileIdentity {
  return { device: Number(dev), inode: Number(ino) }
}

function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return a.device === b.device && a.inode === b.inode
}

/** A new name beside the target, which nobody guesses and no other process comes upon. */
export function temporaryPath(target: string, random: RandomSource): string {
  const suffix = temporaryName(random)
  const full = `.${basename(target)}${suffix}`
  return join(dirname(target), Buffer.byteLength(full) <= MAX_NAME_BYTES ? full : suffix)
}

/** Such a name for any file of a directory. */
export function temporaryPathIn(directory: string, random: RandomSource): string {
  return join(directory, temporaryName(random))
}

function temporaryName(random: RandomSource): string {
  return `.s3ep-${hex(random(6))}.part`
}

/** Whether `temporaryPath` and `temporaryPathIn` make such names. */
export function isTemporaryPath(path: string): boolean {
  return /^\.(?:.*\.)?s3ep-[0-9a-f]{12}\.part$/s.test(basename(path))
}

function without(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  let skipped = 0
  const left: Uint8Array[] = []
  for (const piece of pieces) {
    const done = Math.min(piece.length, written - skipped)
    skipped += done
    if (done < piece.length) left.push(piece.subarray(done))
  }
  return left
}
