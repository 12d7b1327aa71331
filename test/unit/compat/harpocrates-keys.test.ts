import { describe, expect, test } from "vitest"
import { base64, hex } from "../../../src/bytes.ts"
import {
  HARPOCRATES_KDF_SETS,
  harpocratesArgon2,
  harpocratesFingerprint,
  parseHarpocratesKeyExport,
} from "../../../src/compat/harpocrates-keys.ts"
import { argon2id, hkdfSha256, pbkdf2Sha256 } from "../../../src/crypto/kdf.ts"
import { UsageError } from "../../../src/errors.ts"
import { harpocratesVector } from "../../support/harpocrates-vectors.ts"
import { bytesOfHex, secretOfHex } from "../../support/vectors.ts"

interface Argon2Case {
  readonly name: string
  readonly passwordBase64: string
  readonly saltBase64: string
  readonly keyHex: string
  readonly keyLength: number
  readonly fingerprint: string
  readonly time: number
  readonly memoryMiB: number
  readonly parallelism: number
}

interface HkdfCase {
  readonly name: string
  readonly ikmHex: string
  readonly infoHex: string
  readonly saltHex: string | null
  readonly keyHex: string
  readonly length: number
}

interface Pbkdf2Case {
  readonly name: string
  readonly passwordBase64: string
  readonly saltBase64: string
  readonly iterations: number
  readonly keyHex: string
  readonly keyLength: number
}

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"))
const argon2Cases = harpocratesVector<{ cases: Argon2Case[] }>("kdf-argon2id").cases

describe("Argon2id", () => {
  test.each(argon2Cases)("$name", async (given) => {
    const { time, memoryMiB: memory, parallelism: threads, keyLength } = given
    const parameters = harpocratesArgon2({ time, memory, threads })
    const key = await argon2id(
      bytesOf(given.passwordBase64),
      bytesOf(given.saltBase64),
      parameters,
      keyLength,
    )
    expect(hex(key.bytes)).toBe(given.keyHex)
    expect(harpocratesFingerprint(key)).toBe(given.fingerprint)
  })

  test("the named sets are those of the original, and 0 takes one member of the default", () => {
    for (const name of ["default", "nemesis", "high-security", "fast"] as const) {
      const { time, memoryMiB: memory, parallelism: threads } = byName(name)
      expect(HARPOCRATES_KDF_SETS[name]).toEqual({ time, memory, threads })
    }
    expect(harpocratesArgon2()).toEqual({ passes: 3, memoryKib: 65_536, lanes: 4 })
    expect(harpocratesArgon2({ time: 4, memory: 0, threads: 0 })).toEqual({
      passes: 4,
      memoryKib: 65_536,
      lanes: 4,
    })
  })

  test.each([{ threads: 256 }, { time: -1 }, { memory: 4097 }, { time: 1.5 }])(
    "%j is out of bounds, not cut to fit",
    (given) => {
      expect(() => harpocratesArgon2(given)).toThrow(UsageError)
    },
  )

  function byName(name: string): Argon2Case {
    const found = argon2Cases.find((given) => given.name === name)
    if (!found) throw new Error(`the case ${name} is gone`)
    return found
  }
})

describe("HKDF-SHA256", () => {
  test.each(harpocratesVector<{ cases: HkdfCase[] }>("kdf-hkdf").cases)("$name", (given) => {
    const salt = bytesOfHex(given.saltHex ?? "")
    const key = hkdfSha256(bytesOfHex(given.ikmHex), salt, bytesOfHex(given.infoHex), given.length)
    expect(hex(key.bytes)).toBe(given.keyHex)
  })
})

describe("PBKDF2-HMAC-SHA256", () => {
  test.each(harpocratesVector<{ cases: Pbkdf2Case[] }>("kdf-pbkdf2").cases)("$name", async (given) => {
    const { passwordBase64, saltBase64, iterations, keyLength } = given
    const key = await pbkdf2Sha256(bytesOf(passwordBase64), bytesOf(saltBase64), iterations, keyLength)
    expect(hex(key.bytes)).toBe(given.keyHex)
  })
})

describe("fingerprints", () => {
  const { cases } = harpocratesVector<{ cases: { hex: string; base64: string; fingerprint: string }[] }>(
    "keyutils",
  )
  test.each(cases)("$fingerprint", (given) => {
    const key = secretOfHex(given.hex)
    expect(harpocratesFingerprint(key)).toBe(given.fingerprint)
    expect(base64(key.bytes)).toBe(given.base64)
  })
})

describe("a key manager's export", () => {
  const rotation = harpocratesVector<{
    exportKeyMaterialRaw: string
    keks: { id: string; keyHex: string; status: string; version: number }[]
    derivedDataKeys: { kekId: string; contextBase64: string; dekHex: string; length: number }[]
  }>("key-rotation")

  test("names the KEKs, in the order of their versions, and holds no key", () => {
    const found = parseHarpocratesKeyExport(rotation.exportKeyMaterialRaw)
    expect(found?.keks.map(({ id, version, status }) => ({ id, version, status }))).toEqual(
      rotation.keks.map(({ id, version, status }) => ({ id, version, status })),
    )
    const [previous, current] = rotation.keks
    expect(found).toMatchObject({ current: current?.id, previous: previous?.id })
    expect(found?.keks[0]?.created.toISOString()).toBe("2026-11-21T00:28:38.707Z")
  })

  test.each(rotation.derivedDataKeys)("data keys of $kekId are derived from it", (given) => {
    const kek = rotation.keks.find(({ id }) => id === given.kekId)
    const dek = hkdfSha256(
      bytesOfHex(kek?.keyHex ?? ""),
      new Uint8Array(0),
      bytesOf(given.contextBase64),
      given.length,
    )
    expect(hex(dek.bytes)).toBe(given.dekHex)
  })

  test.each([
    "",
    "null",
    "[]",
    "{}",
    '{"versions":[]}',
    '{"versions":{"kek_0011223344556677":{}}}',
    rotation.exportKeyMaterialRaw.replace("AES-256-GCM", "AES-128-GCM"),
    rotation.exportKeyMaterialRaw.replace('"active"', '"ready"'),
    rotation.exportKeyMaterialRaw.replace('"version":2', '"version":0'),
    rotation.exportKeyMaterialRaw.replace('{"id":"kek_bcc9', '{"id":"kek_bcc8'),
  ])("%j is none", (text) => {
    expect(parseHarpocratesKeyExport(text)).toBeNull()
  })
})
