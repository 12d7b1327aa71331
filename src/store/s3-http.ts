import type { ClientRequestArgs } from "node:http"
import type { RequestOptions } from "node:https"
import type { OnReadOpts } from "node:net"
import type { Duplex } from "node:stream"

// An import of "node:http" reads every member it exports, and one of them loads all of undici: a tenth of what it takes
// to start. Asked for like this, only what is used is read.
const http = process.getBuiltinModule("node:http")
const https = process.getBuiltinModule("node:https")

const READ_BYTES = 256 * 1024

/** With what of its own a request is sent. */
export interface HttpOptions {
  readonly abortSignal?: AbortSignal
}

/** The connections of one store, kept for the next request. */
export function connectionAgents(maxSockets: number) {
  const options = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets, noDelay: true }
  return { httpAgent: new ReusingHttpAgent(options), httpsAgent: new ReusingHttpsAgent(options) }
}

/** Whether a body comes straight from a socket. */
export function isAnswer(body: unknown): boolean {
  return body instanceof http.IncomingMessage
}

type Created = (error: Error | null, socket: Duplex) => void

class ReusingHttpAgent extends http.Agent {
  override createConnection(options: ClientRequestArgs, created?: Created) {
    return intoOneBuffer((onread) => super.createConnection({ ...options, ...onread }, created))
  }
}

class ReusingHttpsAgent extends https.Agent {
  override createConnection(options: RequestOptions, created?: Created) {
    return intoOneBuffer((onread) => super.createConnection({ ...options, ...onread }, created))
  }
}

/**
 * Makes a socket read into the same memory each time, where Node would take 64 KiB anew and leave them to the collector.
 * The parser of HTTP, which listens to "data", copies what it takes from there.
 *
 * @param connect - makes the socket with an option of `net.connect`.
 */
function intoOneBuffer(
  connect: (option: { onread: OnReadOpts }) => Duplex | null | undefined,
): Duplex | null | undefined {
  const onread: OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback(bytes, buffer) {
      socket?.emit("data", buffer.subarray(0, bytes))
      return true
    },
  }
  const socket = connect({ onread })
  return socket
}
