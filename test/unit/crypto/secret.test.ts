import { describe, expect, test } from "vitest"
import { hex, utf8 } from "../../../src/bytes.ts"
import { aeadOpen, aeadSeal, aeadSealInto } from "../../../src/crypto/aead.ts"
import { argon2id, hkdfSha512, hmacSha256, sha256 } from "../../../src/crypto/kdf.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { bytesOfHex } from "../../support/vectors.ts"

describe("SecretBytes", () => {
  test("hold what they were given, until disposed of", () => {
    const bytes = new Uint8Array([1, 2, 3])
    const secret = new SecretBytes(bytes)
    expect(secret.bytes).toBe(bytes)
    secret[Symbol.dispose]()
    expect(bytes).toEqual(new Uint8Array(3))
    expect(secret.length).toBe(3)
    expect(() => secret.bytes).toThrow(TypeError)
    expect(() => secret[Symbol.dispose]()).not.toThrow()
  })

  test("are wiped when a block that uses them throws", () => {
    const bytes = new Uint8Array([1, 2, 3])
    const work = () => {
      using secret = new SecretBytes(bytes)
      throw new RangeError(`${secret}`)
    }
    expect(work).toThrow("[secret]")
    expect(bytes).toEqual(new Uint8Array(3))
  })
})

describe("AES-256-GCM", () => {
  // The GCM specification (McGrew, Viega), test cases 14 and 16.
  const zeros = { key: new Uint8Array(32), nonce: new Uint8Array(12), plaintext: new Uint8Array(16) }
  const key = bytesOfHex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
  const nonce = bytesOfHex("cafebabefacedbaddecaf888")
  const aad = bytesOfHex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
  const plaintext = bytesOfHex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
  )
  const sealed =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" +
    "76fc6ece0f4e1768cddf8853bb2d551b"

  test("is the specification's", () => {
    expect(hex(aeadSeal(zeros.key, zeros.nonce, zeros.plaintext))).toBe(
      "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    )
    expect(hex(aeadSeal(key, nonce, plaintext, aad))).toBe(sealed)
    expect(aeadOpen(key, nonce, bytesOfHex(sealed), aad)).toEqual(plaintext)
  })

  test("opens nothing with a short tag, other data or another nonce", () => {
    const bytes = bytesOfHex(sealed)
    for (let length = 0; length < bytes.length; length++) {
      expect(aeadOpen(key, nonce, bytes.subarray(0, length), aad)).toBeNull()
    }
    expect(aeadOpen(key, nonce, bytes)).toBeNull()
    expect(aeadOpen(key, new Uint8Array(12), bytes, aad)).toBeNull()
  })

  test("gives memory of the caller's own", () => {
    const opened = aeadOpen(key, nonce, aeadSeal(key, nonce, plaintext.subarray(0, 5)))
    expect(opened).toEqual(plaintext.subarray(0, 5))
    expect(opened?.buffer.byteLength).toBe(5)
    expect(Object.getPrototypeOf(opened)).toBe(Uint8Array.prototype)
  })

  test("takes no other lengths", () => {
    expect(() => aeadSeal(key.subarray(16), nonce, plaintext)).toThrow(RangeError)
    expect(() => aeadSeal(key, new Uint8Array(16), plaintext)).toThrow(RangeError)
    expect(() => aeadOpen(key.subarray(16), nonce, bytesOfHex(sealed))).toThrow(RangeError)
    expect(() => aeadSealInto(key, nonce, plaintext, new Uint8Array(plaintext.length))).toThrow(RangeError)
  })
})

describe("derivation", () => {
  test("HMAC-SHA256 is RFC 4231's, in any number of parts", () => {
    const expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    expect(hex(hmacSha256(utf8("Jefe"), [utf8("what do ya want "), utf8("for nothing?")]))).toBe(expected)
    expect(hex(hmacSha256(utf8("Jefe"), [utf8("what do ya want for nothing?")]))).toBe(expected)
  })

  test("SHA-256 is FIPS 180-4's, in any number of parts", () => {
    const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    expect(hex(sha256(utf8("a"), utf8(""), utf8("bc")))).toBe(expected)
  })

  test("HKDF-SHA512 takes an empty salt for 64 zeros", () => {
    const derive = (salt: Uint8Array) => hex(hkdfSha512(utf8("key"), salt, utf8("info"), 76).bytes)
    expect(derive(new Uint8Array(0))).toBe(derive(new Uint8Array(64)))
    expect(derive(new Uint8Array(0))).not.toBe(derive(new Uint8Array(32).fill(1)))
  })

  test("Argon2id is the reference implementation's", async () => {
    const parameters = { passes: 2, memoryKib: 256, lanes: 1 }
    using key = await argon2id(utf8("password"), utf8("somesalt"), parameters)
    expect(hex(key.bytes)).toBe("9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe")
  })
})
