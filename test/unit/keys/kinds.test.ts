import { generateKeyPairSync } from "node:crypto"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { base64url, fromBase64url, fromUtf8, utf8 } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { IntegrityError, KeyMissingError } from "../../../src/errors.ts"
import type { Kek, Recipient } from "../../../src/keys/kek.ts"
import type { KeySources } from "../../../src/keys/kind.ts"
import { KEK_KINDS, kekOf, kindOf, parseKeys, unpackKey } from "../../../src/keys/kinds.ts"
import { keyMaterial } from "../../../src/keys/material.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import { type KmsServer, startKmsServer } from "../../support/kms-server.ts"
import { exposureOf, secretOf, spellingsOf } from "../../support/secrets.ts"

const ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
const otherRsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
const pem = (key: typeof rsa.privateKey) => String(key.export({ type: "pkcs8", format: "pem" }))
let identities: Record<"age" | "age-pq", readonly [string, string]>

let kms: KmsServer
let sources: KeySources
beforeAll(async () => {
  kms = await startKmsServer()
  // What the AWS SDK looks for, which has no option of ours.
  process.env["AWS_ACCESS_KEY_ID"] ??= "AKIAIOSFODNN7EXAMPLE"
  process.env["AWS_SECRET_ACCESS_KEY"] ??= "a test's own, which means nothing"
  sources = { random: systemRandom, env: {}, kms: { endpoint: kms.endpoint } }
  const { generate } = kindOf("age:")?.written ?? expect.fail("there is no age")
  const made = async (kind: "age" | "age-pq") => {
    using material = (await generate[kind]?.(systemRandom)) ?? expect.fail(`no ${kind}`)
    return fromUtf8(material.text.bytes)
  }
  identities = {
    age: [await made("age"), await made("age")],
    "age-pq": [await made("age-pq"), await made("age-pq")],
  }
})
afterAll(() => kms[Symbol.asyncDispose]())

async function kekFrom(text: string): Promise<Kek> {
  const [material] = await parseKeys(utf8(text), { origin: "the test's key" })
  return kekOf(material ?? expect.fail("no key"), "test", sources)
}

/** Two different keys of each kind. */
const kinds: readonly (readonly [string, () => readonly [string, string]])[] = [
  ["aes", () => [spelled(1), spelled(2)]],
  ["rsa", () => [pem(rsa.privateKey), pem(otherRsa.privateKey)]],
  ["age", () => identities.age],
  ["age-pq", () => identities["age-pq"]],
  ["kms", () => [ARN, ARN.replace("1234abcd", "00000000")]],
]
const spelled = (seed: number) => Buffer.from(secretOf(seed).bytes).toString("base64")

