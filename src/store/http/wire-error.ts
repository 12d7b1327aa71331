/** What came is not HTTP, or not all of it came. The code says so to whoever makes an error for the user of it. */
export class WireError extends Error {
  readonly code: string

  /** @param what - follows "HPE_" in the code, as with the errors of Node's own parser. */
  constructor(what: string, message: string) {
    super(message)
    this.name = "WireError"
    this.code = `HPE_${what}`
  }
}

/** The connection ended before the answer did; named as Node names it. */
export function hungUp(cause?: unknown): Error {
  return Object.assign(new Error("socket hang up", { cause }), { code: "ECONNRESET" })
}

/** Nothing came, for so long. */
export function timedOut(message: string): Error {
  return Object.assign(new Error(message), { name: "TimeoutError", code: "ETIMEDOUT" })
}
