import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { base64, concat } from "../../../src/bytes.ts"
import { HarpocratesRefusedError } from "../../../src/compat/harpocrates-refused.ts"
import { openSealedValue, parseSealedValue } from "../../../src/compat/harpocrates-value.ts"
import { aeadSeal } from "../../../src/crypto/aead.ts"
import { sha256 } from "../../../src/crypto/kdf.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { harpocratesPlaintext, harpocratesVector } from "../../support/harpocrates-vectors.ts"
import { bytesOfHex, secretOfHex } from "../../support/vectors.ts"

interface PositiveCase {
  readonly name: string
  readonly encoded: string
  readonly aadBase64: string | null
  readonly plaintextBase64?: string
  readonly plaintextSha256: string
  readonly label?: string
  readonly plaintextLabel?: string
  readonly plaintextSize: number
}

interface NegativeCase {
  readonly name: string
  readonly encoded: string
  readonly keyHex: string
  readonly aadBase64: string
  readonly outcome: "ok" | "error"
  readonly plaintextBase64?: string
}

const bytesOf = (text: string | null | undefined) => new Uint8Array(Buffer.from(text ?? "", "base64"))
const positive = harpocratesVector<{ key: { hex: string }; cases: PositiveCase[] }>("plain-aes-gcm")
const negative = harpocratesVector<{ cases: NegativeCase[] }>("plain-aes-gcm-negative")

test.each(positive.cases)("$name opens", ({ encoded, aadBase64, plaintextSha256, plaintextSize }) => {
  const opened = openSealedValue(secretOfHex(positive.key.hex), parseSealedValue(encoded), bytesOf(aadBase64))
  expect(opened).toHaveLength(plaintextSize)
  expect(sha256(opened ?? new Uint8Array(1))).toEqual(bytesOfHex(plaintextSha256))
})

/** Why each of the values that the original refuses is refused; "closed": key, AAD and value do not go together. */
const REASONS: Readonly<Record<string, string>> = {
  "aad-mismatch": "closed",
  "aad-missing": "closed",
  "wrong-key": "closed",
  "flip-nonce": "closed",
  "flip-ciphertext": "closed",
  "flip-tag": "closed",
  "truncated-tag": "closed",
  "11-bytes": "value short",
  "27-bytes": "value short",
  "empty-string": "value short",
  "empty-string-aad-call": "value short",
  "not-base64": "not base64",
  "unpadded-base64": "not base64",
  "urlsafe-alphabet": "not base64",
  "space-inside-base64": "not base64",
}

describe("cases that the original refuses, and some that only look as if it would", () => {
  test.each(negative.cases)("$name", ({ name, encoded, keyHex, aadBase64, outcome, plaintextBase64 }) => {
    const run = () => openSealedValue(secretOfHex(keyHex), parseSealedValue(encoded), bytesOf(aadBase64))
    if (outcome === "ok") expect(run()).toEqual(bytesOf(plaintextBase64))
    else if (REASONS[name] === "closed") expect(run()).toBeNull()
    else expect(reasonOf(run)).toBe(REASONS[name])
  })
})

describe("values sealed by a key manager's KEKs", () => {
  const rotation = harpocratesVector<{
    keks: { id: string; keyHex: string }[]
    sealed: { kekId: string; encoded: string; plaintext: string }[]
  }>("key-rotation")

  test.each(rotation.sealed)("$kekId opens its own and no other", ({ kekId, encoded, plaintext }) => {
    for (const { id, keyHex } of rotation.keks) {
      const opened = openSealedValue(secretOfHex(keyHex), parseSealedValue(encoded))
      expect(opened && Buffer.from(opened).toString()).toBe(id === kekId ? plaintext : null)
    }
  })
})

describe("for all values", () => {
  const values = fc.record({
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }),
    plaintext: fc.uint8Array({ maxLength: 64 }),
    aad: fc.uint8Array({ maxLength: 16 }),
  })

  test("what was sealed opens with its AAD, line breaks or not; any flipped bit keeps it shut", () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(7), ({ key, nonce, plaintext, aad }, at, bit) => {
        const secret = new SecretBytes(new Uint8Array(key))
        const bytes = concat(nonce, aeadSeal(key, nonce, plaintext, aad))
        const text = base64(bytes)
        const broken = `${text.slice(0, at % text.length)}\r\n${text.slice(at % text.length)}\n`
        expect(openSealedValue(secret, parseSealedValue(broken), aad)).toEqual(new Uint8Array(plaintext))
        const position = at % bytes.length
        bytes[position] = (bytes[position] ?? 0) ^ (1 << bit)
        expect(openSealedValue(secret, parseSealedValue(base64(bytes)), aad)).toBeNull()
        expect(openSealedValue(secret, parseSealedValue(text), concat(aad, new Uint8Array(1)))).toBeNull()
      }),
    )
  })
})

test("the generated plaintext of the long case is what opened", () => {
  const long = positive.cases.find(({ name }) => name === "70000-bytes")
  const label = long?.label ?? long?.plaintextLabel ?? ""
  expect(sha256(harpocratesPlaintext(label, 70_000))).toEqual(bytesOfHex(long?.plaintextSha256 ?? ""))
})

function reasonOf(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error instanceof HarpocratesRefusedError ? error.reason : error
  }
}
