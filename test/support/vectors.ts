import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { fromHex } from "../../src/bytes.ts"
import { SecretBytes } from "../../src/crypto/secret.ts"

export interface StreamVector {
  readonly name: string
  readonly file: string
  readonly dek: string
  readonly chunkSize: number
  readonly chunksPerSegment: number
  readonly plaintextLength: number
  readonly plaintextSha256: string
  readonly plaintextSeed: number
  readonly ciphertextLength: number
  readonly ciphertextSha256: string
  readonly salts: readonly string[]
  readonly expect: "ok" | "refuse"
  readonly refusedBy: string | null
  readonly note: string
}

export interface WrapVector {
  readonly alg: string
  readonly kek: string
  readonly fingerprint: string
  readonly dek: string
  readonly bind: "key" | "none"
  readonly objectKey: string
  readonly context: string
  readonly salt: string
  readonly ct: string
}

const directory = new URL("../vectors/agcm2/", import.meta.url)
const index: { streams: StreamVector[]; wraps: WrapVector[] } = JSON.parse(
  readFileSync(new URL("agcm2.json", directory), "utf8"),
)

export const streamVectors: readonly StreamVector[] = index.streams
export const wrapVectors: readonly WrapVector[] = index.wraps

export function ciphertextOf(vector: StreamVector): Uint8Array {
  return new Uint8Array(readFileSync(fileURLToPath(new URL(vector.file, directory))))
}

/** The plaintext rule of the vectors: SHA-256("s3ep vector <seed> <i>") for i = 0, 1, …, cut to length. */
export function plaintextOf({ plaintextSeed, plaintextLength }: StreamVector): Uint8Array {
  const plaintext = new Uint8Array(plaintextLength)
  for (let i = 0; i * 32 < plaintextLength; i++) {
    const block = createHash("sha256").update(`s3ep vector ${plaintextSeed} ${i}`).digest()
    plaintext.set(block.subarray(0, Math.min(32, plaintextLength - i * 32)), i * 32)
  }
  return plaintext
}

export function bytesOfHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = fromHex(text)
  if (!bytes) throw new TypeError(`not hex: ${text}`)
  return bytes
}

export function secretOfHex(text: string): SecretBytes {
  return new SecretBytes(bytesOfHex(text))
}
