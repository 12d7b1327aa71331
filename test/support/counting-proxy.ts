import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

/** Passes TCP on to a server and counts what passes. */
export interface CountingProxy extends AsyncDisposable {
  /** To be used instead of the server's. */
  readonly endpoint: string
  /** Bytes from client to server, and back, with headers and all. */
  readonly sent: number
  readonly received: number
}

export async function startCountingProxy(endpoint: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(endpoint)
  const sockets = new Set<Socket>()
  const counts = { sent: 0, received: 0 }
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true })
    client.setNoDelay(true)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket)).on("error", () => undefined)
    }
    client.on("data", (piece) => {
      counts.sent += piece.length
    })
    upstream.on("data", (piece) => {
      counts.received += piece.length
    })
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const own = typeof address === "object" && address !== null ? address.port : 0
  return {
    endpoint: `http://127.0.0.1:${own}`,
    get sent() {
      return counts.sent
    },
    get received() {
      return counts.received
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close")
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
