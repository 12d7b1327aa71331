import { createHash } from "node:crypto"
import { describe, expect, test } from "vitest"
import { base64url, hex } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { bindingContext } from "../../../src/envelope/binding.ts"
import { createEnvelope, type Envelope, openEnvelope } from "../../../src/envelope/envelope.ts"
import { IntegrityError, KeyMissingError } from "../../../src/errors.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import type { Kek, Recipient } from "../../../src/keys/kek.ts"
import { passphraseKek } from "../../../src/keys/passphrase.ts"
import { brokenKek } from "../../../src/keys/stored.ts"
import {
  CHEAP_ARGON2,
  countingRandom,
  exposureOf,
  secretOf,
  secretText,
  spellingsOf,
} from "../../support/secrets.ts"
import { bytesOfHex, wrapVectors } from "../../support/vectors.ts"

const random = countingRandom()
const objectKey = "photos/ünï.tar"
const dek = secretOf(1)
const aes = (seed: number) => aesKek(secretOf(seed), `key ${seed}`)
const passphrase = (text: string) =>
  passphraseKek(secretText(text), text, { random: countingRandom(), parameters: CHEAP_ARGON2 })

async function envelopeTo(...writers: Kek[]): Promise<Envelope> {
  return await createEnvelope({ dek, bind: "key", objectKey, writers, random })
}

const open = (envelope: Envelope, ...readers: Kek[]) => openEnvelope(envelope, { objectKey, readers })

function damagedAt(envelope: Envelope, index: number): Envelope {
  const recipients = envelope.recipients.map(
    (recipient, at): Recipient =>
      at === index ? { ...recipient, ct: base64url(new Uint8Array(80)) } : recipient,
  )
  return { ...envelope, recipients }
}

describe("the binding", () => {
  test.each(wrapVectors)("to $bind is the vector's", (vector) => {
    expect(bindingContext(vector.bind, vector.objectKey)).toEqual(bytesOfHex(vector.context))
  })

  test("to a key is of its exact bytes", () => {
    const expected = createHash("sha256").update("s3ep bind\0key\0").update(objectKey).digest("hex")
    expect(hex(bindingContext("key", objectKey))).toBe(expected)
    const keys = ["", "a", "A", "a/", "/a", "\u00e9", "e\u0301", "a\0", "a b", "a+b", "a%20b"]
    expect(new Set(keys.map((key) => hex(bindingContext("key", key)))).size).toBe(keys.length)
  })

  test("to none looks at no key, and is not that to an empty one", () => {
    expect(bindingContext("none", "a")).toEqual(bindingContext("none", ""))
    expect(bindingContext("none", "")).not.toEqual(bindingContext("key", ""))
  })

  test("to half a character is a bug", () => {
    expect(() => bindingContext("key", "a\ud83d")).toThrow(RangeError)
  })
})

describe("an envelope", () => {
  test("opens with each of its KEKs", async () => {
    const envelope = await envelopeTo(aes(2), passphrase("horse"), aes(3))
    expect(envelope).toMatchObject({ v: 2, fmt: "agcm2", bind: "key" })
    for (const kek of [aes(2), passphrase("horse"), aes(3)]) {
      const opened = await open(envelope, aes(8), kek, aes(9))
      expect(opened.dek.bytes).toEqual(dek.bytes)
      expect(opened.kek).toBe(kek)
    }
  })

  test("has one recipient for each KEK, in their order", async () => {
    const envelope = await envelopeTo(aes(2), aes(3), aes(2))
    expect(envelope.recipients.map(({ kek }) => kek)).toEqual([aes(2).id, aes(3).id])
  })

  test("wraps under another salt each time", async () => {
    const [first, second] = [await envelopeTo(aes(2)), await envelopeTo(aes(2))]
    expect(first.recipients[0]?.ct).not.toBe(second.recipients[0]?.ct)
  })

  test("is for somebody", async () => {
    await expect(envelopeTo()).rejects.toThrow(KeyMissingError)
  })

  test("is for DEKs of 32 bytes", async () => {
    const short = new SecretBytes(new Uint8Array(31))
    const making = createEnvelope({ dek: short, bind: "none", objectKey: "", writers: [aes(2)], random })
    await expect(making).rejects.toThrow(RangeError)
  })

  test("does not open in another's place", async () => {
    const opening = openEnvelope(await envelopeTo(aes(2)), { objectKey: "other", readers: [aes(2)] })
    await expect(opening).rejects.toThrow(IntegrityError)
  })

  test("does not open under another binding", async () => {
    await expect(open({ ...(await envelopeTo(aes(2))), bind: "none" }, aes(2))).rejects.toThrow(
      IntegrityError,
    )
  })

  test("bound to none opens anywhere", async () => {
    const envelope = await createEnvelope({ dek, bind: "none", objectKey, writers: [aes(2)], random })
    const opened = await openEnvelope(envelope, { objectKey: "other", readers: [aes(2)] })
    expect(opened.dek.bytes).toEqual(dek.bytes)
  })
})

