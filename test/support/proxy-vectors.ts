import { createCipheriv, createHash, hash } from "node:crypto"
import { readFileSync } from "node:fs"
import { proxyAesKey, proxyRsaKey } from "../../src/compat/s3-encryption-proxy-providers.ts"
import { CtrStream } from "../../src/crypto/ctr.ts"
import type { RawKey } from "../../src/crypto/raw-key.ts"
import type { ObjectAddress, ObjectStore } from "../../src/store/store.ts"
import { bytesOfHex } from "./vectors.ts"

const directory = new URL("../vectors/s3-encryption-proxy/", import.meta.url)
/** Where releases before 3.0.0 began part n, whatever the parts' size: (n-1) times this. */
const OLD_PART_BYTES = 5 * 1024 ** 2

/** Its reader holds another aes key, which other readers hold too. */
const ANOTHER_KEY = "tamper-gcm-unknown-fingerprint"

export interface ProxyVector {
  readonly id: string
  readonly format: "s3-encryption-proxy-v3" | "s3-encryption-proxy-v2"
  readonly kind: "positive" | "positive-old-release" | "quirk" | "negative" | "accepted-by-reference"
  readonly objectKey: string
  readonly metadataPrefix?: string
  readonly object: { readonly metadata: Record<string, string>; readonly contentType?: string }
  readonly userMetadataSent?: Record<string, string>
  readonly kek: {
    readonly type: "aes" | "rsa" | "none"
    readonly fingerprint: string
    readonly kekBase64?: string
    readonly publicKeyPem?: string
    readonly privateKeyPem?: string
  }
  readonly partSizes?: readonly number[]
  readonly plaintext?: {
    readonly size: number
    readonly sha256: string
    readonly rule: string
    readonly label?: string
    readonly base64?: string
  }
  readonly clientPayload?: { readonly sha256: string; readonly size: number }
  readonly ciphertext: {
    readonly size?: number
    readonly sha256?: string
    readonly base64?: string
    readonly file?: string
    readonly headFile?: string
    readonly tailFile?: string
    readonly sameAs?: string
    readonly mutation?: Readonly<Record<string, unknown>>
  }
  readonly derived?: { readonly dekHex?: string; readonly ivHex?: string; readonly algorithm?: string }
  readonly derivedFrom?: string
  readonly readerConfig?: { readonly providers?: readonly string[] }
  readonly change?: string
}

interface IndexEntry {
  readonly id: string
  readonly kind: ProxyVector["kind"]
  readonly file: string
}

export const proxyIndex: readonly IndexEntry[] = JSON.parse(read("index.json")).vectors

/** All but the one that lists fingerprints. */
export const proxyVectors: readonly ProxyVector[] = proxyIndex
  .filter(({ id }) => id !== "fingerprints")
  .map(({ file }) => JSON.parse(read(file)))

export interface FingerprintVectors {
  readonly aes: readonly {
    readonly configValue: string
    readonly fingerprint?: string
    readonly error?: string
  }[]
  readonly rsa: readonly {
    readonly name: string
    readonly exponent: number
    readonly fingerprint: string
    readonly publicKeyPem: string
    readonly publicKeyPkcs1Pem: string
  }[]
}

export const proxyFingerprints: FingerprintVectors = JSON.parse(read("fingerprints.json"))

export function proxyVector(id: string): ProxyVector {
  const vector = proxyVectors.find((vector) => vector.id === id)
  if (!vector) throw new Error(`no vector ${id}`)
  return vector
}

/** Rule `sha256-ctr`, or what the vector holds itself. */
export function proxyPlaintext({ plaintext, id }: ProxyVector): Uint8Array {
  if (!plaintext) throw new Error(`${id} has no plaintext`)
  if (plaintext.base64 !== undefined) return new Uint8Array(Buffer.from(plaintext.base64, "base64"))
  const whole = Buffer.allocUnsafe(Math.ceil(plaintext.size / 32) * 32)
  // Hexadecimal is written where it belongs; a buffer for each block would take twice as long.
  for (let j = 0; j * 32 < plaintext.size; j++) {
    whole.write(hash("sha256", `s3ep-vector:${plaintext.label}:${j}`), j * 32, "hex")
  }
  return new Uint8Array(whole.buffer, whole.byteOffset, plaintext.size)
}

/** The stored body; rebuilt from its parameters where the vector keeps its ends only, and checked against its digest. */
export function proxyBody(vector: ProxyVector): Uint8Array {
  const body = bodyOf(vector)
  const digest = createHash("sha256").update(body).digest("hex")
  // That of another vector's body stands there.
  if (digest !== (vector.ciphertext.sha256 ?? digest)) throw new Error(`${vector.id}: rebuilt another body`)
  return body
}

