import type { WireAnswer } from "./http/connection.ts"
import type { ConnectionPool, Origin } from "./http/pool.ts"
import type { Pace } from "./pace.ts"
import { type DirectOutput, directOutput, parseErrorDocument, ServiceError } from "./s3-direct-answer.ts"
import {
  type DirectInput,
  type DirectOperation,
  type DirectRequest,
  directRequest,
} from "./s3-direct-request.ts"
import { overlong } from "./s3-limit.ts"
import type { Payload } from "./s3-payload.ts"
import type { Credentials, S3Signer } from "./s3-signature.ts"

/** Where the requests for one bucket go, and what all of them have in common. */
export interface Route {
  readonly origin: Origin
  /** The Host header. */
  readonly host: string
  /** In front of the key: "/", or "/bucket/". */
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
const MAX_DOCUMENT_BYTES = 64 * 1024

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
    { at, action, payload, pace, signal }: DirectOptions,
  ): Promise<DirectOutput | null> {
    const request = directRequest(operation, input)
    if (!request) return null
    const head = await headOf(route, request, payload, at)
    const { method } = request
    const wire = { method, head, body: payload?.bytes, onSent: payload?.onSent }
    const answer = await this.#pool.ask(route.origin, wire, signal)
    this.#onAnswer(answer.headers)
    const isError = answer.statusCode >= 300
    if (isError || method === "PUT") {
      const text = await textOf(answer, pace.keptBy(answer.body, action))
      // Some services answer a write with 200 and an error in the body. The SDK, too, makes it 503.
      const statusCode = isError ? answer.statusCode : 503
      if (isError || text.trimEnd().endsWith("</Error>")) {
        throw new ServiceError(parseErrorDocument(text) ?? {}, { ...answer, statusCode })
      }
    }
    try {
      return directOutput(answer.statusCode, answer.headers, answer.body)
    } catch (error) {
      await answer.body.return()
      throw error
    }
  }
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
async function textOf(answer: WireAnswer, body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of body) {
    pieces.push(piece)
    bytes += piece.length
    // The status may say enough.
    if (bytes > MAX_DOCUMENT_BYTES) throw Object.assign(overlong(MAX_DOCUMENT_BYTES), { $response: answer })
  }
  return Buffer.concat(pieces).toString()
}
