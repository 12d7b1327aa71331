import { timingSafeEqual } from "node:crypto"

const utf8Encoder = new TextEncoder()
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** UTF-8 bytes of a string, in memory of their own. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return utf8Encoder.encode(text)
}

/** @throws {TypeError} if the bytes are not well-formed UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes)
}

/** All parts one after the other, in memory of their own (never Node's shared pool). */
export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** Constant-time comparison; lengths are public and may differ. */
export function equalSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

export function hex(bytes: Uint8Array): string {
  return view(bytes).toString("hex")
}

/** Strict: an even number of hexadecimal digits, in any case, and nothing else; otherwise null. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | null {
  return /^(?:[0-9a-f]{2})*$/i.test(text) ? owned(Buffer.from(text, "hex")) : null
}

export function base64(bytes: Uint8Array): string {
  return view(bytes).toString("base64")
}

/** Strict: the standard alphabet, padded, in its one canonical spelling; otherwise null. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  const bytes = owned(Buffer.from(text, "base64"))
  return base64(bytes) === text ? bytes : null
}

export function base64url(bytes: Uint8Array): string {
  return view(bytes).toString("base64url")
}

/** Strict: the URL-safe alphabet, without padding, in its one canonical spelling; otherwise null. */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  const bytes = owned(Buffer.from(text, "base64url"))
  return base64url(bytes) === text ? bytes : null
}

export function u32le(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

export function u32be(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, false)
  return bytes
}

export function u64be(value: number | bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), false)
  return bytes
}

/** @throws {RangeError} if fewer than four bytes stand at `offset`. */
export function readU32le(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true)
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

// Buffer.from(string) hands out slices of a pool that other code shares; a secret must not live there.
function owned(pooled: Buffer): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pooled)
  pooled.fill(0)
  return bytes
}

/**
 * Give memory back at once, where `bytes` are all of it. Left to the collector, 64 KiB for every chunk make it run so
 * often that it costs as much as the cipher, and the next chunk is put where no cache has it.
 *
 * @param bytes - which nobody looks at any more: they are gone.
 */
export function release({ buffer, length }: Uint8Array): void {
  // Short arrays of Node's share their memory with others.
  if (length > 0 && buffer.byteLength === length && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
