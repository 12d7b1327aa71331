import type { Socket } from "node:net"
import type { WireRequest } from "./connection.ts"

/** Bodies up to that go out in one piece with the head. */
const TOGETHER_BYTES = 64 * 1024
const SLICE_BYTES = 512 * 1024

/**
 * Hand a request to a socket that is connected.
 *
 * @param answered - asked before each slice: with the answer at hand the rest is of no interest.
 * @returns whether all of it was sent.
 */
export async function sendRequest(
  socket: Socket,
  { head, body, onSent }: WireRequest,
  answered: () => boolean,
): Promise<boolean> {
  if (!body || body.length === 0) {
    await written((done) => socket.write(head, "latin1", done))
    return true
  }
  if (body.length <= TOGETHER_BYTES) {
    const whole = Buffer.allocUnsafe(head.length + body.length)
    whole.write(head, "latin1")
    whole.set(body, head.length)
    await written((done) => socket.write(whole, done))
    onSent?.(body.length)
    return true
  }
  for (let start = 0; start < body.length; start += SLICE_BYTES) {
    if (answered()) return false
    const slice = body.subarray(start, start + SLICE_BYTES)
    await written((done) => {
      socket.cork()
      if (start === 0) socket.write(head, "latin1")
      socket.write(slice, done)
      socket.uncork()
    })
    onSent?.(slice.length)
  }
  return true
}

function written(write: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => write((error) => (error ? reject(error) : resolve())))
}
