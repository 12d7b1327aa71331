import { createHash } from "node:crypto"
import { afterEach, describe, expect, test, vi } from "vitest"
import { base64url, fromBase64url, utf8 } from "../../../src/bytes.ts"
import * as kdf from "../../../src/crypto/kdf.ts"
import { IntegrityError, KeyMissingError } from "../../../src/errors.ts"
import type { Kek, Recipient } from "../../../src/keys/kek.ts"
import { DEFAULT_ARGON2, passphraseKek } from "../../../src/keys/passphrase.ts"
import { unwrapDek } from "../../../src/keys/wrap.ts"
import { CHEAP_ARGON2, countingRandom, secretOf, secretText } from "../../support/secrets.ts"

vi.mock("../../../src/crypto/kdf.ts", { spy: true })
afterEach(() => vi.clearAllMocks())

const context = secretOf(7).bytes
const dek = secretOf(1)
const runs = () => vi.mocked(kdf.argon2id).mock.calls.length

function open(text: string, random = countingRandom()): Kek {
  return passphraseKek(secretText(text), "test", { random, parameters: CHEAP_ARGON2 })
}

async function wrapped(text = "correct horse", random = countingRandom()): Promise<Recipient> {
  using kek = open(text, random)
  return await kek.wrap(dek, context, random)
}

describe("what it writes", () => {
  test("is as the format says, with the parameters of RFC 9106's second choice", async () => {
    using kek = passphraseKek(secretText("correct horse"), "test", { random: countingRandom() })
    const recipient = await kek.wrap(dek, context, countingRandom())
    const salt = fromBase64url(String(recipient["s"])) ?? new Uint8Array()
    expect(salt).toHaveLength(16)
    const digest = createHash("sha256").update("s3ep passphrase\0").update(salt).digest("hex")
    expect(recipient).toEqual({
      kek: `passphrase:${digest.slice(0, 32)}`,
      alg: "Argon2id-A256GCM",
      ct: expect.any(String),
      s: base64url(salt),
      t: 3,
      m: 65_536,
      p: 4,
    })
    using key = await kdf.argon2id(utf8("correct horse"), salt, DEFAULT_ARGON2)
    expect(unwrapDek(fromBase64url(recipient.ct) ?? salt, key, context)?.bytes).toEqual(dek.bytes)
    expect(kek.id).toBe(recipient.kek)
  })

  test("opens with the same passphrase elsewhere", async () => {
    using kek = open("correct horse", (length) => new Uint8Array(length).fill(99))
    expect((await kek.unwrap(await wrapped(), context))?.bytes).toEqual(dek.bytes)
  })

  test("does not open with another passphrase, nor for another object", async () => {
    using other = open("correct horse ")
    await expect(other.unwrap(await wrapped(), context)).rejects.toThrow(KeyMissingError)
    using same = open("correct horse")
    await expect(same.unwrap(await wrapped(), secretOf(8).bytes)).rejects.toThrow(KeyMissingError)
  })
})

