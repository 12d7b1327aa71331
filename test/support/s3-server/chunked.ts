import { createHash } from "node:crypto"
import { S3Error } from "./errors.ts"
import { type Authentication, hmac, sha256Hex } from "./sigv4.ts"

const MAX_LINE_BYTES = 8192
const EMPTY_HASH = sha256Hex("")

function incomplete(what: string): S3Error {
  return new S3Error("IncompleteBody", `The aws-chunked body is broken: ${what}`)
}

/** Each signature covers the one before it, so chunks can be neither dropped nor swapped. */
class ChunkSignatures {
  readonly #authentication: Authentication
  #previous: string
  constructor(authentication: Authentication) {
    this.#authentication = authentication
    this.#previous = authentication.signature
  }
  #check(kind: string, hashes: string[], signature: string | undefined): void {
    const { signingKey, date, scope } = this.#authentication
    const toSign = [`AWS4-HMAC-SHA256-${kind}`, date, scope, this.#previous, ...hashes].join("\n")
    const expected = hmac(signingKey, toSign).toString("hex")
    if (signature !== expected)
      throw new S3Error("SignatureDoesNotMatch", "A chunk's signature does not match.")
    this.#previous = expected
  }
  checkChunk(hash: string, signature: string | undefined): void {
    this.#check("PAYLOAD", [EMPTY_HASH, hash], signature)
  }
  checkTrailer(trailers: ReadonlyMap<string, string>): void {
    const lines = [...trailers].filter(([name]) => name !== "x-amz-trailer-signature")
    const canonical = lines.map(([name, value]) => `${name}:${value}\n`).join("")
    this.#check("TRAILER", [sha256Hex(canonical)], trailers.get("x-amz-trailer-signature"))
  }
}

/** Reads `size[;chunk-signature=…]`, data, …, `0`, trailers: one line or one run of data at a time. */
class Framing {
  readonly #signatures: ChunkSignatures | undefined
  readonly #trailers: Map<string, string>
  #state: "size" | "data" | "dataEnd" | "trailer" | "done" = "size"
  #line = ""
  #remainingBytes = 0
  #signature: string | undefined
  #hash = createHash("sha256")

  constructor(signed: Authentication | undefined, trailers: Map<string, string>) {
    this.#signatures = signed === undefined ? undefined : new ChunkSignatures(signed)
    this.#trailers = trailers
  }

  #endOfChunk(): void {
    this.#signatures?.checkChunk(this.#hash.digest("hex"), this.#signature)
    this.#hash = createHash("sha256")
  }

  #endOfSize(line: string): void {
    const [size = "", ...extensions] = line.split(";")
    if (!/^[0-9a-f]{1,12}$/i.test(size)) throw incomplete(`chunk size ${JSON.stringify(size)}`)
    this.#remainingBytes = Number.parseInt(size, 16)
    this.#signature = extensions
      .find((text) => text.startsWith("chunk-signature="))
      ?.slice("chunk-signature=".length)
    if (this.#remainingBytes === 0) this.#endOfChunk()
    this.#state = this.#remainingBytes === 0 ? "trailer" : "data"
  }

  #endOfTrailers(): void {
    if (this.#trailers.size > 0) this.#signatures?.checkTrailer(this.#trailers)
    this.#state = "done"
  }

  #endOfLine(): void {
    const line = this.#line.replace(/\r$/, "")
    this.#line = ""
    if (this.#state === "size") {
      this.#endOfSize(line)
    } else if (this.#state === "dataEnd") {
      if (line !== "") throw incomplete("a chunk is longer than its size")
      this.#state = "size"
    } else if (line === "") {
      this.#endOfTrailers()
    } else {
      const colon = line.indexOf(":")
      this.#trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim())
    }
  }

  /** The data in one more buffer of the body; the buffer is not copied. */
  *read(buffer: Buffer): Generator<Buffer> {
    let offset = 0
    while (offset < buffer.length && this.#state !== "done") {
      if (this.#state === "data") {
        const data = buffer.subarray(offset, offset + this.#remainingBytes)
        offset += data.length
        this.#remainingBytes -= data.length
        if (this.#signatures !== undefined) this.#hash.update(data)
        yield data
        if (this.#remainingBytes > 0) continue
        this.#endOfChunk()
        this.#state = "dataEnd"
      } else {
        const newline = buffer.indexOf(0x0a, offset)
        this.#line += buffer.toString("latin1", offset, newline < 0 ? buffer.length : newline)
        if (this.#line.length > MAX_LINE_BYTES) throw incomplete("a line is too long")
        offset = newline < 0 ? buffer.length : newline + 1
        if (newline >= 0) this.#endOfLine()
      }
    }
  }

  end(): void {
    // Some clients leave out the last empty line.
    if (this.#state === "trailer") this.#endOfTrailers()
    if (this.#state !== "done") throw incomplete("it ends early")
  }
}

/**
 * Take the `aws-chunked` framing off a body. Bytes are given out before their chunk's signature is
 * verified, so nothing may be done with them before the iteration ends.
 *
 * @param signed - verify chunk signatures, starting from this request's own; `undefined`: they have none.
 * @param trailers - receives the trailing headers, with lower-case names.
 * @throws {S3Error} IncompleteBody, SignatureDoesNotMatch.
 * @see Amazon S3 API reference, "Transferring payload in multiple chunks"
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  signed: Authentication | undefined,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  const framing = new Framing(signed, trailers)
  for await (const buffer of source) yield* framing.read(buffer)
  framing.end()
}
