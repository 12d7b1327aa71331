import { once } from "node:events"
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { type S3Server, type S3ServerOptions, startS3Server } from "./s3-server/index.ts"

/** A request, and what an honest server answers to it. */
export interface Exchange {
  /** How many requests there were, this one included. */
  readonly count: number
  readonly method: string
  readonly url: URL
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** What is sent instead, byte for byte: headers need not fit the body, and the body need not end. */
export interface Lie {
  readonly status?: number | undefined
  /** Instead of the honest ones. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Uint8Array | Iterable<Uint8Array> | undefined
  /** Instead of everything: what goes onto the wire. */
  readonly raw?: Uint8Array | string | undefined
}

export interface HostileServer extends AsyncDisposable {
  readonly honest: S3Server
  readonly endpoint: string
  /** What a child or `runCli` needs to reach it. */
  readonly env: Readonly<Record<string, string>>
  /** Called for every request while it is set; what it returns is sent, the honest answer if that is nothing. */
  lie: ((exchange: Exchange) => Lie | undefined) | undefined
  /** Of all answers so far. */
  readonly sentBytes: number
  readonly requests: number
}

/**
 * A server that stands before an honest one and may say anything. It sends on a connection until the other side hangs
 * up, so `sentBytes` says how much of an endless answer a client took.
 */
export async function startHostileServer(options: S3ServerOptions = {}): Promise<HostileServer> {
  const honest = await startS3Server(options)
  let sentBytes = 0
  let requests = 0
  const server = createServer((message, res) => {
    void relay(message, res)
  })
  const hostile: { lie: HostileServer["lie"] } = { lie: undefined }

  async function relay(message: IncomingMessage, res: ServerResponse): Promise<void> {
    const count = ++requests
    const sent = await buffer(message)
    const { method = "GET", url: path = "/", headers: given } = message
    const forwarded = httpRequest(honest.endpoint, { method, path, headers: given })
    forwarded.end(sent)
    const [answer]: IncomingMessage[] = await once(forwarded, "response")
    if (!answer) throw new Error("no answer")
    const body = await buffer(answer)
    const url = new URL(path, honest.endpoint)
    const { statusCode: status = 500 } = answer
    const headers = plain(answer.headers)
    const exchange = { count, method, url, requestHeaders: plain(given), status, headers, body }
    const lie = hostile.lie?.(exchange) ?? {}
    const { socket } = res
    if (!socket) return
    socket.on("error", () => undefined)
    const head = lie.headers ?? headers
    const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`)
    const start = `HTTP/1.1 ${lie.status ?? status} X\r\n${lines.join("")}connection: close\r\n\r\n`
    async function* wire(): AsyncGenerator<Uint8Array> {
      if (lie.raw !== undefined) return yield Buffer.from(lie.raw as string)
      yield Buffer.from(start, "latin1")
      if (method === "HEAD") return
      const content = lie.body ?? body
      yield* content instanceof Uint8Array ? [content] : content
    }
    // Node would correct what is wrong about an answer.
    for await (const piece of wire()) {
      if (socket.destroyed) return
      sentBytes += piece.length
      if (!socket.write(piece))
        await Promise.race([once(socket, "drain"), once(socket, "close")]).catch(() => undefined)
    }
    socket.end()
  }

  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const endpoint = `http://127.0.0.1:${port}`
  return {
    honest,
    endpoint,
    env: {
      S3EP_ENDPOINT: endpoint,
      S3EP_REGION: honest.region,
      S3EP_PATH_STYLE: "true",
      S3EP_SERVICE: "generic",
      AWS_ACCESS_KEY_ID: honest.accessKeyId,
      AWS_SECRET_ACCESS_KEY: honest.secretAccessKey,
    },
    get lie() {
      return hostile.lie
    },
    set lie(lie) {
      hostile.lie = lie
    },
    get sentBytes() {
      return sentBytes
    },
    get requests() {
      return requests
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
      await honest.close()
    },
  }
}

/** A body without end, made of one piece over and over. */
export function* endless(piece: Uint8Array | string): Generator<Uint8Array> {
  const bytes = Buffer.from(piece as string)
  for (;;) yield bytes
}

function plain(headers: IncomingMessage["headers"]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
