import { randomFillSync } from "node:crypto"
import type { RandomSource } from "../crypto/secret.ts"

/** Drawn at once, for many keys, salts and nonces: a call costs more than the bytes it brings. */
const supply = new Uint8Array(4096)
let left = 0

/**
 * The operating system's generator, through OpenSSL's: for keys, salts and nonces alike. What was handed out is nowhere
 * else any more.
 */
export const systemRandom: RandomSource = (length) => {
  if (length > supply.length) return randomFillSync(new Uint8Array(length))
  if (length > left) {
    randomFillSync(supply)
    left = supply.length
  }
  left -= length
  const drawn = supply.slice(left, left + length)
  supply.fill(0, left, left + length)
  return drawn
}
