import { inspect } from "node:util"

/** Key bytes with an owner and an end of life. Best effort: the engine may hold copies. */
export class SecretBytes implements Disposable {
  readonly bytes: Uint8Array<ArrayBuffer>

  /** Takes ownership: no aliases, no pooled memory (what Buffer.from and Buffer.concat return). */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes
  }

  get length(): number {
    return this.bytes.length
  }

  [Symbol.dispose](): void {
    this.bytes.fill(0)
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
