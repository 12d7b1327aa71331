import { describe, expect, test } from "vitest"
import { base64, hex } from "../../../src/bytes.ts"
import { argon2id, hkdfSha256, pbkdf2Sha256 } from "../../../src/crypto/kdf.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { KeyMissingError, UsageError } from "../../../src/errors.ts"
import { aesFingerprint } from "../../../src/keys/aes.ts"
import {
  type Derivation,
  deriveKey,
  HARPOCRATES_KDF_SETS,
  harpocratesArgon2,
  harpocratesFingerprint,
} from "../../../src/keys/import/derive.ts"
import { parseHarpocratesKeyExport } from "../../../src/keys/import/harpocrates-export.ts"
import { recogniseKeys } from "../../../src/keys/import/recognisers.ts"
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

describe("import", () => {
  const rotation = harpocratesVector<{
    exportKeyMaterialRaw: string
    keks: { id: string; keyHex: string; status: string; version: number }[]
  }>("key-rotation")
  const place = { origin: "the export" }

  function exportWith(keys: Readonly<Record<string, string>>): Uint8Array {
    const parsed = JSON.parse(rotation.exportKeyMaterialRaw)
    for (const [id, key] of Object.entries(keys)) parsed.versions[id].key = key
    return new TextEncoder().encode(JSON.stringify(parsed))
  }

  test("an export as Harpocrates writes it holds no keys, and says which are missing", async () => {
    const found = recogniseKeys(exportWith({}), place)
    await expect(found).rejects.toThrow(KeyMissingError)
    for (const { id } of rotation.keks) await expect(found).rejects.toThrow(id)
  })

  test("keys that were added to it are brought along, in hex or in base64, with their states", async () => {
    const [old, current] = rotation.keks
    const keys = {
      [old?.id ?? ""]: old?.keyHex ?? "",
      [current?.id ?? ""]: base64(bytesOfHex(current?.keyHex ?? "")),
    }
    const found = await recogniseKeys(exportWith(keys), place)
    expect(found.map(({ name, state, material }) => ({ name, state, id: material.id }))).toEqual([
      { name: old?.id, state: "retired", id: aesFingerprint(secretOfHex(old?.keyHex ?? "")) },
      { name: current?.id, state: "active", id: aesFingerprint(secretOfHex(current?.keyHex ?? "")) },
    ])
  })

  test.each(["", "00", "zz".repeat(32)])("a key that is none is refused: %j", async (key) => {
    const [old] = rotation.keks
    await expect(recogniseKeys(exportWith({ [old?.id ?? ""]: key }), place)).rejects.toThrow(KeyMissingError)
  })
})

describe("a key that was derived once", () => {
  const [argon2] = argon2Cases
  const [pbkdf2] = harpocratesVector<{ cases: Pbkdf2Case[] }>("kdf-pbkdf2").cases
  const hkdf = harpocratesVector<{ cases: HkdfCase[] }>("kdf-hkdf").cases.find(
    ({ name }) => name === "nil-salt-info",
  )
  const cases: [Derivation["kdf"], Derivation, Uint8Array<ArrayBuffer>, string][] = [
    [
      "argon2id",
      { kdf: "argon2id", salt: bytesOf(argon2?.saltBase64 ?? ""), parameters: harpocratesArgon2() },
      bytesOf(argon2?.passwordBase64 ?? ""),
      argon2?.keyHex ?? "",
    ],
    [
      "pbkdf2-sha256",
      { kdf: "pbkdf2-sha256", salt: bytesOf(pbkdf2?.saltBase64 ?? ""), iterations: pbkdf2?.iterations ?? 0 },
      bytesOf(pbkdf2?.passwordBase64 ?? ""),
      pbkdf2?.keyHex ?? "",
    ],
    [
      "hkdf-sha256",
      { kdf: "hkdf-sha256", salt: new Uint8Array(0), info: bytesOfHex(hkdf?.infoHex ?? "") },
      bytesOfHex(hkdf?.ikmHex ?? ""),
      hkdf?.keyHex ?? "",
    ],
  ]

  test.each(cases)("%s", async (_, derivation, secret, keyHex) => {
    const key = await deriveKey(new SecretBytes(secret), derivation, "the source")
    expect(hex(key.bytes)).toBe(keyHex)
  })

  test.each(cases)("%s of nothing is refused", async (_, derivation) => {
    const nothing = new SecretBytes(new Uint8Array(0))
    await expect(deriveKey(nothing, derivation, "the source")).rejects.toThrow(
      derivation.kdf === "hkdf-sha256" ? KeyMissingError : UsageError,
    )
  })

  test("Argon2 takes no salt below 8 bytes, PBKDF2 none of no bytes", async () => {
    const secret = new SecretBytes(Uint8Array.of(1))
    const short = { kdf: "argon2id", salt: new Uint8Array(7), parameters: harpocratesArgon2() } as const
    const none = { kdf: "pbkdf2-sha256", salt: new Uint8Array(0), iterations: 1 } as const
    await expect(deriveKey(secret, short, "the source")).rejects.toThrow(UsageError)
    await expect(deriveKey(secret, none, "the source")).rejects.toThrow(UsageError)
  })
})
