import { fromBase64, readU32le } from "../bytes.ts"

const POLYNOMIAL = 0xedb88320 // CRC-32 of ISO-HDLC (zlib, PNG, S3), reflected

/**
 * The CRC-32 of two byte sequences one after the other, from the CRC-32 of each; as zlib's `crc32_combine`.
 * Costs time in the logarithm of `secondBytes`, touches no data.
 *
 * @param secondBytes - how long the second sequence is, in bytes.
 */
export function combineCrc32(first: number, second: number, secondBytes: number): number {
  if (!Number.isSafeInteger(secondBytes) || secondBytes < 0)
    throw new RangeError("a length in bytes is needed")
  // Appending a zero byte multiplies the remainder by x^8: square that power once per bit of the length.
  let power = multiply(X8, ONE)
  let shift = ONE
  for (let rest = secondBytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) shift = multiply(power, shift)
    power = multiply(power, power)
  }
  return (multiply(shift, first) ^ second) >>> 0
}

/** The CRC-32 of all parts one after the other, base64 as S3 writes it; null if a value is not a CRC-32. */
export function combineParts(
  parts: readonly { readonly crc32: string; readonly bytes: number }[],
): string | null {
  let whole = 0
  for (const part of parts) {
    const value = fromBase64(part.crc32)
    if (value?.length !== 4) return null
    whole = combineCrc32(whole, readU32le(value.reverse(), 0), part.bytes)
  }
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(whole)
  return bytes.toString("base64")
}

// Polynomials over GF(2), reflected: bit 31 is x^0, bit 0 is x^31.
const ONE = 0x80000000
const X8 = 0x00800000

/** a · b modulo the CRC's polynomial. */
function multiply(a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = 31; bit >= 0; bit -= 1) {
    if ((a >>> bit) & 1) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1
  }
  return product >>> 0
}