let last: { readonly id: string; readonly body: Uint8Array } | undefined

/** Rebuilding takes seconds, and a test asks for the same one again. */
function rebuiltOnce(vector: ProxyVector): Uint8Array {
  if (last?.id !== vector.id) last = { id: vector.id, body: rebuilt(vector) }
  return last.body
}

function bodyOf(vector: ProxyVector): Uint8Array {
  const { base64, file, sameAs, mutation, headFile } = vector.ciphertext
  if (base64 !== undefined) return new Uint8Array(Buffer.from(base64, "base64"))
  if (file !== undefined) return new Uint8Array(readFileSync(new URL(file, directory)))
  if (sameAs !== undefined) return bodyOf(proxyVector(sameAs))
  if (mutation) return mutated(bodyOf(proxyVector(vector.derivedFrom ?? "")), mutation)
  if (headFile !== undefined) return rebuiltOnce(vector)
  throw new Error(`${vector.id} has no body`)
}

function mutated(body: Uint8Array, mutation: Readonly<Record<string, unknown>>): Uint8Array {
  const { offset, mask, length } = mutation
  if (typeof length === "number") return body.slice(0, length)
  if (typeof offset !== "number" || typeof mask !== "number") throw new Error("an unknown mutation")
  const changed = body.slice()
  changed[offset] = (changed[offset] ?? 0) ^ mask
  return changed
}

function rebuilt(vector: ProxyVector): Uint8Array {
  const { dekHex = "", ivHex } = vector.derived ?? {}
  const dek = bytesOfHex(dekHex)
  const plaintext = proxyPlaintext(vector)
  const metadata = vector.object.metadata
  const prefix = vector.metadataPrefix ?? "s3ep-"
  const iv = ivHex
    ? bytesOfHex(ivHex)
    : new Uint8Array(Buffer.from(metadata[`${prefix}aes-iv`] ?? "", "base64"))
  if (vector.derived?.algorithm === "aes-gcm") {
    const cipher = createCipheriv("aes-256-gcm", dek, iv)
    cipher.setAAD(Buffer.from(vector.objectKey))
    const sealed = cipher.update(plaintext)
    cipher.final()
    return new Uint8Array(Buffer.concat([iv, sealed, cipher.getAuthTag()]))
  }
  if (vector.format === "s3-encryption-proxy-v3") return new CtrStream(dek, iv).update(plaintext)
  let at = 0
  const parts = (vector.partSizes ?? []).map((size, index) => {
    at += size
    return new CtrStream(dek, iv, index * OLD_PART_BYTES).update(plaintext.subarray(at - size, at))
  })
  return new Uint8Array(Buffer.concat(parts))
}

/** The key the reader of a vector holds; none for the none provider. */
export function proxyKeysOf({ kek, readerConfig }: ProxyVector): RawKey[] {
  const others = readerConfig?.providers?.includes("aes-2") ? keyOf(proxyVector(ANOTHER_KEY).kek) : []
  return [...keyOf(kek), ...others]
}

function keyOf(kek: ProxyVector["kek"]): RawKey[] {
  if (kek.type === "aes") return [proxyAesKey(kek.kekBase64 ?? "", "aes")]
  if (kek.type === "rsa") return [proxyRsaKey(kek.publicKeyPem ?? "", kek.privateKeyPem ?? "", "rsa")]
  return []
}

/** Put a vector's object into a store as it was stored. */
export async function storeProxyVector(
  store: ObjectStore,
  vector: ProxyVector,
  bucket = "vault",
): Promise<ObjectAddress> {
  const address = { bucket, key: vector.objectKey }
  const body = proxyBody(vector)
  const { metadata, contentType } = vector.object
  const settings = { metadata, contentType }
  // Its parts matter only where they decided how it was encrypted.
  if (vector.format === "s3-encryption-proxy-v3" || !vector.partSizes) {
    await store.put(address, body, { settings })
    return address
  }
  const upload = await store.createUpload(address, { settings })
  const parts = []
  let at = 0
  for (const [index, size] of vector.partSizes.entries()) {
    parts.push(await store.uploadPart(address, upload, index + 1, body.slice(at, at + size), {}))
    at += size
  }
  await store.completeUpload(address, upload, parts, {})
  return address
}

function read(file: string): string {
  return readFileSync(new URL(file, directory), "utf8")
}
