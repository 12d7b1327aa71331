import type { WireAnswer } from "./http/connection.ts"
import type { ConnectionPool, Origin } from "./http/pool.ts"
import type { Pace } from "./pace.ts"
import { type DirectOutput, directOutput, parseErrorDocument, ServiceError } from "./s3-direct-answer.ts"
import {
  type DirectInput,
  type DirectOperation,
  type DirectRequest,
  directRequest,
  type ListingInput,
} from "./s3-direct-request.ts"
import { MAX_DOCUMENT_BYTES, overlong } from "./s3-limit.ts"
import { type ListingOutput, parseListing } from "./s3-listing-document.ts"
import type { Payload } from "./s3-payload.ts"
import type { Credentials, S3Signer } from "./s3-signature.ts"

/** Where the requests for one bucket go, and what all of them have in common. */
export interface Route {
  readonly origin: Origin
  /** The Host header. */
  readonly host: string
  /** The path of the bucket, in front of keys: "/", or "/bucket/". */
  readonly base: string
  readonly userAgent: Readonly<Record<string, string>>
  readonly signer: S3Signer
  credentials(): Promise<Credentials>
}

export interface DirectOptions {
  /** The time to sign with. */
  readonly at: Date
  /** For messages. */
  readonly action: string
  readonly payload?: Payload | undefined
  /** Of an answer that is read here. */
  readonly pace: Pace
  readonly signal?: AbortSignal | undefined
}

// SHA-256 of nothing, which is what is signed where there is no body.
const NO_PAYLOAD = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
/** Of an error document that is parsed here; S3's are below 1 KiB. */
const MAX_ERROR_BYTES = 64 * 1024

/**
 * Asks what is asked by the thousand without the SDK: its middleware takes ten times what all else does that is done for a
 * small object, and loading it a quarter of what a small command takes. What is out of the ordinary is left to the SDK.
 */
export class Direct {
  readonly #pool: ConnectionPool
  readonly #onAnswer: (headers: Readonly<Record<string, string>>) => void

  /** @param onAnswer - is given the headers of each answer. */
  constructor(pool: ConnectionPool, onAnswer: (headers: Readonly<Record<string, string>>) => void) {
    this.#pool = pool
    this.#onAnswer = onAnswer
  }

  /**
   * @returns null if the SDK has to ask.
   * @throws {ServiceError} if the service answers with an error that it explains as S3 does; what the network says; the
   * signal's reason.
   */
  async ask(
    route: Route,
    operation: DirectOperation,
    input: DirectInput,
    options: DirectOptions,
  ): Promise<DirectOutput | null> {
    const request = directRequest(operation, input)
    if (!request) return null
    const answer = await this.#send(route, request, options)
    if (request.method === "PUT") refuseError(answer, await textOf(answer, options, MAX_ERROR_BYTES))
    try {
      return directOutput(answer.statusCode, answer.headers, answer.body)
    } catch (error) {
      await answer.body.return()
      throw error
    }
  }

  /**
   * As `ask`, for a page of a listing.
   *
   * @returns null, too, if the page is not as plain as S3 writes them.
   */
  async list(route: Route, input: ListingInput, options: DirectOptions): Promise<ListingOutput | null> {
    const request = directRequest("ListObjectsV2", input)
    if (!request) return null
    const answer = await this.#send(route, request, options)
    const text = await textOf(answer, options, MAX_DOCUMENT_BYTES)
    refuseError(answer, text)
    return parseListing(text)
  }

  /** @throws {ServiceError} if the status says that it is an error. */
  async #send(route: Route, request: DirectRequest, options: DirectOptions): Promise<WireAnswer> {
    const { at, payload, signal } = options
    const head = await headOf(route, request, payload, at)
    const wire = { method: request.method, head, body: payload?.bytes, onSent: payload?.onSent }
    const answer = await this.#pool.ask(route.origin, wire, signal)
    this.#onAnswer(answer.headers)
    if (answer.statusCode < 300) return answer
    throw new ServiceError(parseErrorDocument(await textOf(answer, options, MAX_ERROR_BYTES)) ?? {}, answer)
  }
}

/** Some services answer with 200 and an error in the body. The SDK, too, makes it 503. */
function refuseError(answer: WireAnswer, text: string): void {
  if (!text.trimEnd().endsWith("</Error>")) return
  throw new ServiceError(parseErrorDocument(text) ?? {}, { ...answer, statusCode: 503 })
}

async function headOf(
  route: Route,
  request: DirectRequest,
  payload: Payload | undefined,
  at: Date,
): Promise<string> {
  const { method, query } = request
  const path = route.base + request.key
  const headers: Record<string, string> = {
    ...request.headers,
    ...(payload && {
      "content-type": request.headers["content-type"] ?? "application/octet-stream",
      "content-length": String(payload.bytes.length),
      ...payload.headers,
    }),
    ...(payload ? {} : { "x-amz-content-sha256": NO_PAYLOAD }),
    ...route.userAgent,
    host: route.host,
  }
  const signed = route.signer.sign({ method, path, query, headers }, await route.credentials(), at)
  let head = `${method} ${path}${query === "" ? "" : `?${query}`} HTTP/1.1\r\n`
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`
  for (const name in signed) head += `${name}: ${signed[name]}\r\n`
  return `${head}connection: keep-alive\r\n\r\n`
}

/** @throws an error like that for any other answer without end, if it is larger than such a document can be. */
async function textOf(answer: WireAnswer, options: DirectOptions, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of options.pace.keptBy(answer.body, options.action)) {
    pieces.push(piece)
    bytes += piece.length
    // The status may say enough.
    if (bytes > maxBytes) throw Object.assign(overlong(maxBytes), { $response: answer })
  }
  return Buffer.concat(pieces).toString()
}
