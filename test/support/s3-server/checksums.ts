import { createHash, type Hash } from "node:crypto"
import { crc32 } from "node:zlib"

export const checksumAlgorithms = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number]
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE"

/** A stored checksum; `value` is base64, with `-N` appended when it is a checksum of N checksums. */
export interface Checksum {
  algorithm: ChecksumAlgorithm
  value: string
  type: ChecksumType
}

export interface Digester {
  update(bytes: Uint8Array): void
  /** Big-endian bytes, as S3 encodes them in base64. */
  digest(): Buffer
}

/** `x-amz-checksum-crc32` and its like. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`
}

/** The element name in XML: `ChecksumCRC32` and its like. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm}`
}

/** @returns `undefined` for a name S3 does not know. */
export function parseAlgorithm(name: string | undefined): ChecksumAlgorithm | undefined {
  return checksumAlgorithms.find((algorithm) => algorithm === name?.toUpperCase())
}

/** Bytes of the raw digest. */
export function digestBytes(algorithm: ChecksumAlgorithm): number {
  return { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 }[algorithm]
}

/** Reversed polynomials; the shift of one bit is to the right. */
const CRC32_POLYNOMIAL = 0xedb88320n
const CRC32C_POLYNOMIAL = 0x82f63b78n
const CRC64NVME_POLYNOMIAL = 0x9a6c9329ac4bc9b5n

const crcWidths = {
  CRC32: { bits: 32n, polynomial: CRC32_POLYNOMIAL },
  CRC32C: { bits: 32n, polynomial: CRC32C_POLYNOMIAL },
  CRC64NVME: { bits: 64n, polynomial: CRC64NVME_POLYNOMIAL },
} as const

function crcTable(polynomial: bigint): { high: Uint32Array; low: Uint32Array } {
  const high = new Uint32Array(256)
  const low = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let remainder = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1n ? (remainder >> 1n) ^ polynomial : remainder >> 1n
    }
    high[byte] = Number(remainder >> 32n)
    low[byte] = Number(remainder & 0xffffffffn)
  }
  return { high, low }
}

class NativeCrc32 implements Digester {
  #value = 0
  update(bytes: Uint8Array): void {
    this.#value = crc32(bytes, this.#value)
  }
  digest(): Buffer {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(this.#value >>> 0)
    return bytes
  }
}

class TableCrc32c implements Digester {
  static readonly #table = crcTable(CRC32C_POLYNOMIAL).low
  #value = 0xffffffff
  update(bytes: Uint8Array): void {
    const table = TableCrc32c.#table
    let value = this.#value
    for (const byte of bytes) value = (table[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8)
    this.#value = value
  }
  digest(): Buffer {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE((this.#value ^ 0xffffffff) >>> 0)
    return bytes
  }
}

/** Two 32-bit halves: BigInt arithmetic for each byte would be some twenty times slower. */
class TableCrc64Nvme implements Digester {
  static readonly #table = crcTable(CRC64NVME_POLYNOMIAL)
  #high = 0xffffffff
  #low = 0xffffffff
  update(bytes: Uint8Array): void {
    const { high: highTable, low: lowTable } = TableCrc64Nvme.#table
    let high = this.#high
    let low = this.#low
    for (const byte of bytes) {
      const index = (low ^ byte) & 0xff
      low = ((low >>> 8) | (high << 24)) ^ (lowTable[index] ?? 0)
      high = (high >>> 8) ^ (highTable[index] ?? 0)
    }
    this.#high = high
    this.#low = low
  }
  digest(): Buffer {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE((this.#high ^ 0xffffffff) >>> 0, 0)
    bytes.writeUInt32BE((this.#low ^ 0xffffffff) >>> 0, 4)
    return bytes
  }
}

export function createDigester(algorithm: ChecksumAlgorithm): Digester {
  switch (algorithm) {
    case "CRC32":
      return new NativeCrc32()
    case "CRC32C":
      return new TableCrc32c()
    case "CRC64NVME":
      return new TableCrc64Nvme()
    default: {
      const hash: Hash = createHash(algorithm.toLowerCase())
      return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
    }
  }
}

/** Product of two polynomials modulo the CRC's, all bit-reversed: the top bit is the constant term. */
function multiply(a: bigint, b: bigint, { bits, polynomial }: { bits: bigint; polynomial: bigint }): bigint {
  let product = 0n
  let power = b
  for (let bit = bits - 1n; bit >= 0n; bit--) {
    if ((a >> bit) & 1n) product ^= power
    power = power & 1n ? (power >> 1n) ^ polynomial : power >> 1n
  }
  return product
}

/**
 * The CRC of two runs of bytes one after the other, from their CRCs (zlib's `crc32_combine`).
 *
 * @param secondBytes - length of the second run.
 */
function combine(
  algorithm: keyof typeof crcWidths,
  first: bigint,
  second: bigint,
  secondBytes: number,
): bigint {
  const field = crcWidths[algorithm]
  const one = 1n << (field.bits - 1n)
  let shift = one
  let square = one >> 1n
  for (let exponent = BigInt(secondBytes) * 8n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) shift = multiply(shift, square, field)
    square = multiply(square, square, field)
  }
  return multiply(shift, first, field) ^ second
}

/**
 * The checksum Complete gives an object from those of its parts.
 *
 * @param parts - in order; base64 digests and lengths.
 * @throws {RangeError} for a full-object SHA: it does not follow from those of the parts.
 */
export function combineChecksums(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly { value: string; bytes: number }[],
): Checksum {
  if (type === "COMPOSITE") {
    const digester = createDigester(algorithm)
    for (const part of parts) digester.update(Buffer.from(part.value, "base64"))
    return { algorithm, type, value: `${digester.digest().toString("base64")}-${parts.length}` }
  }
  if (algorithm === "SHA1" || algorithm === "SHA256") throw new RangeError(`${algorithm} cannot be combined`)
  let whole = 0n
  for (const part of parts) {
    const value = BigInt(`0x${Buffer.from(part.value, "base64").toString("hex")}`)
    whole = combine(algorithm, whole, value, part.bytes)
  }
  const hex = whole.toString(16).padStart(digestBytes(algorithm) * 2, "0")
  return { algorithm, type, value: Buffer.from(hex, "hex").toString("base64") }
}
