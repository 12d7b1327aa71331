import { createHash, type Hash, randomUUID } from "node:crypto"
import { fstatSync, readSync } from "node:fs"
import { open, rm } from "node:fs/promises"
import path from "node:path"
import {
  type ChecksumAlgorithm,
  checksumAlgorithms,
  checksumHeader,
  createDigester,
  digestBytes,
  parseAlgorithm,
} from "./checksums.ts"
import { decodeAwsChunked } from "./chunked.ts"
import type { Dialect } from "./dialect.ts"
import { refuseIf, S3Error } from "./errors.ts"
import type { S3Request } from "./request.ts"
import type { Authentication } from "./sigv4.ts"

const WRITE_BYTES = 1024 * 1024
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024

/** A body without its framing, and what the request claims about it. */
export interface Payload {
  /** Its end is reached only if the length and the payload hash are right. */
  readonly chunks: () => AsyncIterable<Buffer>
  /** The checksum the client chose, known from the headers before the body. */
  readonly algorithm: ChecksumAlgorithm | undefined
  /** Base64, from a header or, once the body was read, from the trailer. */
  readonly claimedChecksum: () => string | undefined
  /** Base64. */
  readonly contentMd5: string | undefined
}

/** A body on disk. */
export interface Received {
  file: string
  bytes: number
  /** Hex; `undefined` if it was not asked for. */
  md5: string | undefined
  /** Base64 of every algorithm asked for. */
  checksums: Map<ChecksumAlgorithm, string>
}

async function* checkedLength(source: AsyncIterable<Buffer>, expectedBytes: number | undefined) {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    yield chunk
  }
  refuseIf(
    expectedBytes !== undefined && bytes !== expectedBytes,
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length header",
  )
}

async function* checkedHash(source: AsyncIterable<Buffer>, expectedHex: string) {
  const hash = createHash("sha256")
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
  refuseIf(
    hash.digest("hex") !== expectedHex,
    "XAmzContentSHA256Mismatch",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  )
}

function chosenAlgorithm(request: S3Request): ChecksumAlgorithm | undefined {
  const trailer = request.headers.get("x-amz-trailer")?.trim().toLowerCase()
  const inHeader = checksumAlgorithms.filter((algorithm) => request.headers.has(checksumHeader(algorithm)))
  refuseIf(inHeader.length > 1, "InvalidRequest", "Expecting a single x-amz-checksum- header.")
  const [algorithm] = inHeader
  const inTrailer = checksumAlgorithms.find((candidate) => checksumHeader(candidate) === trailer)
  refuseIf(trailer !== undefined && inTrailer === undefined, "InvalidRequest", "Unknown x-amz-trailer")
  const announced = request.headers.get("x-amz-sdk-checksum-algorithm")
  if (announced !== undefined && parseAlgorithm(announced) === undefined) {
    throw new S3Error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
  }
  return algorithm ?? inTrailer
}

function refuseByDialect(request: S3Request, dialect: Dialect): void {
  if (request.headers.has("x-amz-trailer")) {
    if (dialect.trailers === "411") throw new S3Error("MissingContentLength", "MissingContentLength")
    if (dialect.trailers === "501") throw new S3Error("NotImplemented", "A trailer is not implemented")
  }
  if (dialect.crc32 === "ok" || dialect.crc32 === "ignored") return
  const asks = [...request.headers].some(
    ([name, value]) =>
      /^x-amz-(checksum-(?!mode)|sdk-checksum-)/.test(name) ||
      (name === "x-amz-trailer" && /checksum/.test(value)),
  )
  if (!asks) return
  throw dialect.crc32 === "501"
    ? new S3Error("NotImplemented", "A header you provided implies functionality that is not implemented.")
    : new S3Error("InvalidArgument", "Unsupported header 'x-amz-checksum' received for this API call.")
}