describe.each(kinds)("a KEK of kind %s", (_kind, keysOf) => {
  const dek = secretOf(7)
  const context = secretOf(8).bytes

  async function wrapped(): Promise<{ kek: Kek; recipient: Recipient }> {
    const kek = await kekFrom(keysOf()[0])
    return { kek, recipient: await kek.wrap(dek, context, systemRandom) }
  }

  test("opens what it wrapped, whatever the DEK and the context", async () => {
    const kek = await kekFrom(keysOf()[0])
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (dek, context) => {
        const given = new SecretBytes(new Uint8Array(dek))
        const recipient = await kek.wrap(given, context, systemRandom)
        expect(kek.matches(recipient)).toBe(true)
        expect(recipient.kek).toBe(kek.id)
        expect((await kek.unwrap(recipient, context))?.bytes).toEqual(dek)
      }),
      { numRuns: 5 },
    )
  })

  test("never wraps alike twice", async () => {
    const { kek, recipient } = await wrapped()
    expect((await kek.wrap(dek, context, systemRandom)).ct).not.toBe(recipient.ct)
  })

  test("refuses another context: the object was put in another's place", async () => {
    const { kek, recipient } = await wrapped()
    await expect(kek.unwrap(recipient, secretOf(9).bytes)).rejects.toThrow(IntegrityError)
  })

  test("refuses what was altered or cut anywhere", async () => {
    const { kek, recipient } = await wrapped()
    const ct = fromBase64url(recipient.ct) ?? expect.fail("not base64url")
    const alteration = fc.record({ at: fc.nat(ct.length - 1), flip: fc.integer({ min: 1, max: 255 }) })
    await fc.assert(
      fc.asyncProperty(alteration, async ({ at, flip }) => {
        const altered = ct.slice()
        altered[at] = (altered[at] ?? 0) ^ flip
        for (const bytes of [altered, ct.slice(0, at)]) {
          const unwrapping = kek.unwrap({ ...recipient, ct: base64url(bytes) }, context)
          await expect(unwrapping).rejects.toThrow(IntegrityError)
        }
      }),
      { numRuns: 12 },
    )
  })

  test("leaves to others what is theirs", async () => {
    const { recipient } = await wrapped()
    const other = await kekFrom(keysOf()[1])
    expect(other.matches(recipient)).toBe(false)
    expect(await other.unwrap(recipient, context)).toBeNull()
    expect(other.matches({ ...recipient, kek: other.id, alg: "unheard-of" })).toBe(false)
  })

  test("refuses another's DEK under its own name", async () => {
    const { recipient } = await wrapped()
    const other = await kekFrom(keysOf()[1])
    await expect(other.unwrap({ ...recipient, kek: other.id }, context)).rejects.toThrow(IntegrityError)
  })

  test("is not used after it was disposed of", async () => {
    const { kek, recipient } = await wrapped()
    kek[Symbol.dispose]()
    await expect(kek.unwrap(recipient, context)).rejects.toThrow(TypeError)
  })

  test("shows nothing of itself", async () => {
    const { kek } = await wrapped()
    const shown = exposureOf(kek)
    for (const spelling of spellingsOf(utf8(keysOf()[0].trim()))) {
      if (!ARN.startsWith(keysOf()[0].slice(0, 8))) expect(shown).not.toContain(spelling)
    }
    expect(shown).toContain(kek.id)
  })

  test("is written down and read back alike", async () => {
    const [material] = await parseKeys(utf8(keysOf()[0]), { origin: "it" })
    const [again] = await parseKeys(material?.text.bytes ?? new Uint8Array(), { origin: "it" })
    expect(again).toMatchObject({
      id: material?.id,
      secret: material?.secret,
      publicText: material?.publicText,
    })
    expect(again?.text.bytes).toEqual(material?.text.bytes)
  })
})

describe.each([
  ["rsa", () => pem(rsa.privateKey)],
  ["age", () => identities.age[0]],
  ["age-pq", () => identities["age-pq"][0]],
] as const)("the public half of %s", (_kind, secretTextOf) => {
  test("writes what the private half reads, and reads nothing", async () => {
    const [material] = await parseKeys(utf8(secretTextOf()), { origin: "it" })
    const writer = await kekFrom(material?.publicText ?? "")
    const reader = await kekFrom(secretTextOf())
    expect(writer.id).toBe(reader.id)
    const recipient = await writer.wrap(secretOf(7), secretOf(8).bytes, systemRandom)
    expect(writer.matches(recipient)).toBe(true)
    expect(await writer.unwrap(recipient, secretOf(8).bytes)).toBeNull()
    expect((await reader.unwrap(recipient, secretOf(8).bytes))?.bytes).toEqual(secretOf(7).bytes)
  })
})

