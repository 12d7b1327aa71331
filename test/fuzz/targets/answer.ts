import { Connection } from "../../../src/store/http/connection.ts"
import { parseErrorDocument } from "../../../src/store/s3-direct-answer.ts"
import { scriptedSocket } from "../../support/scripted-socket.ts"
import { all, textOf } from "../support.ts"

const METHODS = ["GET", "HEAD", "PUT"]
const MAX_PIECE_BYTES = 65_536

/** What a server answers, and how it is cut on the way: refused with an error of its own, or read in one way only. */
export async function fuzz(data: Uint8Array): Promise<void> {
  const [mode = 0, cut = 0] = data
  const bytes = data.subarray(2)
  const method = METHODS[mode % METHODS.length] ?? "GET"
  parseErrorDocument(textOf(bytes))
  const whole = await read(method, bytes, MAX_PIECE_BYTES)
  const inPieces = await read(method, bytes, 1 + (cut % 16))
  if (whole !== inPieces) throw new Error(`read as ${whole}, and in pieces as ${inPieces}`)
}

async function read(method: string, bytes: Uint8Array, pieceBytes: number): Promise<string> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  )
  const connection = new Connection((onread) => scriptedSocket(pieces, onread), {
    encrypted: false,
    times: { connectMs: 10_000, silenceMs: 10_000 },
    onFree: () => undefined,
  })
  try {
    const { statusCode, headers, body } = await connection.ask({
      method,
      head: `${method} / HTTP/1.1\r\n\r\n`,
    })
    return JSON.stringify([statusCode, headers, Buffer.from(await all(body)).toString("latin1")])
  } catch (error) {
    const code = error instanceof Error ? Reflect.get(error, "code") : undefined
    if (typeof code !== "string" || !/^(HPE_\w+|ECONNRESET)$/.test(code)) throw error
    return "refused"
  } finally {
    connection.destroy()
  }
}
