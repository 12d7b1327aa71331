import type { OnReadOpts, Socket } from "node:net"
import { type AnswerBody, BodyQueue } from "./answer-body.ts"
import { bodyFraming } from "./body-framing.ts"
import { type AnswerHead, MAX_HEAD_BYTES, parseHead } from "./head.ts"
import { sendRequest } from "./send.ts"
import { hungUp, timedOut, WireError } from "./wire-error.ts"

/** A request as it is sent. */
export interface WireRequest {
  readonly method: string
  /** Request line and headers, with the empty line at the end; ISO 8859-1. */
  readonly head: string
  /** Borrowed until the answer is there, or the connection has ended. */
  readonly body?: Uint8Array | undefined
  /** Called with the bytes of the body handed to the system since the last call. */
  readonly onSent?: ((bytes: number) => void) | undefined
}

export interface WireAnswer extends Pick<AnswerHead, "statusCode" | "headers"> {
  readonly body: AnswerBody
}

export interface ConnectionTimes {
  /** Until a connection has to be there. */
  readonly connectMs: number
  /** How long nothing may come or go while something should. */
  readonly silenceMs: number
}

/** Makes a socket, of TCP or TLS, that reads into memory it is given. */
export type OpenSocket = (onread: OnReadOpts) => Socket

const READ_BYTES = 256 * 1024
/** An idle connection is given up so long before the server does: a request must not cross its end on the way. */
const SPARE_MS = 1000
const LF = 10

/** Something that was asked and is not all answered yet. */
interface Exchange {
  readonly method: string
  readonly answer: PromiseWithResolvers<WireAnswer>
  /** Set once the head came. */
  body: BodyQueue | null
  keepAlive: boolean
  sent: boolean
  /** Stops listening to the signal. */
  readonly forget: () => void
}

/**
 * One connection of HTTP/1.1: one request at a time. What it brings is read into the same memory each time, and not read
 * from the system before somebody wants it.
 */
export class Connection {
  /** Whether it may be used for another request. */
  get isIdle(): boolean {
    return !this.#ended && this.#exchange === null
  }

  /** When the server gives an idle connection up, in the clock of `process.uptime()`. */
  idleUntil = Number.POSITIVE_INFINITY
  readonly #socket: Socket
  readonly #encrypted: boolean
  readonly #times: ConnectionTimes
  readonly #onFree: (connection: Connection) => void
  readonly #ready: Promise<void>
  #exchange: Exchange | null = null
  #head: Buffer = Buffer.alloc(0)
  #error: Error | undefined
  #ended = false