function lengthHeader(request: S3Request, name: string): number | undefined {
  const text = request.headers.get(name)
  if (text === undefined) return undefined
  refuseIf(!/^\d+$/.test(text), "InvalidArgument", `${name} is not a length`)
  return Number(text)
}

function unframe(request: S3Request, authentication: Authentication, trailers: Map<string, string>) {
  const hash = authentication.payloadHash
  const raw = request.body()
  const contentLength = lengthHeader(request, "content-length")
  const decodedLength = lengthHeader(request, "x-amz-decoded-content-length")
  const signedChunks = hash.startsWith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
  if (signedChunks || hash === "STREAMING-UNSIGNED-PAYLOAD-TRAILER") {
    refuseIf(decodedLength === undefined, "MissingContentLength", "x-amz-decoded-content-length is missing")
    const body = checkedLength(raw, contentLength)
    return checkedLength(
      decodeAwsChunked(body, signedChunks ? authentication : undefined, trailers),
      decodedLength,
    )
  }
  const body = checkedLength(raw, contentLength)
  if (hash === "UNSIGNED-PAYLOAD") return body
  refuseIf(
    !/^[0-9a-f]{64}$/.test(hash),
    "InvalidArgument",
    "x-amz-content-sha256 is no hash and no known marker",
  )
  return checkedHash(body, hash)
}

/**
 * Look at how a body is framed and vouched for; nothing is read before `chunks` is iterated.
 *
 * @throws {S3Error} for what the headers alone already show to be wrong.
 */
export function openPayload(request: S3Request, authentication: Authentication, dialect: Dialect): Payload {
  refuseByDialect(request, dialect)
  const algorithm = dialect.crc32 === "ignored" ? undefined : chosenAlgorithm(request)
  const header = algorithm === undefined ? undefined : checksumHeader(algorithm)
  const claimed = header === undefined ? undefined : request.headers.get(header)
  // On Complete the header is the object's, which may be a checksum of checksums.
  if (algorithm !== undefined && claimed !== undefined && request.operation !== "CompleteMultipartUpload") {
    checkDigestForm(algorithm, claimed)
  }
  const contentMd5 = request.headers.get("content-md5")
  refuseIf(
    contentMd5 !== undefined && Buffer.from(contentMd5, "base64").length !== 16,
    "InvalidDigest",
    "The Content-MD5 you specified is not valid.",
  )
  const trailers = new Map<string, string>()
  return {
    chunks: () => unframe(request, authentication, trailers),
    algorithm,
    claimedChecksum: () => claimed ?? (header === undefined ? undefined : trailers.get(header)),
    contentMd5,
  }
}

function checkDigestForm(algorithm: ChecksumAlgorithm, value: string): void {
  refuseIf(
    Buffer.from(value, "base64").length !== digestBytes(algorithm),
    "InvalidRequest",
    `Value for ${checksumHeader(algorithm)} header is invalid.`,
  )
}

