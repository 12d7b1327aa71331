// An import of "node:http" reads every member it exports, and one of them loads all of undici: a tenth of what it takes
// to start. Asked for like this, only what is used is read.
const http = process.getBuiltinModule("node:http")
const https = process.getBuiltinModule("node:https")

/** The connections of one store, kept for the next request. */
export function connectionAgents(maxSockets: number) {
  const options = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets, noDelay: true }
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) }
}

/** Whether a body comes straight from a socket. */
export function isAnswer(body: unknown): boolean {
  return body instanceof http.IncomingMessage
}
