import type { IncomingMessage, ServerResponse } from "node:http"
import { text } from "node:stream/consumers"
import type { RecordedRequest } from "./connection.ts"
import type { Dialect } from "./dialect.ts"
import type { FaultPlan, FaultRule } from "./faults.ts"

export const CONTROL_PATH = "/_control"

/** What a program that started this server as a child may ask of it, as JSON by POST. */
export type ControlCommand =
  | { verb: "fault"; rule: FaultRule }
  | { verb: "clearFaults" }
  | { verb: "requests" }
  | { verb: "clearRequests" }
  | { verb: "storedFile"; bucket: string; key: string }
  | { verb: "dialect"; dialect: Partial<Dialect> }

export interface Controlled {
  faults: FaultPlan
  requests: RecordedRequest[]
  dialect: Dialect
  storedFile: (bucket: string, key: string) => string
}

function perform(command: ControlCommand, server: Controlled): unknown {
  switch (command.verb) {
    case "fault":
      return server.faults.add(command.rule)
    case "clearFaults":
      return server.faults.clear()
    case "requests":
      return server.requests
    case "clearRequests":
      return server.requests.splice(0).length
    case "storedFile":
      return server.storedFile(command.bucket, command.key)
    case "dialect":
      return Object.assign(server.dialect, command.dialect)
    default:
      throw new TypeError("unknown verb")
  }
}

/** Answers 200 and `{ result }`, or 400 and `{ error }`. Never rejects. */
export async function serveControl(
  message: IncomingMessage,
  res: ServerResponse,
  server: Controlled,
): Promise<void> {
  let status = 200
  let body: unknown
  try {
    body = { result: perform(JSON.parse(await text(message)) as ControlCommand, server) ?? null }
  } catch (error) {
    status = 400
    body = { error: String(error) }
  }
  res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}
