import { readdir, readFile, unlink } from "node:fs/promises"
import { dirname, join } from "node:path"
import { utf8 } from "../bytes.ts"
import { LocalIoError } from "../errors.ts"
import { lstatIfAny } from "../files/calls.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import { makeDirectories } from "../files/make-directories.ts"
import { OpenFile } from "../files/open-file.ts"
import type { TransferContext } from "./context.ts"
import { isAlive, isOfDead, ownerHere, ownersPath, type ProcessTable, parseOwner } from "./lock.ts"
import { isTemporaryPath, ReplacementFile, temporaryPath, temporaryPathIn } from "./replace.ts"

type Context = Pick<TransferContext, "stateDirectory" | "random">

/**
 * Makes temporary files, each on record before it is made, so that the run after a SIGKILL can remove it. A record
 * whose file is gone is used for the next one: a tree has as many of them as files in the making.
 */
export class TemporaryFiles implements AsyncDisposable {
  readonly #context: Context
  readonly #free: RecordFile[] = []

  constructor(context: Context) {
    this.#context = context
  }

  /**
   * Make a temporary file and work with it until it has its name. A failure removes it.
   *
   * @param target - the file it will become, symbolic links resolved.
   * @throws {LocalIoError} if the file or its record cannot be written; whatever `work` throws.
   */
  replace<T>(target: string, work: (file: ReplacementFile) => Promise<T>): Promise<T> {
    return this.#record(async (record) => {
      const result = await this.#work(record, await this.#beside(record, target), work)
      this.#free.push(record)
      return result
    })
  }

  /** As `replace`, for a file that something else knows of once the work is done. */
  handOver<T>(target: string, work: (file: ReplacementFile) => Promise<T>): Promise<T> {
    return this.#record(async (record) => {
      const path = temporaryPath(target, this.#context.random)
      await record.write(path)
      const result = await this.#work(record, await ReplacementFile.create(target, path), work)
      await record.remove()
      return result
    })
  }

  /** Removes the records; one that cannot be is left to a later run. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const record of this.#free.splice(0)) await record.remove()
  }

  async #record<T>(use: (record: RecordFile) => Promise<T>): Promise<T> {
    const record = this.#free.pop() ?? (await RecordFile.create(this.#context))
    try {
      return await use(record)
    } catch (error) {
      // Of what could not be removed a later run has to know.
      if (!record.isClosed) this.#free.push(record)
      throw error
    }
  }

  async #work<T>(
    record: RecordFile,
    file: ReplacementFile,
    work: (file: ReplacementFile) => Promise<T>,
  ): Promise<T> {
    try {
      return await work(file)
    } catch (error) {
      if (!(await file.discard())) await record.close()
      throw error
    }
  }

  /** Files of one directory get the same temporary name, one after the other: then there is nothing to be recorded. */
  async #beside(record: RecordFile, target: string): Promise<ReplacementFile> {
    const { random } = this.#context
    const directory = dirname(target)
    const known = record.path !== null && dirname(record.path) === directory ? record.path : null
    if (known !== null) {
      try {
        return await ReplacementFile.create(target, known)
      } catch (error) {
        const taken = error instanceof LocalIoError && errnoOf(error.cause) === "EEXIST"
        if (!taken) throw error
      }
    }
    const path = temporaryPathIn(directory, random)
    await record.write(path)
    return await ReplacementFile.create(target, path)
  }
}

/** Two lines: whose it is, which stays as it is for others to read at any time, and the path of one temporary file. */
class RecordFile {
  /** What is on record; null if nothing is yet. */
  path: string | null = null
  isClosed = false
  readonly #ownPath: string
  readonly #file: OpenFile
  readonly #owner: Uint8Array
  #pathBytes = 0

  private constructor(ownPath: string, file: OpenFile, owner: Uint8Array) {
    this.#ownPath = ownPath
    this.#file = file
    this.#owner = owner
  }

  static async create({ stateDirectory, random }: Context): Promise<RecordFile> {
    const directory = directoryOf(stateDirectory)
    const owner = ownerHere(random)
    const path = ownersPath(join(directory, "record"), owner)
    try {
      await makeDirectories(directory, 0o700)
      return new RecordFile(path, await OpenFile.open(path, "wx", 0o600), utf8(`${JSON.stringify(owner)}\n`))
    } catch (error) {
      throw localError("write", path, error)
    }
  }

  /**
   * Put a path in place of the one before, which was longer perhaps: spaces cover the rest of it.
   *
   * @throws {LocalIoError} if it cannot be written.
   */
  async write(path: string): Promise<void> {
    const line = utf8(JSON.stringify({ path }))
    this.#pathBytes = Math.max(this.#pathBytes, line.length)
    const padded = new Uint8Array(this.#pathBytes).fill(0x20)
    padded.set(line)
    const begun = this.path !== null
    this.path = null // what is half written is nothing to rely on
    try {
      if (!begun) await this.#writeAt(0, this.#owner)
      await this.#writeAt(this.#owner.length, padded)
    } catch (error) {
      throw localError("write", this.#ownPath, error)
    }
    this.path = path
  }

  /** Leave it as it is. */
  async close(): Promise<void> {
    this.isClosed = true
    await this.#file.close()
  }

  async remove(): Promise<void> {
    await this.close().catch(() => undefined)
    await unlink(this.#ownPath).catch(() => undefined)
  }

  async #writeAt(position: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      at += await this.#file.write(position + at, [bytes.subarray(at)])
    }
  }
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
  if (text === "" && !isOfDead(record, processes)) return
  // The path had no line of its own once: it stood with its owner.
  const [first = "", second = first] = text.split("\n")
  const owner = parseOwner(first)
  if (owner && isAlive(owner, processes)) return
  const path = owner && pathIn(second)
  if (path && isTemporaryPath(path) && (await lstatIfAny(path))?.isFile()) await unlinkIfAny(path)
  await unlinkIfAny(record)
}

/** @returns null for a record that was cut: of a file that was never made, since the record comes first. */
function pathIn(line: string): string | null {
  try {
    const { path }: { path?: unknown } = JSON.parse(line)
    return typeof path === "string" ? path : null
  } catch {
    return null
  }
}

function directoryOf(stateDirectory: string): string {
  return join(stateDirectory, "temporaries")
}

async function unlinkIfAny(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOENT") throw error
  })
}