describe("runs of Argon2id", () => {
  test("a thousand objects written and read cost one", async () => {
    const random = countingRandom()
    using kek = open("correct horse", random)
    for (let object = 0; object < 1000; object++) {
      const recipient = await kek.wrap(dek, context, random)
      await kek.unwrap(recipient, context)
    }
    expect(runs()).toBe(1)
  })

  test("those who need one salt at once share one", async () => {
    const recipient = await wrapped()
    vi.clearAllMocks()
    using kek = open("correct horse", (length) => new Uint8Array(length).fill(99))
    const deks = await Promise.all(Array.from({ length: 8 }, () => kek.unwrap(recipient, context)))
    expect(deks.map((opened) => opened?.bytes)).toEqual(Array.from({ length: 8 }, () => dek.bytes))
    expect(runs()).toBe(1)
  })

  test("for several salts go one after the other, whatever their memory", async () => {
    const recipients = await Promise.all(
      [1, 2, 3].map((seed) => wrapped("correct horse", (length) => new Uint8Array(length).fill(seed))),
    )
    let running = 0
    const { argon2id } = await vi.importActual<typeof kdf>("../../../src/crypto/kdf.ts")
    vi.mocked(kdf.argon2id).mockImplementation(async (...given) => {
      running++
      expect(running).toBe(1)
      const key = await argon2id(...given)
      running--
      return key
    })
    using kek = open("correct horse")
    const deks = await Promise.all(recipients.map((recipient) => kek.unwrap(recipient, context)))
    vi.mocked(kdf.argon2id).mockImplementation(argon2id)
    expect(deks.every((opened) => opened?.length === 32)).toBe(true)
  })

  test("that failed do not spoil the next", async () => {
    const recipient = await wrapped()
    using kek = open("correct horse")
    vi.mocked(kdf.argon2id).mockRejectedValueOnce(new Error("out of memory"))
    await expect(kek.unwrap(recipient, context)).rejects.toThrow(KeyMissingError)
    expect((await kek.unwrap(recipient, context))?.bytes).toEqual(dek.bytes)
  })

  test("end in keys that are wiped with the KEK", async () => {
    const recipient = await wrapped()
    vi.clearAllMocks()
    const secret = secretText("correct horse")
    const { bytes } = secret
    const kek = passphraseKek(secret, "test", { random: countingRandom() })
    await kek.unwrap(recipient, context)
    const key = await vi.mocked(kdf.argon2id).mock.results[0]?.value
    const derived = key.bytes
    kek[Symbol.dispose]()
    await Promise.resolve()
    expect(derived).toEqual(new Uint8Array(32))
    expect(bytes).toEqual(new Uint8Array(13))
    await expect(kek.unwrap(recipient, context)).rejects.toThrow(TypeError)
    await expect(kek.wrap(dek, context, countingRandom())).rejects.toThrow(TypeError)
  })
})

describe("hostile recipients", () => {
  test.each<[string, Record<string, string | number>]>([
    ["no passes", { t: 0 }],
    ["17 passes", { t: 17 }],
    ["half a pass", { t: 1.5 }],
    ["passes as text", { t: "3" }],
    ["more than 4 GiB", { m: 4_194_305 }],
    ["less memory than Argon2 takes", { m: 7 }],
    ["less memory than four lanes take", { m: 31, p: 4 }],
    ["no lanes", { p: 0 }],
    ["65 lanes", { p: 65, m: 65_536 }],
    ["a negative number", { t: -1 }],
    ["no number at all", { t: Number.NaN }],
    ["a short salt", { s: base64url(new Uint8Array(15)) }],
    ["a salt that is not its fingerprint's", { s: base64url(new Uint8Array(16)) }],
    ["a salt that is no base64url", { s: "§" }],
    ["a salt that is a number", { s: 5 }],
    ["a wrapped DEK that is no base64url", { ct: "§" }],
  ])("%s: refused before any work", async (_, change) => {
    const recipient = { ...(await wrapped()), ...change }
    vi.clearAllMocks()
    using kek = open("correct horse")
    expect(kek.matches(recipient)).toBe(true)
    await expect(kek.unwrap(recipient, context)).rejects.toThrow(IntegrityError)
    expect(runs()).toBe(0)
  })

  test.each(["t", "m", "p", "s"])("without %s: refused before any work", async (member) => {
    const { [member]: _, ...recipient } = await wrapped()
    vi.clearAllMocks()
    using kek = open("correct horse")
    await expect(kek.unwrap({ kek: "", alg: "", ct: "", ...recipient }, context)).rejects.toThrow(
      IntegrityError,
    )
    expect(runs()).toBe(0)
  })

  test.each([
    { kek: "aes:00", alg: "HKDF-A256GCM", ct: "AAAA" },
    { kek: "passphrase:00", alg: "HKDF-A256GCM", ct: "AAAA" },
    { kek: "aes:00", alg: "Argon2id-A256GCM", ct: "AAAA" },
  ])("$kek by $alg is not a passphrase's", async (recipient) => {
    using kek = open("correct horse")
    expect(kek.matches(recipient)).toBe(false)
    expect(await kek.unwrap(recipient, context)).toBeNull()
  })
})

test("an empty passphrase is refused", () => {
  expect(() => open("")).toThrow(KeyMissingError)
})

test("parameters nobody could read are a bug", () => {
  const parameters = { ...CHEAP_ARGON2, passes: 17 }
  expect(() => passphraseKek(secretText("x"), "test", { random: countingRandom(), parameters })).toThrow(
    RangeError,
  )
})
