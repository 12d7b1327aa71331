import { createReadStream } from "node:fs"
import type { ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { discardResponse, type S3Response } from "./context.ts"
import { readSlice } from "./copy.ts"
import { type Corruption, corrupt } from "./faults.ts"
import { XML_DECLARATION } from "./xml.ts"

/** How the answer's body is to be damaged on its way. */
export interface Damage {
  truncateBodyAt?: number
  keepLength?: boolean
  resetAfterResponseBytes?: number
  corruptBody?: Corruption
}

function bodyBytes(response: S3Response): number {
  if (typeof response.body === "string") return Buffer.byteLength(response.body)
  if (response.body === undefined || "late" in response.body) return 0
  return response.body.bytes
}

function hasLength(status: number): boolean {
  return status !== 204 && status !== 304
}

/** Send an answer whole, from disk as the client takes it. */
export async function send(res: ServerResponse, response: S3Response, isHead: boolean): Promise<void> {
  const { body } = response
  if (typeof body === "object" && "late" in body) {
    res.writeHead(response.status, response.headers)
    // S3 keeps the connection alive with white space while it assembles.
    res.write(`${XML_DECLARATION}\n \n`)
    res.end(await body.late)
    return
  }
  const length = hasLength(response.status) ? { "content-length": String(bodyBytes(response)) } : {}
  res.writeHead(response.status, { ...length, ...response.headers })
  if (isHead || body === undefined || typeof body === "string" || body.bytes === 0) {
    discardResponse(response)
    res.end(typeof body === "string" ? body : undefined)
    return
  }
  const { fd, start, bytes } = body
  await pipeline(createReadStream("", { fd, start, end: start + bytes - 1, highWaterMark: 512 * 1024 }), res)
}

/** The bytes up to a limit, and whether there were more. */
async function* first(source: AsyncIterable<Buffer>, limitBytes: number): AsyncGenerator<Buffer> {
  let left = limitBytes
  for await (const chunk of source) {
    yield chunk.subarray(0, left)
    left -= Math.min(left, chunk.length)
    if (left === 0) return
  }
}

/** Send an answer damaged. Documents that come late are sent whole first, so this is for stored bodies. */
export async function sendDamaged(res: ServerResponse, response: S3Response, damage: Damage): Promise<void> {
  const { body } = response
  let source: AsyncIterable<Buffer>
  if (typeof body === "object" && "fd" in body) source = readSlice(body)
  else source = Readable.from([Buffer.from(typeof body === "object" ? await body.late : (body ?? ""))])
  const total = typeof body === "object" && "fd" in body ? body.bytes : bodyBytes(response)
  if (damage.corruptBody !== undefined) source = corrupt(source, damage.corruptBody)
  const limit = Math.min(damage.truncateBodyAt ?? damage.resetAfterResponseBytes ?? total, total)
  const tellsTruth = damage.truncateBodyAt !== undefined && damage.keepLength !== true
  res.writeHead(response.status, {
    ...response.headers,
    "content-length": String(tellsTruth ? limit : total),
  })
  res.flushHeaders()
  for await (const chunk of first(source, limit)) {
    await new Promise<void>((resolve) => {
      res.write(chunk, () => resolve())
    })
  }
  if (damage.resetAfterResponseBytes !== undefined) res.socket?.resetAndDestroy()
  else if (tellsTruth || limit === total) res.end()
  else res.socket?.destroySoon()
}
