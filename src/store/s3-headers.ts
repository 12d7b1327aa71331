import { createHash } from "node:crypto"
import type { ObjectSettings } from "./store.ts"

/** A command of the SDK, as far as headers are concerned. */
interface Stacked {
  readonly middlewareStack: {
    // Each command has handlers of its own types, of which none matters here.
    add(middleware: never, options: { step: "build"; name: string; priority?: "low" }): void
  }
}

type Handler = (args: { request: unknown }) => Promise<unknown>

/** Adds headers to a request that the SDK's input has no member for. They are signed with the others. */
export function withHeaders<C extends Stacked>(command: C, headers: Readonly<Record<string, string>>): C {
  if (Object.keys(headers).length === 0) return command
  const middleware = (next: Handler) => (args: { request: unknown }) => {
    const { request } = args
    if (hasHeaders(request)) Object.assign(request.headers, headers)
    return next(args)
  }
  command.middlewareStack.add(middleware as never, { step: "build", name: "extraHeaders" })
  return command
}

/** Lets a document travel with Content-MD5 instead of the newer checksum that the SDK gives it. */
export function withMd5<C extends Stacked>(command: C): C {
  const middleware = (next: Handler) => (args: { request: unknown }) => {
    const { request } = args
    if (hasHeaders(request)) {
      const body = Reflect.get(request, "body")
      const names = Object.keys(request.headers).filter((name) => /^x-amz-(sdk-)?checksum-/.test(name))
      for (const name of names) delete request.headers[name]
      const isDocument = typeof body === "string" || body instanceof Uint8Array
      if (isDocument) request.headers["content-md5"] = createHash("md5").update(body).digest("base64")
    }
    return next(args)
  }
  command.middlewareStack.add(middleware as never, { step: "build", name: "contentMd5", priority: "low" })
  return command
}

/** Expires is a date to the SDK, and to those who set it often something else: `0`, or a date in another form. */
export function settingsHeaders({ expires }: ObjectSettings): Record<string, string> {
  return expires === undefined ? {} : { expires }
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request
}
