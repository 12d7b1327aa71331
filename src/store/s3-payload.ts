import { createHash } from "node:crypto"
import { Readable } from "node:stream"
import { crc32 } from "node:zlib"
import type { S3Client } from "@aws-sdk/client-s3"
import { base64, hex, u32be } from "../bytes.ts"
import { UnsupportedError } from "../errors.ts"
import type { Checksum, ChecksumChoice } from "./store.ts"

/** A request body with the headers it must travel with. */
export interface Payload {
  readonly bytes: Uint8Array
  readonly headers: Readonly<Record<string, string>>
  readonly checksum: Checksum | undefined
  /** Called with the bytes handed to the socket since the last call. */
  readonly onSent?: ((bytes: number) => void) | undefined
}

// The body object ties headers to a request: the SDK hands it through unchanged, and copies everything else.
const headersOfBody = new WeakMap<object, Readonly<Record<string, string>>>()

const SLICE_BYTES = 512 * 1024

/**
 * A body at hand. Its checksum is computed here, by native code, and travels as a header; the payload is not hashed
 * for the signature unless `sha256` asks for it.
 *
 * @param sendChecksum - false for services that refuse the header.
 * @param headers - others for the request, that the SDK's input has no member for.
 */
export function payload(
  bytes: Uint8Array,
  choice: ChecksumChoice | undefined,
  options: {
    sendChecksum: boolean
    headers?: Readonly<Record<string, string>>
    onSent?: ((bytes: number) => void) | undefined
  },
): Payload {
  const { checksum, signature } = digest(bytes, choice)
  return {
    bytes,
    headers: {
      ...options.headers,
      "x-amz-content-sha256": signature,
      ...(checksum && options.sendChecksum && { [`x-amz-checksum-${checksum.kind}`]: checksum.value }),
    },
    checksum: options.sendChecksum ? checksum : undefined,
    onSent: options.onSent,
  }
}

/** As the SDK takes it: in slices, each reported when it is handed to the socket, where somebody wants to know. */
export function bodyInput({ bytes, headers, onSent }: Payload): {
  Body: Uint8Array | Readable
  ContentLength: number
} {
  // A view of its own, as the same buffer may be on its way in another request.
  const Body = onSent ? sliced(bytes, onSent) : bytes.subarray()
  headersOfBody.set(Body, headers)
  return { Body, ContentLength: bytes.length }
}

function digest(
  body: Uint8Array,
  choice: ChecksumChoice = "auto",
): { checksum?: Checksum; signature: string } {
  switch (choice) {
    case "sha256": {
      const value = createHash("sha256").update(body).digest()
      return { checksum: { kind: "sha256", value: base64(value) }, signature: hex(value) }
    }
    case "crc64nvme":
      throw new UnsupportedError("cannot compute CRC64NVME: this Node has no native code for it", {
        feature: "crc64nvme",
        hint: "use --checksum crc32",
      })
    case "none":
      return { signature: "UNSIGNED-PAYLOAD" }
    default:
      return { checksum: { kind: "crc32", value: base64(u32be(crc32(body))) }, signature: "UNSIGNED-PAYLOAD" }
  }
}

function sliced(body: Uint8Array, onSent: (bytes: number) => void): Readable {
  let offset = 0
  return new Readable({
    highWaterMark: SLICE_BYTES,
    read() {
      const slice = body.subarray(offset, offset + SLICE_BYTES)
      offset += slice.length
      onSent(slice.length)
      this.push(slice)
      if (offset === body.length) this.push(null)
    },
  })
}

/** Gives every request the headers its body was prepared with; bodies nobody prepared go unsigned. */
export function addPayloadHeaders(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args
      if (isRequest(request)) Object.assign(request.headers, preparedHeaders(request.body))
      return next(args)
    },
    { step: "build", priority: "high", name: "payloadHeaders" },
  )
}

/** What a request with that body is to be sent with; nothing if nobody prepared it. */
export function preparedHeaders(body: unknown): Readonly<Record<string, string>> | undefined {
  return typeof body === "object" && body !== null ? headersOfBody.get(body) : undefined
}

/** For bodies made elsewhere: those of streamed parts. */
export function setPayloadHeaders(body: object, headers: Readonly<Record<string, string>>): void {
  headersOfBody.set(body, headers)
}

function isRequest(request: unknown): request is { headers: Record<string, string>; body: unknown } {
  return typeof request === "object" && request !== null && "headers" in request && "body" in request
}