describe("RSA in PEM", () => {
  const { privateKey, publicKey } = rsa
  const unlock = async () => new SecretBytes(utf8("horse"))
  const cipher = "aes-256-cbc"
  const passphrase = "horse"
  test.each([
    ["PKCS#8", privateKey.export({ type: "pkcs8", format: "pem" })],
    ["PKCS#1", privateKey.export({ type: "pkcs1", format: "pem" })],
    ["encrypted PKCS#8", privateKey.export({ type: "pkcs8", format: "pem", cipher, passphrase })],
    ["encrypted PKCS#1", privateKey.export({ type: "pkcs1", format: "pem", cipher, passphrase })],
    ["SPKI", publicKey.export({ type: "spki", format: "pem" })],
    ["a public PKCS#1", publicKey.export({ type: "pkcs1", format: "pem" })],
    ["text around", `Bag Attributes\n${pem(privateKey)}\n`],
    ["line ends of Windows", pem(privateKey).replaceAll("\n", "\r\n")],
    ["both halves", `${publicKey.export({ type: "spki", format: "pem" })}${pem(privateKey)}`],
  ])("is read: %s", async (_form, text) => {
    const [material] = await parseKeys(utf8(String(text)), { origin: "it", unlock })
    expect(material?.id).toBe((await kekFrom(pem(privateKey))).id)
  })

  test.each([
    ["is too weak", pem(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey), /too weak/],
    ["is RSA-PSS", pem(generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey), /rsa-pss/],
    ["is not RSA", pem(generateKeyPairSync("ed25519").privateKey), /ed25519/],
    [
      "is OpenSSH's",
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${"b3Bl".repeat(9)}\n-----END OPENSSH PRIVATE KEY-----`,
      /OPENSSH/,
    ],
    ["is damaged", pem(privateKey).replace(/\n[A-Za-z0-9+/]{20}/, "\nAAAAAAAAAAAAAAAAAAAA"), /damaged/],
  ])("is refused when it %s", async (_what, text, message) => {
    const error = await parseKeys(utf8(text), { origin: "it" }).catch((error) => error)
    expect(error).toBeInstanceOf(KeyMissingError)
    expect(error.message).toMatch(message)
    expect(exposureOf(error)).not.toContain(text.split("\n")[1]?.slice(4, 24))
  })

  test("with another passphrase, or none, says so", async () => {
    const encrypted = utf8(String(privateKey.export({ type: "pkcs8", format: "pem", cipher, passphrase })))
    const wrong = async () => new SecretBytes(utf8("house"))
    await expect(parseKeys(encrypted, { origin: "it", unlock: wrong })).rejects.toThrow("passphrase is wrong")
    await expect(parseKeys(encrypted, { origin: "it" })).rejects.toThrow(KeyMissingError)
  })
})

describe("keys of age", () => {
  test("are read from an identity file of age-keygen, several of them too", async () => {
    const text = `# created: 2026-03-01T12:00:00Z\n# public key: age1…\n${identities.age[0]}\n${identities["age-pq"][0]}`
    expect(await parseKeys(utf8(text), { origin: "it" })).toMatchObject([{ secret: true }, { secret: true }])
  })

  test.each([
    ["a mistyped identity", () => identities.age[0].replace(/.\n$/, "\n"), /damaged or mistyped/],
    ["a recipient in capitals", () => "AGE1QQQQ", /not a key/],
    ["a recipient with a wrong checksum", () => `age1${"q".repeat(58)}`, /damaged or mistyped/],
    ["a recipient of a plugin", () => "age1yubikey1qwerty", /plugin/],
    ["a tag recipient", () => "age1tag1qwerty", /plugin/],
    ["an SSH key", () => "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMm", /SSH/],
  ])("that cannot be used are refused: %s", async (_what, text, message) => {
    await expect(parseKeys(utf8(text()), { origin: "it" })).rejects.toThrow(message)
  })

  test("are read from an identity file under a passphrase", async () => {
    const { armor, Encrypter } = await import("age-encryption")
    const encrypter = new Encrypter()
    encrypter.setPassphrase("horse")
    encrypter.setScryptWorkFactor(4)
    const file = await encrypter.encrypt(`# mine\n${identities.age[0]}`)
    const expected = (await kekFrom(identities.age[0])).id
    for (const content of [file, utf8(armor.encode(file))]) {
      const unlock = async () => new SecretBytes(utf8("horse"))
      const [material] = await parseKeys(content, { origin: "it", unlock })
      expect(material?.id).toBe(expected)
      const wrong = async () => new SecretBytes(utf8("house"))
      await expect(parseKeys(content, { origin: "it", unlock: wrong })).rejects.toThrow("passphrase is wrong")
    }
  })

  test("open what age itself could: a file of 64 bytes", async () => {
    const { Decrypter } = await import("age-encryption")
    const kek = await kekFrom(identities.age[0])
    const { ct } = await kek.wrap(secretOf(7), secretOf(8).bytes, systemRandom)
    const decrypter = new Decrypter()
    decrypter.addIdentity(identities.age[0].trim())
    const plaintext = await decrypter.decrypt(fromBase64url(ct) ?? new Uint8Array())
    expect(plaintext).toEqual(Uint8Array.from([...secretOf(7).bytes, ...secretOf(8).bytes]))
  })

  test("do not look at a file larger than any that s3ep writes", async () => {
    const kek = await kekFrom(identities.age[0])
    const recipient = { kek: kek.id, alg: "age", ct: base64url(new Uint8Array(8193)) }
    await expect(kek.unwrap(recipient, secretOf(8).bytes)).rejects.toThrow(IntegrityError)
  })
})

describe("keys of KMS", () => {
  test.each([
    "arn:aws:kms:eu-central-1:111122223333:alias/mine",
    "arn:aws:s3:::bucket",
    "arn:aws:kms:eu-central-1:1111:key/x",
  ])("are named by the ARN of a key, not by %s", async (arn) => {
    await expect(parseKeys(utf8(arn), { origin: "it" })).rejects.toMatchObject({
      code: "S3EP_KEY",
      hint: expect.stringContaining("describe-key"),
    })
  })

  test("are asked with the encryption context of the format, signed for their region", async () => {
    const kek = await kekFrom(ARN)
    const context = secretOf(8).bytes
    await kek.unwrap(await kek.wrap(secretOf(7), context, systemRandom), context)
    const [encrypt, decrypt] = kms.requests.slice(-2)
    const expected = { s3ep: Buffer.from(context).toString("hex") }
    expect(encrypt).toMatchObject({ operation: "Encrypt", body: { KeyId: ARN, EncryptionContext: expected } })
    expect(decrypt).toMatchObject({ operation: "Decrypt", body: { KeyId: ARN, EncryptionContext: expected } })
    expect(encrypt?.authorization).toContain("/eu-central-1/kms/aws4_request")
  })

  test.each([
    ["AccessDeniedException", 400, "S3EP_DENIED"],
    ["NotFoundException", 400, "S3EP_KEY"],
    ["DisabledException", 400, "S3EP_KEY"],
    ["KMSInvalidStateException", 400, "S3EP_KEY"],
    ["InvalidCiphertextException", 400, "S3EP_INTEGRITY"],
    ["IncorrectKeyException", 400, "S3EP_INTEGRITY"],
  ])("that KMS refuses with %s", async (type, status, code) => {
    const kek = await kekFrom(ARN)
    const recipient = await kek.wrap(secretOf(7), secretOf(8).bytes, systemRandom)
    kms.failWith({ status, type, message: "so it says" })
    try {
      await expect(kek.unwrap(recipient, secretOf(8).bytes)).rejects.toMatchObject({ code })
    } finally {
      kms.failWith(null)
    }
  })

  test("of a service that is not there", async () => {
    await using gone = await startKmsServer()
    await gone[Symbol.asyncDispose]()
    const [material] = await parseKeys(utf8(ARN), { origin: "it" })
    const kek = await kekOf(material ?? expect.fail("no key"), "test", {
      ...sources,
      kms: { endpoint: gone.endpoint },
    })
    await expect(kek.wrap(secretOf(7), secretOf(8).bytes, systemRandom)).rejects.toMatchObject({
      code: "S3EP_UNAVAILABLE",
      transient: "network",
    })
  })
})

test("what is no key of any kind says what would be", async () => {
  await expect(parseKeys(utf8("hello"), { origin: "the file x" })).rejects.toThrow(
    /^the file x is not a key: .*PEM/,
  )
})

test("every kind that is kept can be packed on a sheet, or says that it cannot, and unpacked", async () => {
  for (const [kind, keysOf] of kinds) {
    const [material] = await parseKeys(utf8(keysOf()[0]), { origin: "it" })
    const packed = await kindOf(material?.id ?? "")?.written?.pack?.(material ?? expect.fail("no key"))
    if (kind === "rsa" || kind === "kms") expect(packed ?? null).toBeNull()
    else {
      const again = await unpackKey(packed?.tag ?? 0, packed?.bytes ?? expect.fail("not packed"))
      expect(again?.text.bytes).toEqual(material?.text.bytes)
    }
  }
  expect(await unpackKey(0, secretOf(1))).toBeNull()
})

test("types and algorithms are each one kind's", () => {
  expect(new Set(KEK_KINDS.map(({ type }) => type)).size).toBe(KEK_KINDS.length)
  expect(new Set(KEK_KINDS.map(({ alg }) => alg)).size).toBe(KEK_KINDS.length)
})

test("material that is disposed of is wiped", () => {
  const text = secretOf(1)
  const { bytes } = text
  keyMaterial({ id: "aes:x", text, secret: true, reads: true, publicText: null })[Symbol.dispose]()
  expect(bytes).toEqual(new Uint8Array(32))
})
