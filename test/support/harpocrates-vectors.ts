import { createCipheriv, createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { concat, u32le } from "../../src/bytes.ts"
import { SecretBytes } from "../../src/crypto/secret.ts"
import { bytesOfHex } from "./vectors.ts"

const directory = new URL("../vectors/harpocrates/", import.meta.url)

export interface HarpocratesIndexEntry {
  readonly id: string
  readonly format: string
  readonly kind: "positive" | "negative" | "accepted-by-reference"
  readonly file: string
}

export interface HarpocratesStreamVector extends HarpocratesIndexEntry {
  readonly chunkSize: number
  /** Not given for the forged one, which has its victim's. */
  readonly key?: { readonly hex: string; readonly fingerprint: string }
  readonly change?: string
  readonly plaintext?: { readonly size: number; readonly sha256: string; readonly label: string }
  readonly ciphertext: { readonly size: number; readonly base64?: string; readonly file?: string }
  readonly reference: {
    readonly outcome: "ok" | "error"
    readonly plaintextBytesReturned?: number
    readonly plaintextSha256?: string
    readonly plaintextBase64?: string
  }
}

/** All of them, as the index lists them. */
export const harpocratesIndex: readonly HarpocratesIndexEntry[] = JSON.parse(read("index.json")).vectors

export const harpocratesStreams: readonly HarpocratesStreamVector[] = harpocratesIndex
  .filter(({ format }) => format === "harpocrates-agcm-v1")
  .map((entry) => ({ ...JSON.parse(read(entry.file)), ...entry }))

/** A vector that is not a stream; its shape is its format's. */
export function harpocratesVector<T>(id: string): T {
  return JSON.parse(read(`${id}.json`))
}

export function harpocratesCiphertext({ ciphertext }: HarpocratesStreamVector): Uint8Array {
  return ciphertext.file === undefined
    ? new Uint8Array(Buffer.from(ciphertext.base64 ?? "", "base64"))
    : new Uint8Array(readFileSync(new URL(ciphertext.file, directory)))
}

/** The key a vector is opened with; each time another `SecretBytes`. */
export function harpocratesKey({ key }: HarpocratesStreamVector): SecretBytes {
  const hex = key?.hex ?? harpocratesStreams.find(({ id }) => id === "agcm-v1-tamper-base")?.key?.hex ?? ""
  return new SecretBytes(bytesOfHex(hex))
}

/** Rule `sha256-ctr` of the vectors. */
export function harpocratesPlaintext(label: string, size: number): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = []
  for (let j = 0; j * 32 < size; j++) {
    blocks.push(createHash("sha256").update(`s3ep-vector:${label}:${j}`).digest())
  }
  return concat(...blocks).slice(0, size)
}

/** What Harpocrates' writer makes, defect included: for tests only, since nothing may ever write it. */
export function harpocratesSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  chunkBytes: number,
  plaintext: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [new TextEncoder().encode("AGCM"), u32le(1), nonce, u32le(chunkBytes)]
  for (let at = 0; at < plaintext.length; at += chunkBytes) {
    const cipher = createCipheriv("aes-256-gcm", key, nonce)
    const sealed = cipher.update(plaintext.subarray(at, at + chunkBytes))
    cipher.final()
    parts.push(u32le(sealed.length + 16), sealed, cipher.getAuthTag())
  }
  return concat(...parts)
}

function read(file: string): string {
  return readFileSync(new URL(file, directory), "utf8")
}
