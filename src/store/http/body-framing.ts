import { type Framing, MAX_HEAD_BYTES, parseFields } from "./head.ts"
import { WireError } from "./wire-error.ts"

/** Finds a body in what comes from a connection. */
export interface BodyFraming {
  /** Whether all of it came. */
  readonly ended: boolean
  /** @returns the bytes of the body in these, as views, and how many of them are behind its end. */
  take(bytes: Uint8Array): { readonly pieces: readonly Uint8Array[]; readonly beyond: number }
  /** The connection ended. @returns whether the body did too. */
  close(): boolean
}

export function bodyFraming(framing: Framing): BodyFraming {
  if (framing === "chunked") return new Chunked()
  return framing === "until-close" ? new UntilClose() : new Counted(framing)
}

const NONE: readonly Uint8Array[] = []

class Counted implements BodyFraming {
  #left: number

  constructor(bytes: number) {
    this.#left = bytes
  }

  get ended(): boolean {
    return this.#left === 0
  }

  take(bytes: Uint8Array) {
    const own = Math.min(bytes.length, this.#left)
    this.#left -= own
    const pieces = own === 0 ? NONE : [own === bytes.length ? bytes : bytes.subarray(0, own)]
    return { pieces, beyond: bytes.length - own }
  }

  close(): boolean {
    return this.ended
  }
}

class UntilClose implements BodyFraming {
  ended = false

  take(bytes: Uint8Array) {
    return { pieces: [bytes], beyond: 0 }
  }

  close(): boolean {
    this.ended = true
    return true
  }
}

const MAX_LINE_BYTES = 256
const LF = 10

/** RFC 9112, section 7.1: `size-in-hex[;extensions] CRLF bytes CRLF`, a chunk of size 0, trailers, an empty line. */
class Chunked implements BodyFraming {
  ended = false
  #line = ""
  #expects: "size" | "bytes" | "end-of-chunk" | "trailer" = "size"
  #left = 0
  #trailerBytes = 0

  take(bytes: Uint8Array) {
    const pieces: Uint8Array[] = []
    let at = 0
    while (at < bytes.length && !this.ended) {
      if (this.#expects === "bytes") {
        const end = Math.min(bytes.length, at + this.#left)
        pieces.push(bytes.subarray(at, end))
        this.#left -= end - at
        at = end
        if (this.#left === 0) this.#expects = "end-of-chunk"
      } else at = this.#takeLine(bytes, at)
    }
    return { pieces, beyond: bytes.length - at }
  }

  close(): boolean {
    return this.ended
  }

  #takeLine(bytes: Uint8Array, start: number): number {
    const newline = bytes.indexOf(LF, start)
    const end = newline === -1 ? bytes.length : newline + 1
    this.#line += Buffer.from(bytes.subarray(start, end)).toString("latin1")
    const limit = this.#expects === "trailer" ? MAX_HEAD_BYTES : MAX_LINE_BYTES
    if (this.#line.length + this.#trailerBytes > limit) {
      throw new WireError("CHUNK", "a line between chunks does not end")
    }
    if (newline === -1) return end
    if (!this.#line.endsWith("\r\n")) throw new WireError("CHUNK", "a line between chunks ends otherwise")
    const line = this.#line.slice(0, -2)
    this.#line = ""
    this.#read(line)
    return end
  }

  #read(line: string): void {
    if (this.#expects === "size") {
      const size = /^([0-9A-Fa-f]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line)?.[1]
      if (size === undefined) throw new WireError("CHUNK", "a chunk has no size")
      this.#left = Number.parseInt(size, 16)
      this.#expects = this.#left === 0 ? "trailer" : "bytes"
    } else if (this.#expects === "end-of-chunk") {
      if (line !== "") throw new WireError("CHUNK", "a chunk is longer than it says")
      this.#expects = "size"
    } else if (line === "") this.ended = true
    else {
      this.#trailerBytes += line.length
      parseFields([line])
    }
  }
}