/** Whoever iterates feeds these and compares at the end. */
class Digests {
  readonly #md5: Hash | undefined
  readonly #digesters
  bytes = 0
  constructor(algorithms: Iterable<ChecksumAlgorithm>, md5: boolean) {
    this.#md5 = md5 ? createHash("md5") : undefined
    this.#digesters = new Map([...new Set(algorithms)].map((name) => [name, createDigester(name)] as const))
  }
  update(chunk: Buffer): void {
    this.bytes += chunk.length
    this.#md5?.update(chunk)
    for (const digester of this.#digesters.values()) digester.update(chunk)
  }
  finish(payload: Omit<Payload, "chunks"> | undefined): Omit<Received, "file"> {
    const md5 = this.#md5?.digest()
    const checksums = new Map(
      [...this.#digesters].map(([name, digester]) => [name, digester.digest().toString("base64")] as const),
    )
    if (payload?.contentMd5 !== undefined && payload.contentMd5 !== md5?.toString("base64")) {
      throw new S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")
    }
    if (payload?.algorithm !== undefined) {
      const claimed = payload.claimedChecksum()
      refuseIf(claimed === undefined, "InvalidRequest", "The announced checksum trailer is missing")
      if (claimed !== checksums.get(payload.algorithm)) {
        throw new S3Error(
          "BadDigest",
          `The ${payload.algorithm} you specified did not match what we received.`,
        )
      }
    }
    return { bytes: this.bytes, md5: md5?.toString("hex"), checksums }
  }
}

const SAMPLES = 16

/**
 * Whether a file has no bytes of its own on the disk. File systems keep small ones elsewhere, and some count blocks
 * late: so small files never count, and of the others a few places are looked at.
 */
export function isHole(fd: number): boolean {
  const { blocks, size } = fstatSync(fd)
  if (blocks > 0 || size < zeros.length) return false
  const sample = Buffer.alloc(4096)
  return Array.from({ length: SAMPLES }).every((_, index) => {
    readSync(fd, sample, 0, sample.length, Math.floor((index * (size - sample.length)) / SAMPLES))
    return isZero(sample)
  })
}

const zeros = Buffer.alloc(1024 * 1024)

/** At most 1 MiB: more than that is not looked at. */
export function isZero(bytes: Buffer): boolean {
  return bytes.length <= zeros.length && bytes.equals(zeros.subarray(0, bytes.length))
}

/**
 * Stream bytes into a new file, and verify what was claimed about them.
 *
 * @param options - `claims`: what to verify, nothing for bytes that are the server's own; `extra`:
 *   a checksum to compute besides the claimed one; `md5`: whether to compute it even if it is not claimed;
 *   `holes`: where a chunk is all zeros, leave a hole.
 * @returns the file belongs to the caller. On any failure it is gone.
 */
export async function receive(
  chunks: AsyncIterable<Buffer>,
  directory: string,
  options: {
    claims?: Omit<Payload, "chunks">
    extra?: ChecksumAlgorithm | undefined
    md5: boolean
    holes?: boolean
  },
): Promise<Received> {
  const file = path.join(directory, randomUUID())
  const { claims, extra } = options
  const algorithms = [claims?.algorithm, extra].filter((name) => name !== undefined)
  const digests = new Digests(algorithms, options.md5 || claims?.contentMd5 !== undefined)
  const handle = await open(file, "wx")
  try {
    let pending: Buffer[] = []
    let pendingBytes = 0
    let position = 0
    let writing: Promise<unknown> = Promise.resolve()
    const flush = async () => {
      await writing
      if (pendingBytes > 0) writing = handle.writev(pending, position)
      // The next await on it reports a failure; this only keeps it from being called unhandled.
      writing.catch(() => undefined)
      position += pendingBytes
      pending = []
      pendingBytes = 0
    }
    for await (const chunk of chunks) {
      digests.update(chunk)
      if (options.holes && isZero(chunk)) {
        await flush()
        position += chunk.length
        continue
      }
      pending.push(chunk)
      pendingBytes += chunk.length
      if (pendingBytes >= WRITE_BYTES) await flush()
    }
    await flush()
    await writing
    if (options.holes) await handle.truncate(position)
    const result = digests.finish(claims)
    await handle.close()
    return { file, ...result }
  } catch (error) {
    await handle.close()
    await rm(file, { force: true })
    throw error
  }
}

/** A small body whole, as text, verified the same way. */
export async function readDocument(payload: Payload): Promise<string> {
  const digests = new Digests(
    payload.algorithm === undefined ? [] : [payload.algorithm],
    payload.contentMd5 !== undefined,
  )
  const parts: Buffer[] = []
  for await (const chunk of payload.chunks()) {
    digests.update(chunk)
    parts.push(chunk)
    refuseIf(digests.bytes > MAX_DOCUMENT_BYTES, "EntityTooLarge", "The document is too large")
  }
  digests.finish(payload)
  return Buffer.concat(parts).toString("utf8")
}
