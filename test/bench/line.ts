import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { pipeline } from "node:stream/promises"
import { setTimeout as delay } from "node:timers/promises"

const PIECE_BYTES = 64 * 1024
/** How far it may fall behind and make good for it. */
const BURST_MS = 20

export interface Line extends AsyncDisposable {
  readonly endpoint: string
}

/**
 * A way to a server on which each connection brings so many bytes a second, and takes as many: as between machines that
 * are far apart, or where a service shares out what it has.
 *
 * @param endpoint - of the server: `http://host:port`.
 */
export async function openLine(endpoint: string, bytesPerSecond: number): Promise<Line> {
  const { hostname, port } = new URL(endpoint)
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    }
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      // Whoever breaks a connection off is told so on his side; here nobody is.
      pipeline(from, slowed(bytesPerSecond), to).catch(() => undefined)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function slowed(bytesPerSecond: number) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    let free = 0
    for await (const bytes of source) {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES)
        yield piece
        const now = performance.now()
        free = Math.max(free, now - BURST_MS) + (1000 * piece.length) / bytesPerSecond
        if (free > now) await delay(free - now)
      }
    }
  }
}
