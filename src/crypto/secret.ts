import { inspect } from "node:util"

/** Key bytes with an owner and an end of life. Best effort: the engine may hold copies. */
export class SecretBytes implements Disposable {
  readonly #bytes: Uint8Array<ArrayBuffer>
  #disposed = false

  /** Takes ownership: no aliases, no pooled memory (what Buffer.from and Buffer.concat return). */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes
  }

  /** @throws {TypeError} after disposal: zeros in a key's place would seal for everyone. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#disposed) throw new TypeError("a secret used after it was disposed of")
    return this.#bytes
  }

  get length(): number {
    return this.#bytes.length
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#bytes.fill(0)
  }

  toJSON(): string {
    return "[secret]"
  }

  toString(): string {
    return "[secret]"
  }

  [inspect.custom](): string {
    return "[secret]"
  }
}

/** Draws `length` bytes nobody can foretell, in memory of their own. Injected, so that vectors can fix them. */
export type RandomSource = (length: number) => Uint8Array<ArrayBuffer>
