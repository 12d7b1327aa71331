import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { setTimeout as delay } from "node:timers/promises"
import { discardResponse, type S3Response } from "./context.ts"
import { S3Error } from "./errors.ts"
import { corrupt, type FaultAction, type FaultPlan, type FaultRule } from "./faults.ts"
import { errorResponse, handle, type Service } from "./handler.ts"
import { parseRequest, type S3Request } from "./request.ts"
import { type Damage, send, sendDamaged } from "./send.ts"

/** What the server saw of one request. */
export interface RecordedRequest {
  method: string
  path: string
  query: Record<string, string>
  /** Such as `UploadPart`; empty if it asks for nothing S3 knows. */
  operation: string
  bucket: string | undefined
  key: string | undefined
  /** Lower-case names. */
  headers: Record<string, string>
  /** Of the body, as it came in: with framing, and only as far as it was read. */
  bytes: number
  /** 0 until there is an answer, and if there never is one. */
  status: number
  /** The S3 error code of a refusal. */
  code: string | undefined
  /** Whether a planned fault hit it. */
  faulted: boolean
}

export interface Connections extends Service {
  host: string
  faults: FaultPlan
  requests: RecordedRequest[]
  log: (line: string) => void
}

/** The connection is to be cut, or nothing is to be answered. */
class NoAnswer extends Error {
  readonly reset: boolean
  constructor(reset: boolean) {
    super(reset ? "reset by plan" : "no answer by plan")
    this.reset = reset
  }
}

function plannedResponse(action: FaultAction, request: S3Request): S3Response | undefined {
  if ("status" in action) {
    const headers: Record<string, string> =
      action.retryAfter === undefined ? {} : { "retry-after": String(action.retryAfter) }
    return errorResponse(
      new S3Error(action.code, "Planned fault", { status: action.status, headers }),
      request,
    )
  }
  if ("errorIn200" in action) {
    return errorResponse(new S3Error(action.errorIn200, "Planned fault", { status: 200 }), request)
  }
  return undefined
}

/** @returns the answer to give instead of the true one. @throws {NoAnswer} */
async function strike({ action, onStrike }: FaultRule, request: S3Request): Promise<S3Response | undefined> {
  onStrike?.()
  if ("reset" in action) throw new NoAnswer(true)
  if ("hang" in action) throw new NoAnswer(false)
  if ("delayMs" in action) await delay(action.delayMs)
  return plannedResponse(action, request)
}

function damageOf(rule: FaultRule | undefined): Damage | undefined {
  const action = rule?.action
  if (action === undefined) return undefined
  if ("truncateBodyAt" in action || "resetAfterResponseBytes" in action) return action
  return "corruptBody" in action && rule?.moment === "after" ? action : undefined
}

async function* readBody(
  message: IncomingMessage,
  recorded: RecordedRequest,
  begin: () => void,
  rule: () => FaultRule | undefined,
): AsyncGenerator<Buffer> {
  begin()
  const action = rule()?.action
  const limit =
    action !== undefined && "resetAfterRequestBytes" in action ? action.resetAfterRequestBytes : undefined
  // Stopping early must not destroy the connection: the refusal still has to be told.
  for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    recorded.bytes += chunk.length
    if (limit !== undefined && recorded.bytes >= limit) throw new NoAnswer(true)
    yield chunk
  }
}

async function answer(
  request: S3Request,
  service: Connections,
  rule: FaultRule | undefined,
  recorded: RecordedRequest,
): Promise<S3Response> {
  const before = (rule?.moment ?? "before") === "before"
  if (rule !== undefined && before) {
    const instead = await strike(rule, request)
    if (instead !== undefined) return instead
  }
  let response: S3Response
  try {
    response = await handle(request, service)
  } catch (error) {
    if (!(error instanceof S3Error)) throw error
    recorded.code = error.code
    response = errorResponse(error, request)
  }
  if (rule === undefined || before) return response
  try {
    const instead = await strike(rule, request)
    if (instead === undefined) return response
    discardResponse(response)
    return instead
  } catch (error) {
    discardResponse(response)
    throw error
  }
}

/** Serve one HTTP request from its headers to the last byte of its answer. Never rejects. */
export async function serve(
  message: IncomingMessage,
  res: ServerResponse,
  service: Connections,
  expectsContinue: boolean,
): Promise<void> {
  const id = randomBytes(8).toString("hex").toUpperCase()
  const method = message.method ?? "GET"
  const path = message.url?.split("?")[0] ?? "/"
  const recorded: RecordedRequest = {
    method,
    path,
    query: {},
    operation: "",
    bucket: undefined,
    key: undefined,
    headers: {},
    bytes: 0,
    status: 0,
    code: undefined,
    faulted: false,
  }
  service.requests.push(recorded)
  res.setHeader("x-amz-request-id", id)
  res.setHeader("server", service.dialect.serverHeader)
  res.setHeader("date", new Date(service.clock()).toUTCString())
  let continued = !expectsContinue
  const begin = () => {
    if (!continued) res.writeContinue()
    continued = true
  }
  let rule: FaultRule | undefined
  const body = () => {
    const raw = readBody(message, recorded, begin, () => rule)
    const action = (rule?.moment ?? "before") === "before" ? rule?.action : undefined
    return action !== undefined && "corruptBody" in action ? corrupt(raw, action.corruptBody) : raw
  }
  try {
    const request = parseRequest(message, body, { id, dialect: service.dialect, host: service.host })
    recorded.query = Object.fromEntries(request.query)
    recorded.headers = Object.fromEntries(request.headers)
    Object.assign(recorded, { operation: request.operation, bucket: request.bucket, key: request.key })
    rule = service.faults.take(request)
    recorded.faulted = rule !== undefined
    const response = await answer(request, service, rule, recorded)
    recorded.status = response.status
    await deliver(res, response, damageOf(rule), method, continued)
  } catch (error) {
    await giveUp(error, res, service, recorded, { id, path, method })
  } finally {
    // What is left of a refused body is read away, so that the connection can serve the next request.
    if (!message.readableEnded) message.resume()
    service.log(`${recorded.status} ${recorded.operation || method} ${path} ${recorded.bytes}`)
  }
}

async function deliver(
  res: ServerResponse,
  response: S3Response,
  damage: Damage | undefined,
  method: string,
  continued: boolean,
): Promise<void> {
  // A body that was never asked for may or may not follow.
  if (!continued) res.setHeader("connection", "close")
  if (damage === undefined) await send(res, response, method === "HEAD")
  else await sendDamaged(res, response, damage)
}

async function giveUp(
  error: unknown,
  res: ServerResponse,
  service: Connections,
  recorded: RecordedRequest,
  request: { id: string; path: string; method: string },
): Promise<void> {
  if (error instanceof NoAnswer) {
    recorded.status = 0
    if (error.reset) res.socket?.resetAndDestroy()
    return
  }
  // The client went away in the middle: there is no one to tell.
  if (res.socket === null || res.socket.destroyed || res.headersSent) {
    res.destroy()
    return
  }
  const refusal = error instanceof S3Error ? error : new S3Error("InternalError", String(error))
  if (refusal !== error) service.log(error instanceof Error ? (error.stack ?? error.message) : String(error))
  recorded.status = refusal.status
  recorded.code = refusal.code
  await send(res, errorResponse(refusal, request), request.method === "HEAD")
}
