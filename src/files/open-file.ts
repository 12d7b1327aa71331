import * as fs from "node:fs"
import { promisify } from "node:util"
import { type Calls, calls, SMALL_BYTES, syncs } from "./calls.ts"

const inPool = {
  open: promisify(fs.open),
  fstat: promisify(fs.fstat) as (fd: number, options: { bigint: true }) => Promise<fs.BigIntStats>,
  read: promisify(fs.read),
  writev: promisify(fs.writev),
  fchmod: promisify(fs.fchmod),
  futimes: promisify(fs.futimes),
  ftruncate: promisify(fs.ftruncate),
  fsync: promisify(fs.fsync),
  close: promisify(fs.close),
}

/**
 * An open file like Node's `FileHandle`, whose quick calls are made where they are cheapest; see `Calls`. Each throws
 * the system call's failure.
 */
export class OpenFile implements AsyncDisposable {
  /** Negative once it was closed. */
  #fd: number
  /** Written since the last sync, and before by others if the file was there. */
  #unsyncedBytes: number
  readonly #underWay = new Set<Promise<unknown>>()

  private constructor(fd: number, unsyncedBytes: number) {
    this.#fd = fd
    this.#unsyncedBytes = unsyncedBytes
  }

  /** @param mode - of a file that is made. */
  static async open(path: string, flags: number | string, mode = 0o666): Promise<OpenFile> {
    const fd = await calls.make(
      () => fs.openSync(path, flags, mode),
      () => inPool.open(path, flags, mode),
    )
    const isNew = typeof flags === "number" ? (flags & fs.constants.O_EXCL) !== 0 : flags.includes("x")
    return new OpenFile(fd, isNew ? 0 : Number.POSITIVE_INFINITY)
  }

  async stat(): Promise<fs.BigIntStats> {
    return this.#quick(
      (fd) => fs.fstatSync(fd, { bigint: true }),
      (fd) => inPool.fstat(fd, { bigint: true }),
    )
  }

  /** @returns how many bytes were read, 0 at the end of the file. */
  async read(position: number, into: Uint8Array): Promise<number> {
    const read = async (fd: number) => (await inPool.read(fd, into, 0, into.length, position)).bytesRead
    if (into.length > SMALL_BYTES) return this.#handedOver(read)
    return this.#quick((fd) => fs.readSync(fd, into, 0, into.length, position), read)
  }

  /** @returns how many bytes were written, of all pieces in a row. */
  async write(position: number, pieces: readonly Uint8Array[]): Promise<number> {
    const write = async (fd: number) => (await inPool.writev(fd, pieces, position)).bytesWritten
    let bytes = 0
    for (const piece of pieces) bytes += piece.length
    this.#unsyncedBytes += bytes
    if (bytes <= SMALL_BYTES) return this.#quick((fd) => fs.writevSync(fd, pieces, position), write)
    // Several small ones are several small calls, as long as those are quick.
    let written = 0
    for (const piece of pieces) {
      if (piece.length > SMALL_BYTES || !calls.areQuick) break
      const at = position + written
      const bytesWritten = await this.#quick(
        (fd) => fs.writeSync(fd, piece, 0, piece.length, at),
        async (fd) => (await inPool.writev(fd, [piece], at)).bytesWritten,
      )
      written += bytesWritten
      if (bytesWritten < piece.length) break
    }
    return written > 0 ? written : this.#handedOver(write)
  }

  async chmod(mode: number): Promise<void> {
    return this.#quick(
      (fd) => fs.fchmodSync(fd, mode),
      (fd) => inPool.fchmod(fd, mode),
    )
  }

  /** @param seconds - since 1970, of access and modification. */
  async utimes(seconds: number): Promise<void> {
    return this.#quick(
      (fd) => fs.futimesSync(fd, seconds, seconds),
      (fd) => inPool.futimes(fd, seconds, seconds),
    )
  }

  async truncate(bytes: number): Promise<void> {
    return this.#quick(
      (fd) => fs.ftruncateSync(fd, bytes),
      (fd) => inPool.ftruncate(fd, bytes),
    )
  }

  /** What was written is on the disk when this returns. */
  async sync(): Promise<void> {
    const bytes = this.#unsyncedBytes
    this.#unsyncedBytes = 0
    if (bytes > SMALL_BYTES) return this.#handedOver(inPool.fsync)
    return this.#quick((fd) => fs.fsyncSync(fd), inPool.fsync, syncs)
  }

  /** Once the calls that are under way have ended. A second time is of no consequence. */
  async close(): Promise<void> {
    if (this.#fd < 0) return
    const fd = this.#fd
    this.#fd = -1
    // A number that was closed may be another file's the next moment.
    if (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
    await calls.make(
      () => fs.closeSync(fd),
      () => inPool.close(fd),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #quick<T>(
    here: (fd: number) => T,
    elsewhere: (fd: number) => Promise<T>,
    kind: Calls = calls,
  ): T | Promise<T> {
    return kind.make(
      () => here(this.#usable()),
      () => this.#handedOver(elsewhere),
    )
  }

  async #handedOver<T>(call: (fd: number) => Promise<T>): Promise<T> {
    const outcome = call(this.#usable())
    this.#underWay.add(outcome)
    try {
      return await outcome
    } finally {
      this.#underWay.delete(outcome)
    }
  }

  /** @throws {TypeError} once it was closed: a caller's bug. */
  #usable(): number {
    if (this.#fd < 0) throw new TypeError("a file used after it was closed")
    return this.#fd
  }
}
