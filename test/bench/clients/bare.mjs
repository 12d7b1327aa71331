/**
 * The limit: bytes from a file to URLs, or back, over Node's HTTP client and nothing else. No S3, no signing, no
 * checksum, no encryption. `node bare.mjs put|get FILE PLAN`, where PLAN is a JSON file with `connections` and
 * `pieces`, each a `url` with the `offset` and `bytes` it stands for. ETags are written to PLAN.done.
 */
import { writeSync } from "node:fs"
import { open, readFile, writeFile } from "node:fs/promises"
import http from "node:http"
import https from "node:https"
import { connect } from "node:net"
import { connect as connectTls } from "node:tls"

const READ_BYTES = 256 * 1024

const [work, path, planFile] = process.argv.slice(2)
const { connections, pieces } = JSON.parse(await readFile(planFile, "utf8"))
const secure = pieces[0].url.startsWith("https:")
const { request, Agent } = secure ? https : http
const agent = new Agent({ keepAlive: true, maxSockets: connections })
// One buffer for each socket instead of one for each read: http copies what it keeps.
agent.createConnection = (options) => {
  const callback = (bytes, buffer) => {
    socket.emit("data", buffer.subarray(0, bytes))
    return true
  }
  const onread = { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback }
  const socket = (secure ? connectTls : connect)({ ...options, onread })
  return socket
}
const file = await open(path, work === "put" ? "r" : "w")
const etags = []

function send(url, options, body) {
  return new Promise((resolve, reject) => {
    const sending = request(url, { agent, ...options }, (response) => {
      if (response.statusCode >= 300) reject(new Error(`${options.method} ${url}: ${response.statusCode}`))
      resolve(response)
    })
    sending.on("error", reject)
    sending.end(body)
  })
}

async function put(piece, index, buffer) {
  const { bytesRead } = await file.read(buffer, 0, piece.bytes, piece.offset)
  if (bytesRead !== piece.bytes) throw new Error("the file is shorter than planned")
  const headers = { "content-length": piece.bytes }
  const response = await send(piece.url, { method: "PUT", headers }, buffer.subarray(0, piece.bytes))
  etags[index] = response.headers.etag
  for await (const _ of response);
}

async function get(piece) {
  const headers = { range: `bytes=${piece.offset}-${piece.offset + piece.bytes - 1}` }
  const response = await send(piece.url, { method: "GET", headers })
  let position = piece.offset
  for await (const bytes of response) {
    // The cheapest way there is: without a trip to the thread pool for each 64 KiB.
    writeSync(file.fd, bytes, 0, bytes.length, position)
    position += bytes.length
    // Left to the garbage collector, memory would cost more than all the rest.
    if (bytes.buffer.byteLength === bytes.length) bytes.buffer.transfer(0)
  }
  if (position !== piece.offset + piece.bytes) throw new Error("less came than was asked for")
}

const queue = pieces.entries()
const worker = async () => {
  const buffer =
    work === "put" ? Buffer.allocUnsafeSlow(Math.max(...pieces.map(({ bytes }) => bytes))) : undefined
  for (const [index, piece] of queue) await (work === "put" ? put(piece, index, buffer) : get(piece))
}
await Promise.all(Array.from({ length: connections }, worker))
await file.close()
agent.destroy()
await writeFile(`${planFile}.done`, JSON.stringify(etags))
