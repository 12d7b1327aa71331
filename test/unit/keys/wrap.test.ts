import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { base64url } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { IntegrityError } from "../../../src/errors.ts"
import { aesFingerprint, aesKek } from "../../../src/keys/aes.ts"
import { unwrapDek, wrapDek } from "../../../src/keys/wrap.ts"
import { secretOf } from "../../support/secrets.ts"
import { bytesOfHex, secretOfHex, wrapVectors } from "../../support/vectors.ts"

describe.each(wrapVectors.filter(({ alg }) => alg === "HKDF-A256GCM"))("vector bound to $bind", (vector) => {
  const context = bytesOfHex(vector.context)

  test("the KEK has the fingerprint", () => {
    expect(aesFingerprint(secretOfHex(vector.kek))).toBe(vector.fingerprint)
  })

  test("wraps byte for byte", async () => {
    const kek = aesKek(secretOfHex(vector.kek), "vector")
    const drawn: number[] = []
    const random = (length: number) => {
      drawn.push(length)
      return bytesOfHex(vector.salt)
    }
    const recipient = await kek.wrap(secretOfHex(vector.dek), context, random)
    expect(recipient).toEqual({ kek: vector.fingerprint, alg: vector.alg, ct: vector.ct })
    expect(drawn).toEqual([32])
  })

  test("unwraps", async () => {
    const kek = aesKek(secretOfHex(vector.kek), "vector")
    const dek = await kek.unwrap({ kek: vector.fingerprint, alg: vector.alg, ct: vector.ct }, context)
    expect(dek?.bytes).toEqual(bytesOfHex(vector.dek))
  })
})

test("every algorithm of the vectors is tested here", () => {
  expect(new Set(wrapVectors.map(({ alg }) => alg))).toEqual(new Set(["HKDF-A256GCM"]))
})

describe("wrapDek", () => {
  const [dek, kek, context, salt] = [secretOf(1), secretOf(2), secretOf(3).bytes, secretOf(4).bytes]

  test("any flipped bit of what it made, of the context or of the KEK does not open", () => {
    const wrapped = wrapDek(dek, kek, context, salt)
    expect(unwrapDek(wrapped, kek, context)?.bytes).toEqual(dek.bytes)
    for (let bit = 0; bit < wrapped.length * 8; bit++) {
      expect(unwrapDek(flipped(wrapped, bit), kek, context)).toBeNull()
    }
    for (let bit = 0; bit < 256; bit++) {
      expect(unwrapDek(wrapped, kek, flipped(context, bit))).toBeNull()
      expect(unwrapDek(wrapped, new SecretBytes(flipped(kek.bytes, bit)), context)).toBeNull()
    }
  })

  test("any other length does not open", () => {
    const wrapped = wrapDek(dek, kek, context, salt)
    for (let length = 0; length < wrapped.length; length++) {
      expect(unwrapDek(wrapped.subarray(0, length), kek, context)).toBeNull()
    }
    expect(unwrapDek(new Uint8Array([...wrapped, 0]), kek, context)).toBeNull()
  })

  test.each([
    ["DEK", () => wrapDek(new SecretBytes(new Uint8Array(31)), kek, context, salt)],
    ["KEK", () => wrapDek(dek, new SecretBytes(new Uint8Array(33)), context, salt)],
    ["context", () => wrapDek(dek, kek, new Uint8Array(31), salt)],
    ["salt", () => wrapDek(dek, kek, context, new Uint8Array(24))],
  ])("a %s of another length is a bug", (_, wrap) => {
    expect(wrap).toThrow(RangeError)
  })
})

describe("aesKek", () => {
  const context = secretOf(9).bytes

  test("what it wraps it unwraps, and no other KEK does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(255), async (dek, seed) => {
        using kek = aesKek(secretOf(seed), "a")
        using other = aesKek(secretOf(seed + 1), "b")
        const recipient = await kek.wrap(
          new SecretBytes(new Uint8Array(dek)),
          context,
          () => secretOf(5).bytes,
        )
        expect((await kek.unwrap(recipient, context))?.bytes).toEqual(new Uint8Array(dek))
        expect(other.matches(recipient)).toBe(false)
        expect(await other.unwrap(recipient, context)).toBeNull()
      }),
    )
  })

  test.each([
    ["altered", { ct: base64url(new Uint8Array(80)) }],
    ["cut", { ct: base64url(new Uint8Array(79)) }],
    ["empty", { ct: "" }],
    ["no base64url", { ct: "§" }],
  ])("a recipient of its own that is %s fails integrity", async (_, change) => {
    using kek = aesKek(secretOf(1), "a")
    const recipient = await kek.wrap(secretOf(2), context, () => secretOf(5).bytes)
    await expect(kek.unwrap({ ...recipient, ...change }, context)).rejects.toThrow(IntegrityError)
  })

  test("the same bytes for another object fail integrity", async () => {
    using kek = aesKek(secretOf(1), "a")
    const recipient = await kek.wrap(secretOf(2), context, () => secretOf(5).bytes)
    await expect(kek.unwrap(recipient, secretOf(10).bytes)).rejects.toThrow("belongs to another object")
  })

  test("does not take another algorithm's recipient for its own", async () => {
    using kek = aesKek(secretOf(1), "a")
    const recipient = { kek: kek.id, alg: "HKDF-A256GCM-SIV", ct: "AAAA" }
    expect(kek.matches(recipient)).toBe(false)
    expect(await kek.unwrap(recipient, context)).toBeNull()
  })

  test("a key of another length is a bug", () => {
    expect(() => aesKek(new SecretBytes(new Uint8Array(16)), "short")).toThrow(RangeError)
  })

  test("wiped, it wraps nothing", async () => {
    const key = secretOf(1)
    const { bytes } = key
    const kek = aesKek(key, "a")
    kek[Symbol.dispose]()
    expect(bytes).toEqual(new Uint8Array(32))
    await expect(kek.wrap(secretOf(2), context, () => secretOf(5).bytes)).rejects.toThrow(TypeError)
  })
})

function flipped(bytes: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