  /** @param onFree - called when it can take another request, and when it has ended. */
  constructor(
    open: OpenSocket,
    options: { encrypted: boolean; times: ConnectionTimes; onFree: (connection: Connection) => void },
  ) {
    this.#encrypted = options.encrypted
    this.#times = options.times
    this.#onFree = options.onFree
    const socket = open({
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes, buffer) => this.#receive(buffer.subarray(0, bytes)),
    })
    this.#socket = socket
    this.#ready = this.#connect()
    this.#ready.catch(() => undefined) // whoever asks is told
    socket.on("error", (error) => {
      this.#error ??= error
    })
    socket.on("end", () => this.#end())
    socket.on("close", () => this.#end())
    socket.on("timeout", () => this.#fallSilent())
  }

  /**
   * Send a request and wait for the head of its answer.
   *
   * @throws what the network says, `WireError`, or the signal's reason; the connection has ended then.
   */
  async ask(request: WireRequest, signal?: AbortSignal): Promise<WireAnswer> {
    if (this.#exchange) throw new TypeError("a connection takes one request at a time")
    if (this.#ended) throw this.#error ?? hungUp() // since it was taken
    const answer = Promise.withResolvers<WireAnswer>()
    answer.promise.catch(() => undefined) // it may fail while the request is still being sent
    const stop = () => this.#fail(signal?.reason)
    signal?.addEventListener("abort", stop, { once: true })
    const forget = () => signal?.removeEventListener("abort", stop)
    const { method } = request
    const exchange: Exchange = { method, answer, body: null, keepAlive: false, sent: false, forget }
    this.#exchange = exchange
    try {
      signal?.throwIfAborted()
      await this.#ready
      if (this.#ended) throw this.#error ?? hungUp()
      this.#socket.ref()
      this.#socket.setTimeout(this.#times.silenceMs)
      this.#socket.resume()
      // An answer may come before all was sent, and is then the end of it.
      sendRequest(this.#socket, request, () => exchange.body !== null).then(
        (whole) => {
          exchange.sent = whole
        },
        // A write that fails may only say that it was given up; the socket says why.
        () => this.#socket.destroy(),
      )
      return await answer.promise
    } catch (error) {
      this.#fail(error)
      throw signal?.aborted ? signal.reason : error
    }
  }

  /** Ends it, whatever it is doing. */
  destroy(): void {
    this.#socket.destroy()
    this.#end()
  }

  async #connect(): Promise<void> {
    const connected = Promise.withResolvers<void>()
    const socket = this.#socket
    const { connectMs } = this.#times
    const timer = setTimeout(() => {
      connected.reject(timedOut(`no connection came about in ${connectMs / 1000} s`))
    }, connectMs)
    const failed = () => connected.reject(this.#error ?? hungUp())
    socket.once(this.#encrypted ? "secureConnect" : "connect", connected.resolve)
    socket.once("close", failed)
    try {
      await connected.promise
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      clearTimeout(timer)
      socket.off("close", failed)
    }
  }

  /** @returns whether to read on: not before somebody has taken what is in the memory that is read into. */
  #receive(bytes: Uint8Array): boolean {
    try {
      return this.#accept(bytes)
    } catch (error) {
      this.#fail(error)
      return false
    }
  }

  #accept(bytes: Uint8Array): boolean {
    const exchange = this.#exchange
    if (!exchange) throw new WireError("UNASKED", "an answer to nothing")
    const rest = exchange.body ? bytes : this.#acceptHead(exchange, bytes)
    if (!rest || !exchange.body) return true
    const beyond = exchange.body.receive(rest)
    // What nobody asked for cannot be told from the answer to the next request.
    if (beyond > 0) exchange.keepAlive = false
    return exchange.body.wantsMore
  }

  /** @returns what is behind the head, or null if it has not all come. */
  #acceptHead(exchange: Exchange, bytes: Uint8Array): Uint8Array | null {
    let seen = this.#head.length === 0 ? asBuffer(bytes) : Buffer.concat([this.#head, bytes])
    for (;;) {
      const end = endOfHead(seen)
      if (end === -1 || end > MAX_HEAD_BYTES) {
        if (seen.length > MAX_HEAD_BYTES)
          throw new WireError("HEADER_OVERFLOW", "the answer's head does not end")
        this.#head = Buffer.from(seen)
        return null
      }
      const head = parseHead(seen.toString("latin1", 0, end - 4), exchange.method)
      seen = seen.subarray(end)
      if (head.statusCode === 101) throw new WireError("UPGRADE", "the server changed the protocol")
      if (head.statusCode < 200) continue // informational: the answer follows
      this.#head = Buffer.alloc(0)
      this.#begin(exchange, head)
      return seen
    }
  }

  #begin(exchange: Exchange, head: AnswerHead): void {
    this.#socket.setTimeout(0)
    exchange.keepAlive = head.keepAlive
    this.idleUntil =
      head.idleMs === undefined
        ? Number.POSITIVE_INFINITY
        : process.uptime() + (head.idleMs - SPARE_MS) / 1000
    const body = new BodyQueue(bodyFraming(head.framing), {
      waits: !this.#encrypted,
      goOn: () => this.#socket.resume(),
      waiting: (yes) => this.#socket.setTimeout(yes ? this.#times.silenceMs : 0),
      finish: (complete) => this.#finish(exchange, complete),
    })
    exchange.body = body
    const { statusCode, headers } = head
    exchange.answer.resolve({ statusCode, headers, body })
  }

  /** The answer was taken, or given up. */
  #finish(exchange: Exchange, complete: boolean): void {
    exchange.forget()
    if (this.#exchange !== exchange) return
    // Once more after what called us: bytes behind the end of the answer, in the same piece, are noticed by then.
    queueMicrotask(() => {
      if (this.#exchange !== exchange) return
      this.#exchange = null
      if (!complete || !exchange.keepAlive || !exchange.sent) {
        this.destroy()
        return
      }
      this.#socket.setTimeout(0)
      this.#socket.unref()
      this.#socket.resume() // to see it end
      this.#onFree(this)
    })
  }

  #fallSilent(): void {
    this.#fail(timedOut(`nothing came in ${this.#times.silenceMs / 1000} s`))
  }

  #fail(error: unknown): void {
    this.#error ??= error instanceof Error ? error : hungUp(error)
    this.destroy()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.destroy()
    const exchange = this.#exchange
    const error = this.#error ?? hungUp()
    exchange?.forget()
    exchange?.answer.reject(error)
    exchange?.body?.close(error)
    if (!exchange?.body || exchange.body.ended) this.#exchange = null
    this.#onFree(this)
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** @returns where the body begins, or -1. Every line ends in CR LF; a lone LF would end it for some and not for others. */
function endOfHead(bytes: Buffer): number {
  const end = bytes.indexOf("\r\n\r\n", 0, "latin1")
  const lines = bytes.subarray(0, Math.min(end === -1 ? bytes.length : end, MAX_HEAD_BYTES))
  for (let at = lines.indexOf(LF); at !== -1; at = lines.indexOf(LF, at + 1)) {
    if (at === 0 || lines[at - 1] !== 13)
      throw new WireError("LF", "a line of the answer's head ends otherwise")
  }
  return end === -1 ? -1 : end + 4
}
