import type { AddressInfo } from "node:net"
import { connect, createServer, type Server, type Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { describe, type Exchange, errorAnswer, type ProxyAction } from "./exchange.ts"
import { type Head, MessageReader, withHeader } from "./messages.ts"

export type { Exchange, ProxyAction } from "./exchange.ts"

export interface ProxyFault {
  /** Which exchanges may be hit; all if not given. */
  readonly when?: ((exchange: Exchange) => boolean) | undefined
  /** Of those, the first to be hit, from 1; 1 if not given. */
  readonly nth?: number | undefined
  /** How many from there on; 1 if not given. */
  readonly times?: number | undefined
  readonly action: ProxyAction
}

/**
 * A TCP proxy in front of an S3 server that knows where HTTP/1.1 messages begin and end, passes them on byte for
 * byte, and breaks those it is told to.
 */
export interface TcpProxy extends AsyncDisposable {
  /** Where clients connect to: the server's URL with another port. */
  readonly endpoint: string
  readonly exchanges: Exchange[]
  /** The fault to come, in place of any before it; undefined for none. */
  fault: ProxyFault | undefined
  /** Ends every connection. */
  disconnect(): void
}

/** @param endpoint - `http://host:port` of the server. */
export async function startTcpProxy(endpoint: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(endpoint)
  const sockets = new Set<Socket>()
  let fault: ProxyFault | undefined
  let seen = 0
  const exchanges: Exchange[] = []
  const take = (exchange: Exchange): ProxyAction | undefined => {
    if (!fault || (fault.when && !fault.when(exchange))) return undefined
    seen += 1
    const nth = fault.nth ?? 1
    return seen >= nth && seen < nth + (fault.times ?? 1) ? fault.action : undefined
  }
  const server: Server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on("error", () => undefined)
      socket.on("close", () => sockets.delete(socket))
    }
    const link = new Link(client, upstream, exchanges, take)
    void link.run().finally(() => {
      client.destroy()
      upstream.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port: own } = server.address() as AddressInfo
  const disconnect = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    endpoint: `http://127.0.0.1:${own}`,
    exchanges,
    get fault() {
      return fault
    },
    set fault(next) {
      fault = next
      seen = 0
    },
    disconnect,
    async [Symbol.asyncDispose]() {
      disconnect()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** What both directions of one exchange share. */
interface Ongoing {
  readonly exchange: Exchange
  readonly action: ProxyAction | undefined
  readonly request: Head
}

/** One client's connection and the one to the server that belongs to it. */
class Link {
  readonly #client: Socket
  readonly #upstream: Socket
  readonly #requests: MessageReader
  readonly #answers: MessageReader
  readonly #exchanges: Exchange[]
  readonly #take: (exchange: Exchange) => ProxyAction | undefined
  #coming: Promise<Head | null> | undefined

  constructor(
    client: Socket,
    upstream: Socket,
    exchanges: Exchange[],
    take: (exchange: Exchange) => ProxyAction | undefined,
  ) {
    this.#client = client
    this.#upstream = upstream
    this.#requests = new MessageReader(client)
    this.#answers = new MessageReader(upstream)
    this.#exchanges = exchanges
    this.#take = take
  }

  async run(): Promise<void> {
    for (;;) {
      // A server that ends a connection nobody uses ends the client's too, or the next request would go nowhere.
      const request = await Promise.race([this.#requests.head(), this.#nextAnswer().then(whenNull)])
      if (!request) return
      const ongoing = this.#begin(request)
      const { action } = ongoing
      if (action && "answer" in action && action.moment === "before") {
        for await (const _ of this.#requests.body(request, true));
        await this.#say(ongoing, action)
        continue
      }
      const [sent, answered] = await Promise.allSettled([this.#pass(ongoing), this.#answer(ongoing)])
      if (sent.status === "rejected" || answered.status === "rejected" || !answered.value) return
    }
  }

  #nextAnswer(): Promise<Head | null> {
    this.#coming ??= this.#answers.head()
    return this.#coming
  }

  #begin(request: Head): Ongoing {
    const length = Number(request.header("content-length") ?? 0)
    const exchange: Exchange = {
      index: this.#exchanges.length + 1,
      ...describe(request.firstLine, request.header),
      requestBytes: request.bytes.length + length,
      responseBytes: 0,
      status: 0,
      delivered: false,
      faulted: false,
    }
    this.#exchanges.push(exchange)
    const action = this.#take(exchange)
    exchange.faulted = action !== undefined
    return { exchange, action, request }
  }

  /** The request, to the server. */
  async #pass({ request, action }: Ongoing): Promise<void> {
    const cut = action && "cut" in action && action.cut === "request" ? action : undefined
    let left = cut?.after ?? Number.POSITIVE_INFINITY
    const pieces = [request.bytes, this.#requests.body(request, true)] as const
    for await (const piece of inTurn(...pieces)) {
      await write(this.#upstream, piece.subarray(0, Math.min(left, piece.length)))
      left -= piece.length
      if (left <= 0) break
    }
    if (cut) await this.#end(cut.by)
  }

  /** The server's answer, to the client. @returns whether the connection can go on. */
  async #answer(ongoing: Ongoing): Promise<boolean> {
    const { exchange, action, request } = ongoing
    const head = await this.#nextAnswer()
    this.#coming = undefined
    if (!head) {
      this.#client.destroy()
      return false
    }
    const status = Number(head.firstLine.split(" ")[1])
    exchange.status = status
    const hasBody = !request.firstLine.startsWith("HEAD ") && status !== 204 && status !== 304
    const body = this.#answers.body(head, hasBody)
    if (action && "answer" in action) {
      for await (const _ of body);
      await this.#say(ongoing, action)
      return true
    }
    if (action && "duplicate" in action) {
      const pieces = [head.bytes]
      for await (const piece of body) pieces.push(piece)
      const whole = Buffer.concat(pieces)
      await write(this.#client, whole)
      await write(this.#client, whole)
      exchange.delivered = true
      return true
    }
    if (action && "resize" in action && hasBody) return this.#resize(ongoing, action, head, body)
    if (action && "delayMs" in action) await delay(action.delayMs)
    const cut = action && "cut" in action && action.cut === "answer" ? action : undefined
    let left = cut?.after ?? Number.POSITIVE_INFINITY
    for await (const piece of inTurn(head.bytes, body)) {
      const passed = piece.subarray(0, Math.max(0, Math.min(left, piece.length)))
      if (passed.length > 0) await write(this.#client, passed)
      exchange.responseBytes += passed.length
      left -= piece.length
    }
    if (cut) {
      await this.#end(cut.by)
      return false
    }
    exchange.delivered = true
    return !/close/i.test(head.header("connection") ?? "")
  }

  async #resize(
    { exchange }: Ongoing,
    { resize, declared }: { resize: number; declared: boolean },
    head: Head,
    body: AsyncIterable<Buffer>,
  ): Promise<boolean> {
    const pieces: Buffer[] = []
    for await (const piece of body) pieces.push(piece)
    const whole = Buffer.concat(pieces)
    const bytes = Math.max(0, whole.length + resize)
    const resized = Buffer.concat([whole.subarray(0, bytes), Buffer.alloc(Math.max(0, bytes - whole.length))])
    const counted = head.header("content-length") !== undefined
    const start = declared && counted ? withHeader(head, "content-length", String(bytes)) : head.bytes
    await write(this.#client, Buffer.concat([start, resized]))
    exchange.responseBytes = start.length + resized.length
    if (!declared || !counted) this.#client.end()
    return declared && counted
  }

  async #say(
    { exchange, request }: Ongoing,
    action: Extract<ProxyAction, { answer: string }>,
  ): Promise<void> {
    const withBody = !request.firstLine.startsWith("HEAD ")
    const answer = errorAnswer(action.status, action.answer, action.headers ?? {}, withBody)
    await write(this.#client, answer)
    exchange.responseBytes = answer.length
  }

  async #end(by: "reset" | "silence"): Promise<void> {
    // Until the client loses patience; the server is left in the dark as long.
    if (by === "silence") await this.#requests.untilClosed()
    this.#upstream.resetAndDestroy()
    this.#client.resetAndDestroy()
  }
}

/** Null if that is what there is; otherwise nothing, ever. */
function whenNull(value: unknown): Promise<null> | null {
  return value === null ? null : new Promise<null>(() => undefined)
}

async function* inTurn(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  yield first
  yield* rest
}

async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (bytes.length === 0) return
  await new Promise<void>((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}
