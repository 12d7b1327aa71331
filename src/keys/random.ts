import { randomFillSync } from "node:crypto"
import type { RandomSource } from "../crypto/secret.ts"

/** The operating system's generator, through OpenSSL's: for keys, salts and nonces alike. */
export const systemRandom: RandomSource = (length) => randomFillSync(new Uint8Array(length))
