import { randomUUID } from "node:crypto"
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline } from "node:stream/promises"
import { HEADER_BYTES, SEAL_BYTES } from "../../../src/agcm/layout.ts"
import { openEnvelope } from "../../../src/envelope/envelope.ts"
import { fromUserMetadata } from "../../../src/envelope/metadata.ts"
import type { Kek } from "../../../src/keys/kek.ts"
import { renderXml, XML_DECLARATION } from "../../support/s3-server/xml.ts"
import { HollowObject, type KeptPart } from "./object.ts"

/** How to answer a range of an object. */
interface Stored {
  readonly bytes: number
  read(start: number, end: number): Iterable<Uint8Array>
}

interface Entry {
  readonly stored: Stored
  readonly headers: Readonly<Record<string, string>>
}

const META = "x-amz-meta-"
const LAST_MODIFIED = new Date(0).toUTCString()

/**
 * An S3 server that throws away what it receives and makes it again when asked: objects of any size need no room and
 * no disk. It does so for objects of s3ep whose plaintext is all zeros, and for others takes the stored bytes for
 * zeros. Signatures and checksums are not looked at.
 *
 * @param kek - opens the envelopes of the former.
 */
export class HollowServer {
  readonly #kek: Kek
  readonly #uploads = new Map<string, { headers: Readonly<Record<string, string>>; parts: KeptPart[] }>()
  readonly #objects = new Map<string, Entry>()
  readonly #server = createServer({ requestTimeout: 0, keepAliveTimeout: 120_000 }, (request, response) => {
    this.#serve(request, response).catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
      response.destroy()
    })
  })

  constructor(kek: Kek) {
    this.#kek = kek
  }

  /** @returns the endpoint. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://hollow")
    const [, bucket = "", ...rest] = pathname.split("/")
    const key = decodeURIComponent(rest.join("/"))
    const uploadId = searchParams.get("uploadId")
    switch (request.method) {
      case "PUT": {
        const part = await discard(request)
        if (uploadId !== null) {
          this.#upload(uploadId).parts[Number(searchParams.get("partNumber")) - 1] = part
        } else if (key !== "") {
          await this.#store(key, [part], keptHeaders(request.headers))
        }
        response.writeHead(200, { etag: `"${randomUUID()}"`, "content-length": 0 }).end()
        return
      }
      case "POST": {
        await discard(request)
        const address = { Bucket: bucket, Key: key }
        if (searchParams.has("uploads")) {
          const UploadId = randomUUID()
          this.#uploads.set(UploadId, { headers: keptHeaders(request.headers), parts: [] })
          return sendXml(response, renderXml("InitiateMultipartUploadResult", { ...address, UploadId }))
        }
        const { headers, parts } = this.#upload(uploadId)
        const ETag = await this.#store(key, parts, headers)
        return sendXml(response, renderXml("CompleteMultipartUploadResult", { ...address, ETag }))
      }
      case "DELETE":
        this.#objects.delete(key)
        response.writeHead(204).end()
        return
      default:
        return key === "" ? void response.writeHead(200).end() : this.#send(key, request, response)
    }
  }

  async #send(key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const entry = this.#objects.get(key)
    if (!entry) return void response.writeHead(404).end()
    const { stored, headers } = entry
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")
    const start = Number(range?.[1] ?? 0)
    const end = Math.min(Number(range?.[2] ?? stored.bytes - 1) + 1, stored.bytes)
    const said = range ? { "content-range": `bytes ${start}-${end - 1}/${stored.bytes}` } : {}
    response.writeHead(range ? 206 : 200, { ...headers, ...said, "content-length": end - start })
    if (request.method === "HEAD") response.end()
    else await pipeline(stored.read(start, end), response)
  }

  async #store(key: string, parts: KeptPart[], headers: Readonly<Record<string, string>>): Promise<string> {
    const metadata = Object.entries(headers).map(([name, value]) => [name.slice(META.length), value])
    const envelope = fromUserMetadata(Object.fromEntries(metadata))
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
    const stored = envelope
      ? new HollowObject(parts, (await openEnvelope(envelope, { objectKey: key, readers: [this.#kek] })).dek)
      : { bytes, read: zeros }
    const etag = `"${randomUUID()}"`
    this.#objects.set(key, { stored, headers: { ...headers, etag, "last-modified": LAST_MODIFIED } })
    return etag
  }

  #upload(uploadId: string | null) {
    const upload = this.#uploads.get(uploadId ?? "")
    if (!upload) throw new Error(`no upload ${uploadId}`)
    return upload
  }
}

/** Read a body to its end and keep what a `HollowObject` needs of it. */
async function discard(request: IncomingMessage): Promise<KeptPart> {
  let bytes = 0
  let head: Uint8Array = new Uint8Array()
  let tail: Uint8Array = new Uint8Array()
  request.on("data", (piece: Buffer) => {
    if (bytes < HEADER_BYTES) head = Buffer.concat([head, piece.subarray(0, HEADER_BYTES - bytes)])
    tail = Buffer.concat([tail, piece.subarray(-SEAL_BYTES)]).subarray(-SEAL_BYTES)
    bytes += piece.length
  })
  await new Promise((resolve, reject) => {
    request.on("end", resolve)
    request.on("error", reject)
  })
  return { bytes, head, tail }
}

const ZEROS = new Uint8Array(1024 * 1024)

function* zeros(start: number, end: number): Generator<Uint8Array, void, undefined> {
  for (let left = end - start; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left)
}

function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => name.startsWith(META))
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]))
}

function sendXml(response: ServerResponse, document: string): void {
  response.writeHead(200, { "content-type": "application/xml" }).end(XML_DECLARATION + document)
}
