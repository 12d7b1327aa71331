import { inspect } from "node:util"
import { base64, base64url, hex, utf8 } from "../../src/bytes.ts"
import type { Argon2Parameters } from "../../src/crypto/kdf.ts"
import { type RandomSource, SecretBytes } from "../../src/crypto/secret.ts"

/** The cheapest Argon2id there is: 8 KiB, one pass, one lane. */
export const CHEAP_ARGON2: Argon2Parameters = { passes: 1, memoryKib: 8, lanes: 1 }

/** 32 bytes that differ from each other and, for other seeds, from those of others. */
export function secretOf(seed: number): SecretBytes {
  return new SecretBytes(Uint8Array.from({ length: 32 }, (_, at) => (seed * 59 + at * 7 + 131) & 0xff))
}

export function secretText(text: string): SecretBytes {
  return new SecretBytes(utf8(text))
}

/** Foreseeable bytes, other ones at each call. */
export function countingRandom(): RandomSource {
  let calls = 0
  return (length) => {
    calls++
    return Uint8Array.from({ length }, (_, at) => (calls * 17 + at) & 0xff)
  }
}

/** Everything a log, a JSON line or a stack trace could show of a value, its causes included. */
export function exposureOf(value: unknown): string {
  const shown = [inspect(value, { depth: 20, showHidden: true }), String(value), JSON.stringify(value) ?? ""]
  for (let error = value; error instanceof Error; error = error.cause) {
    shown.push(error.message, error.stack ?? "", inspect(error))
    if ("hint" in error) shown.push(String(error.hint))
  }
  return shown.join("\n")
}

/** Every way a secret, or eight bytes of it, could be spelt. */
export function spellingsOf(secret: Uint8Array): string[] {
  const pieces = [secret, secret.slice(0, 9), secret.slice(-9)]
  return pieces.flatMap((piece) => [
    hex(piece),
    base64(piece),
    base64url(piece),
    piece.join(","),
    piece.join(", "),
    Buffer.from(piece).toString("latin1"),
  ])
}