describe("which KEK opens", () => {
  test("the quick ones are asked first", async () => {
    const asked: string[] = []
    const watched = (kek: Kek): Kek => ({
      ...{ id: kek.id, name: kek.name, slow: kek.slow ?? false },
      matches: (recipient) => kek.matches(recipient),
      wrap: (...given) => kek.wrap(...given),
      unwrap: (...given) => {
        asked.push(kek.name)
        return kek.unwrap(...given)
      },
      [Symbol.dispose]: () => kek[Symbol.dispose](),
    })
    const envelope = await envelopeTo(passphrase("horse"), aes(2))
    const { kek } = await open(envelope, watched(passphrase("horse")), watched(aes(3)), watched(aes(2)))
    expect(kek.name).toBe("key 2")
    expect(asked).toEqual(["key 2"])
  })

  test("a damaged recipient does not keep another from opening", async () => {
    const envelope = await envelopeTo(aes(2), aes(3))
    const opened = await open(damagedAt(envelope, 0), aes(2), aes(3))
    expect(opened.dek.bytes).toEqual(dek.bytes)
  })

  test("a second recipient of the same KEK is tried too", async () => {
    const { recipients, ...envelope } = await envelopeTo(aes(2))
    const twice = { ...envelope, recipients: [...recipients, ...recipients] }
    expect((await open(damagedAt(twice, 0), aes(2))).dek.bytes).toEqual(dek.bytes)
  })

  test("a wrong passphrase does not keep the right one from opening", async () => {
    const opened = await open(await envelopeTo(passphrase("horse")), passphrase("house"), passphrase("horse"))
    expect(opened.kek.name).toBe("horse")
  })

  test("a slow one is tried a few times, however many recipients there are", async () => {
    let tries = 0
    const slow: Kek = {
      id: "slow:1",
      name: "slow",
      slow: true,
      matches: () => true,
      wrap: () => Promise.reject(new TypeError("not asked")),
      unwrap: async () => {
        tries++
        return null
      },
      [Symbol.dispose]: () => undefined,
    }
    const { recipients, ...envelope } = await envelopeTo(aes(2))
    const many = { ...envelope, recipients: Array.from({ length: 1000 }, () => recipients).flat() }
    await expect(open(many, slow)).rejects.toThrow(KeyMissingError)
    expect(tries).toBe(16)
  })

  test("a key that cannot be read is spoken of only if no other opens", async () => {
    const broken = brokenKek({ name: "bad", path: "bad.key", error: new KeyMissingError("bad.key is bad") })
    const envelope = await envelopeTo(aes(2))
    expect((await open(envelope, broken, aes(2))).kek.name).toBe("key 2")
    await expect(open(envelope, broken, aes(3))).rejects.toThrow("bad.key is bad")
  })
})

describe("an envelope that does not open", () => {
  test("for want of a key says which would", async () => {
    const envelope = await envelopeTo(aes(2))
    for (const readers of [[], [aes(3)], [passphrase("horse")]]) {
      await expect(open(envelope, ...readers)).rejects.toMatchObject({
        code: "S3EP_KEY",
        message: "no key at hand unwraps its DEK",
        hint: `it was wrapped by KEK ${aes(2).id}; give that key with --kek-file or S3EP_KEK_FILE`,
      })
    }
  })

  test("names all kinds of keys that would, and stays short", async () => {
    const some = await envelopeTo(aes(2), passphrase("horse"))
    const foreign = { kek: "tpm:0123", alg: "TPM", ct: "AAAA" }
    const failing = open({ ...some, recipients: [...some.recipients, foreign] })
    await expect(failing).rejects.toMatchObject({
      hint: expect.stringMatching(
        /KEK aes:.*; or it was wrapped under a passphrase.*; or .*tpm:0123.*does not know/,
      ),
    })
    await expect(open(await envelopeTo(...[2, 3, 4, 5, 6].map(aes)))).rejects.toMatchObject({
      hint: expect.stringMatching(/; or 2 more KEKs would do$/),
    })
  })

  test("because the key's own recipient is damaged fails integrity, whatever else was tried", async () => {
    const envelope = damagedAt(await envelopeTo(passphrase("horse"), aes(2)), 1)
    await expect(open(envelope, passphrase("house"), aes(2))).rejects.toThrow(IntegrityError)
  })

  test("because the passphrase is wrong is a matter of keys", async () => {
    const opening = open(await envelopeTo(passphrase("horse")), passphrase("house"))
    await expect(opening).rejects.toThrow(KeyMissingError)
  })

  test("because of a DEK that is none fails integrity, and wipes it", async () => {
    const short = new SecretBytes(new Uint8Array(16).fill(1))
    const kek: Kek = {
      id: "odd:1",
      name: "odd",
      matches: () => true,
      wrap: () => Promise.reject(new TypeError("not asked")),
      unwrap: async () => short,
      [Symbol.dispose]: () => undefined,
    }
    await expect(open(await envelopeTo(aes(2)), kek)).rejects.toThrow(IntegrityError)
    expect(() => short.bytes).toThrow(TypeError)
  })

  test("because of a bug is that bug", async () => {
    const kek = aes(2)
    const envelope = await envelopeTo(kek)
    kek[Symbol.dispose]()
    await expect(open(envelope, kek)).rejects.toThrow(TypeError)
  })

  test("shows nothing secret", async () => {
    const envelope = damagedAt(await envelopeTo(aes(2)), 0)
    for (const readers of [[aes(2)], [aes(3)]]) {
      const exposure = exposureOf(await open(envelope, ...readers).catch((error) => error))
      const secrets = [dek.bytes, secretOf(2).bytes, secretOf(3).bytes]
      for (const spelling of secrets.flatMap(spellingsOf)) expect(exposure).not.toContain(spelling)
    }
  })
})
