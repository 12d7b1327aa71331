import { EventEmitter } from "node:events"
import type { OnReadOpts, Socket } from "node:net"

/** A socket that brings what it is given as soon as it is read from, in pieces, and then ends. */
export function scriptedSocket(pieces: readonly Uint8Array[], onread: OnReadOpts): Socket {
  const { buffer, callback } = onread
  const memory = typeof buffer === "function" ? buffer() : buffer
  const socket = new EventEmitter()
  let at = 0
  let asked = false
  let running = false
  let gone = false
  const bring = () => {
    running = false
    if (gone || !asked) return
    const piece = pieces[at++]
    if (!piece) {
      socket.emit("end")
      return
    }
    memory.set(piece)
    if (callback(piece.length, memory)) resume()
  }
  const resume = () => {
    if (!asked || running || gone) return
    running = true
    setImmediate(bring)
  }
  const write = (...given: unknown[]) => {
    asked = true
    const done = given.at(-1)
    if (typeof done === "function") queueMicrotask(() => done())
    resume()
    return true
  }
  const destroy = () => {
    if (gone) return
    gone = true
    setImmediate(() => socket.emit("close"))
  }
  const nothing = () => socket
  const rest = { cork: nothing, uncork: nothing, setTimeout: nothing, ref: nothing, unref: nothing }
  setImmediate(() => socket.emit("connect"))
  return Object.assign(socket, { write, resume, destroy, ...rest }) as unknown as Socket
}
