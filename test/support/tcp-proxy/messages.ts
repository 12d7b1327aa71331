import type { Socket } from "node:net"

/** The first lines of an HTTP/1.1 message, as they are on the wire. */
export interface Head {
  readonly bytes: Buffer
  readonly firstLine: string
  header(name: string): string | undefined
}

/** Reads HTTP/1.1 messages off a socket without changing a byte of them. */
export class MessageReader {
  readonly #source: AsyncIterator<Buffer>
  #held: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    const source: AsyncIterable<Buffer> = socket.iterator({ destroyOnReturn: false })
    this.#source = source[Symbol.asyncIterator]()
  }

  /** @returns null at the end of the connection. */
  async head(): Promise<Head | null> {
    for (;;) {
      const end = this.#held.indexOf("\r\n\r\n")
      if (end >= 0) return headOf(this.#take(end + 4))
      if (!(await this.#pull())) return null
    }
  }

  /** The body that belongs to a head, with its framing, as it arrives. */
  async *body(head: Head, hasBody: boolean): AsyncGenerator<Buffer, void, undefined> {
    if (!hasBody) return
    if (/chunked/i.test(head.header("transfer-encoding") ?? "")) yield* this.#chunked()
    else yield* this.#counted(Number(head.header("content-length") ?? 0))
  }

  /** Read away what comes, until the other side has ended the connection. */
  async untilClosed(): Promise<void> {
    while (await this.#pull()) this.#held = Buffer.alloc(0)
  }

  async *#counted(bytes: number): AsyncGenerator<Buffer, void, undefined> {
    for (let left = bytes; left > 0; ) {
      if (this.#held.length === 0 && !(await this.#pull())) throw new Error("the body was cut")
      const piece = this.#take(Math.min(left, this.#held.length))
      left -= piece.length
      yield piece
    }
  }

  async *#chunked(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const line = await this.#line()
      yield line
      const bytes = Number.parseInt(line.toString("latin1"), 16)
      if (bytes === 0) break
      yield* this.#counted(bytes + 2)
    }
    // Trailers, then an empty line.
    for (let line = await this.#line(); ; line = await this.#line()) {
      yield line
      if (line.length === 2) return
    }
  }

  async #line(): Promise<Buffer> {
    for (;;) {
      const end = this.#held.indexOf("\r\n")
      if (end >= 0) return this.#take(end + 2)
      if (!(await this.#pull())) throw new Error("the body was cut")
    }
  }

  #take(bytes: number): Buffer {
    const taken = this.#held.subarray(0, bytes)
    this.#held = this.#held.subarray(bytes)
    return taken
  }

  async #pull(): Promise<boolean> {
    const next = await this.#source.next().catch(() => ({ done: true as const, value: undefined }))
    if (next.done) return false
    this.#held = this.#held.length === 0 ? next.value : Buffer.concat([this.#held, next.value])
    return true
  }
}

/** The same head with another header field; `undefined` takes it away. */
export function withHeader(head: Head, name: string, value: string | undefined): Buffer {
  const lines = head.bytes.toString("latin1").slice(0, -4).split("\r\n")
  const kept = lines.filter((line) => !line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
  const all = value === undefined ? kept : [...kept, `${name}: ${value}`]
  return Buffer.from(`${all.join("\r\n")}\r\n\r\n`, "latin1")
}

function headOf(bytes: Buffer): Head {
  const [firstLine = "", ...lines] = bytes.toString("latin1").slice(0, -4).split("\r\n")
  const fields = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    }),
  )
  return { bytes, firstLine, header: (name) => fields.get(name) }
}
