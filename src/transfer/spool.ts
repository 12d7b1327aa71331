import { type FileHandle, open, unlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hex } from "../bytes.ts"
import type { RandomSource } from "../crypto/secret.ts"
import { localError } from "../files/local-error.ts"

/** What is kept in memory before a file is made. */
const MEMORY_BYTES = 8 * 1024 ** 2
const READ_BYTES = 1024 ** 2

/**
 * A stream kept to be read a second time: in memory, or in a temporary file that nobody else can open. It holds
 * ciphertext only; what is read from it was never anywhere else on a disk.
 */
export class Spool implements AsyncDisposable {
  readonly #random: RandomSource
  readonly #memoryBytes: number
  #pieces: Uint8Array[] = []
  /** Of `#pieces`. */
  #heldBytes = 0
  #bytes = 0
  #file: { readonly handle: FileHandle; readonly path: string } | undefined

  constructor(random: RandomSource, memoryBytes = MEMORY_BYTES) {
    this.#random = random
    this.#memoryBytes = memoryBytes
  }

  /** Passes a stream on and keeps it. @throws {LocalIoError} if the temporary file cannot be made or written. */
  async *keep(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of stream) {
      this.#pieces.push(piece.slice())
      this.#bytes += piece.length
      this.#heldBytes += piece.length
      if (this.#heldBytes > this.#memoryBytes) await this.#flush()
      yield piece
    }
    if (this.#file) await this.#flush()
  }

  /** All that was kept, once the stream that was passed on has ended. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    if (!this.#file) {
      yield* this.#pieces
      return
    }
    const { handle, path } = this.#file
    for (let position = 0; position < this.#bytes; ) {
      const piece = new Uint8Array(Math.min(READ_BYTES, this.#bytes - position))
      const { bytesRead } = await attempt(path, () => handle.read(piece, 0, piece.length, position))
      if (bytesRead === 0) throw new RangeError("a spool that lost its end")
      position += bytesRead
      yield piece.subarray(0, bytesRead)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pieces = []
    if (!this.#file) return
    await this.#file.handle.close()
    await unlink(this.#file.path).catch(() => undefined) // gone already, but for where open files cannot be unlinked
  }

  async #flush(): Promise<void> {
    this.#file ??= await this.#create()
    const { handle, path } = this.#file
    for (const piece of this.#pieces) {
      for (let left = piece; left.length > 0; ) {
        const { bytesWritten } = await attempt(path, () => handle.write(left))
        left = left.subarray(bytesWritten)
      }
    }
    this.#pieces = []
    this.#heldBytes = 0
  }

  async #create() {
    const path = join(tmpdir(), `s3ep-${hex(this.#random(8))}.spool`)
    return await attempt(path, async () => {
      const handle = await open(path, "wx+", 0o600)
      // Without a name it goes with the process, however that ends.
      await unlink(path).catch(() => undefined)
      return { handle, path }
    })
  }
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw localError("write", path, error)
  }
}
