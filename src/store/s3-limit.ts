import { Readable, Transform } from "node:stream"
import { OVERLONG_CODE } from "./s3-errors.ts"

/** A page of a listing has a thousand entries, each with a key of 3 KiB at most once it is encoded. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 ** 2

/**
 * Cuts an answer off that the SDK would gather in memory whole, however long it is: any but the body of an object.
 *
 * @param response - as it came from the connection; its body is replaced.
 */
export function limitDocument(response: unknown, command: string | undefined): void {
  if (typeof response !== "object" || response === null) return
  const body: unknown = Reflect.get(response, "body")
  const isObject = command === "GetObjectCommand" && Number(Reflect.get(response, "statusCode")) < 300
  if (isObject || !(body instanceof Readable)) return
  let bytes = 0
  const limited = new Transform({
    transform(piece: Uint8Array, _encoding, done) {
      bytes += piece.length
      done(bytes > MAX_DOCUMENT_BYTES ? overlong(MAX_DOCUMENT_BYTES) : null, piece)
    },
  })
  body.once("error", (error) => limited.destroy(error))
  limited.once("close", () => body.destroy())
  Reflect.set(response, "body", body.pipe(limited))
}

/** The answer had no more than that to say. */
export function overlong(bytes: number): Error {
  return Object.assign(new Error(`an answer of more than ${bytes} bytes`), {
    code: OVERLONG_CODE,
  })
}
