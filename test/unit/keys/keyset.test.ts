import { generateKeyPairSync } from "node:crypto"
import { openSync } from "node:fs"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { base64, utf8 } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { KeyMissingError, UsageError } from "../../../src/errors.ts"
import { aesFingerprint } from "../../../src/keys/aes.ts"
import { KeyDirectory } from "../../../src/keys/directory.ts"
import type { KeySet, Recipient } from "../../../src/keys/kek.ts"
import { type KeySetRequest, type KeySources, openKeySet, openKeys } from "../../../src/keys/keyset.ts"
import { countingRandom, exposureOf, secretOf, secretText, spellingsOf } from "../../support/secrets.ts"

const created = new Date("2026-03-01T12:00:00.000Z")
const context = secretOf(99).bytes
let root = ""
let directory = new KeyDirectory("")
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "s3ep-keyset-"))
  directory = new KeyDirectory(join(root, "keys"))
})
afterEach(() => rm(root, { recursive: true }))

const env = { PATH: process.env["PATH"] }
const kek = base64(secretOf(50).bytes)

function open(request: Partial<KeySetRequest>, sources: Partial<KeySources> = {}): Promise<KeySet> {
  return openKeySet({ purpose: "both", ...request }, { directory, random: countingRandom(), env, ...sources })
}

async function secretFile(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(root, name)
  await writeFile(path, content, { mode: 0o600 })
  return path
}

const store = (name: string, seed: number) => directory.create(name, secretOf(seed), { created })
const idOf = (seed: number) => aesFingerprint(secretOf(seed))
const namesOf = (keks: KeySet["readers"]) => keks.map(({ name }) => name)

describe("which KEK writes", () => {
  beforeEach(async () => {
    await store("default", 1)
    await store("work", 2)
    await store("home", 3)
  })

  test.each<[string, Partial<KeySetRequest>, string[]]>([
    ["the one named default, with nothing said", {}, ["default"]],
    ["the one of the configuration before it", { defaultKek: "work" }, ["work"]],
    ["the one given before that", { kek, defaultKek: "work" }, ["S3EP_KEK"]],
    [
      "those named with --kek before all",
      { kek, defaultKek: "work", writeTo: ["home", "default"] },
      ["home", "default"],
    ],
    ["one named twice once", { writeTo: ["home", "home", idOf(3)] }, ["home"]],
    ["one given, by its name", { kek, writeTo: ["S3EP_KEK", "work"] }, ["S3EP_KEK", "work"]],
    ["one by its id", { writeTo: [idOf(2)] }, ["work"]],
    ["one by its fingerprint", { writeTo: [idOf(2).slice("aes:".length)] }, ["work"]],
    ["one by the beginning of its fingerprint", { writeTo: [idOf(2).slice(4, 12)] }, ["work"]],
    ["one by the beginning of its id", { writeTo: [idOf(2).slice(0, 12)] }, ["work"]],
    ["none, for reading", { purpose: "read" }, []],
  ])("%s", async (_, request, writers) => {
    using keys = await open(request)
    expect(namesOf(keys.writers)).toEqual(writers)
    expect(keys.readers).toEqual(expect.arrayContaining([...keys.writers]))
  })

  test("the beginning of several fingerprints means none of them", async () => {
    const seen = new Map<string, number>()
    for (let seed = 100; ; seed++) {
      // Four digits: two of a few hundred keys share them.
      const prefix = idOf(seed).slice(4, 8)
      const twin = seen.get(prefix)
      seen.set(prefix, seed)
      if (twin === undefined) continue
      await store("one", twin)
      await store("other", seed)
      await expect(open({ writeTo: [prefix] })).rejects.toMatchObject({
        code: "S3EP_USAGE",
        hint: `use the whole id: ${idOf(twin)}, ${idOf(seed)}`,
      })
      break
    }
  })

  test("a name goes before the beginning of another's fingerprint", async () => {
    await store(idOf(2).slice(4, 10), 4)
    using keys = await open({ writeTo: [idOf(2).slice(4, 10)] })
    expect(keys.writers[0]?.id).toBe(idOf(4))
  })

  test.each<[string, Partial<KeySetRequest>]>([
    ["a name", { writeTo: ["default", "nobody"] }],
    ["a name in the configuration", { defaultKek: "nobody" }],
    ["three characters of a fingerprint", { writeTo: [idOf(2).slice(4, 7)] }],
    ["a type alone", { writeTo: ["aes:"] }],
  ])("%s that no key has: those at hand are listed", async (_, request) => {
    await expect(open(request)).rejects.toMatchObject({
      code: "S3EP_KEY",
      hint: "the keys at hand are default, home, work",
    })
  })

  test("one key in two places is one", async () => {
    using keys = await open({ kek, kekFile: await secretFile("again", secretOf(50).bytes) })
    expect(namesOf(keys.writers)).toEqual(["S3EP_KEK"])
  })

  test("of several given, the one that --kek or the configuration names, and never a guess", async () => {
    const several = { kek, kekFile: await secretFile("other", secretOf(51).bytes) }
    await expect(open(several)).rejects.toThrow(UsageError)
    await expect(open(several)).rejects.toThrow("S3EP_KEK, kek-file")
    using chosen = await open({ ...several, defaultKek: "kek-file" })
    expect(namesOf(chosen.writers)).toEqual(["kek-file"])
    using named = await open({ ...several, writeTo: ["S3EP_KEK", "kek-file"] })
    expect(namesOf(named.writers)).toEqual(["S3EP_KEK", "kek-file"])
    using reading = await open({ ...several, purpose: "read" })
    expect(namesOf(reading.readers)).toEqual(["S3EP_KEK", "kek-file", "default", "home", "work"])
  })
})

describe("with no key to write to", () => {
  test("and none at all, it says how to make one", async () => {
    await expect(open({ purpose: "write" })).rejects.toMatchObject({
      code: "S3EP_KEY",
      hint: "make one with `s3ep keys generate`, or set S3EP_KEK_FILE",
    })
    await expect(open({ writeTo: ["work"] })).rejects.toThrow(KeyMissingError)
  })

  test("and others than the default one, it says which there are", async () => {
    await store("work", 1)
    await expect(open({})).rejects.toMatchObject({ hint: expect.stringContaining("there are work") })
  })

  test("it reads", async () => {
    using keys = await open({ purpose: "read" })
    expect(keys).toMatchObject({ readers: [], writers: [] })
  })
})

describe("keys come from", () => {
  test.each<[string, () => Promise<Partial<KeySetRequest>>]>([
    ["S3EP_KEK", async () => ({ kek })],
    ["a raw file", async () => ({ kekFile: await secretFile("raw", secretOf(50).bytes) })],
    ["a file in base64", async () => ({ kekFile: await secretFile("base64", `${kek}\n`) })],
    ["a command", async () => ({ kekCommand: `printf '%s\\n' ${kek}` })],
    ["a file descriptor", async () => ({ kekDescriptor: openSync(await secretFile("fd", `${kek}\n`), "r") })],
  ])("%s", async (_, request) => {
    using keys = await open(await request())
    expect(keys.writers.map(({ id }) => id)).toEqual([idOf(50)])
  })

  test.each<[string, (passphrase: string) => Promise<Partial<KeySetRequest>>]>([
    ["a file", async (text) => ({ passphraseFile: await secretFile("passphrase", `${text}\n`) })],
    ["a command", async (text) => ({ passphraseCommand: `echo '${text}'` })],
    ["a prompt", async () => ({ passphrasePrompt: true })],
  ])("%s with a passphrase", async (_, request) => {
    const prompt = async () => secretText("correct horse")
    using writing = await open(await request("correct horse"), { prompt })
    const recipient = await writing.writers[0]?.wrap(secretOf(5), context, countingRandom())
    using reading = await open({ ...(await request("correct horse")), purpose: "read" }, { prompt })
    if (!recipient) throw new Error("nothing writes")
    expect((await reading.readers[0]?.unwrap(recipient, context))?.bytes).toEqual(secretOf(5).bytes)
  })
})

describe("a passphrase asked for", () => {
  const answers = (...texts: string[]) => {
    const asked: string[] = []
    const prompt = async (question: string) => {
      asked.push(question)
      return secretText(texts.shift() ?? "")
    }
    return { asked, prompt }
  }

  test("is asked for twice to write, once to read", async () => {
    const { asked, prompt } = answers("horse", "horse", "horse")
    using writing = await open({ passphrasePrompt: true, purpose: "write" }, { prompt })
    using reading = await open({ passphrasePrompt: true, purpose: "read" }, { prompt })
    expect(asked).toEqual(["passphrase: ", "the same again: ", "passphrase: "])
    expect([writing.writers.length, reading.readers.length]).toEqual([1, 1])
  })

  test("and not repeated, or empty, is refused", async () => {
    const differing = answers("horse", "house")
    await expect(open({ passphrasePrompt: true }, differing)).rejects.toThrow("are not the same")
    await expect(open({ passphrasePrompt: true }, answers(""))).rejects.toThrow("is empty")
  })

  test("of nobody fails and says what to set", async () => {
    await expect(open({ passphrasePrompt: true })).rejects.toMatchObject({
      code: "S3EP_KEY",
      hint: "set S3EP_PASSPHRASE_FILE or S3EP_PASSPHRASE_COMMAND",
    })
  })
})

describe("a key of the directory", () => {
  test("is read when it is needed, and wiped with the set", async () => {
    await store("default", 1)
    const keys = await open({})
    const [writer] = keys.writers
    if (!writer) throw new Error("nothing writes")
    const recipient = await writer.wrap(secretOf(5), context, countingRandom())
    expect((await writer.unwrap(recipient, context))?.bytes).toEqual(secretOf(5).bytes)
    keys[Symbol.dispose]()
    await expect(writer.unwrap(recipient, context)).rejects.toThrow(TypeError)
  })

  test("that goes, or changes, before it is needed is an error that names its file", async () => {
    const { path } = await store("default", 1)
    using keys = await open({})
    await rm(path)
    const wrap = () => keys.writers[0]?.wrap(secretOf(5), context, countingRandom())
    await expect(wrap()).rejects.toThrow(`the key file ${path} is gone`)
    await store("default", 2)
    using again = await open({})
    await writeFile(path, base64(secretOf(3).bytes))
    const changed = again.writers[0]?.wrap(secretOf(5), context, countingRandom())
    await expect(changed).rejects.toThrow(`the key file ${path} holds another key`)
  })

  test("that cannot be read matters only where it might be needed", async () => {
    const { path } = await store("default", 1)
    await store("work", 2)
    await chmod(path, 0o644)
    using keys = await open({ writeTo: ["work"] })
    const broken = keys.readers.find(({ name }) => name === "default")
    expect(broken).toMatchObject({ slow: true })
    const recipient = await keys.writers[0]?.wrap(secretOf(5), context, countingRandom())
    if (!recipient || !broken) throw new Error("no such KEK")
    expect(broken.matches(recipient)).toBe(true)
    await expect(broken.unwrap(recipient, context)).rejects.toThrow(path)
    await expect(open({})).rejects.toThrow(path)
    await expect(open({ writeTo: ["work", "default"] })).rejects.toThrow(path)
  })
})

describe("secrets stay secret", () => {
  test("in a key set and its KEKs, before and after use", async () => {
    await store("stored", 1)
    const passphrase = "correct horse battery staple"
    const passphraseFile = await secretFile("passphrase", passphrase)
    using keys = await open({ kek, passphraseFile, writeTo: ["stored", "S3EP_KEK", "passphrase-file"] })
    for (const writer of keys.writers) await writer.wrap(secretOf(5), context, countingRandom())
    const exposure = [keys, ...keys.readers].map(exposureOf).join("\n")
    const secrets = [secretOf(1).bytes, secretOf(50).bytes, secretOf(5).bytes, utf8(passphrase)]
    for (const spelling of secrets.flatMap(spellingsOf)) expect(exposure).not.toContain(spelling)
    expect(exposure).toContain("S3EP_KEK")
  })

  test("in SecretBytes", () => {
    const secret = secretOf(1)
    const exposure = exposureOf({ dek: secret, nested: [secret, `${secret}`] })
    for (const spelling of spellingsOf(secret.bytes)) expect(exposure).not.toContain(spelling)
    expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}')
  })

  test("in the error about a key that is none", async () => {
    const mistyped = kek.slice(0, -2)
    const error = await open({ kek: mistyped }).catch((error) => error)
    expect(error).toBeInstanceOf(KeyMissingError)
    expect(exposureOf(error)).not.toContain(mistyped.slice(0, 8))
  })

  test("where another source fails: what was opened before is wiped", async () => {
    const passphrase = secretText("horse")
    const { bytes } = passphrase
    const repeated = new SecretBytes(utf8("house"))
    const answers = [passphrase, repeated]
    const prompt = async () => answers.shift() ?? secretText("")
    await expect(open({ kek, passphrasePrompt: true }, { prompt })).rejects.toThrow(KeyMissingError)
    expect(bytes).toEqual(new Uint8Array(5))
    expect(() => repeated.bytes).toThrow(TypeError)
  })
})

describe("recipients, who are to read", () => {
  const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
  const arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
  const names = async (request: Partial<KeySetRequest>) => {
    using keys = await open(request)
    return namesOf(keys.writers)
  }

  test("are written to, all of them, and before a key that is merely there", async () => {
    await store("default", 1)
    expect(await names({ recipients: [recipient, arn] })).toEqual(["age1ql3z7hjy54pw…", "key/1234abcd"])
  })

  test("are written to beside those named with --kek", async () => {
    await store("work", 1)
    expect(await names({ recipients: [recipient], writeTo: ["work"] })).toEqual(["work", "age1ql3z7hjy54pw…"])
  })

  test("and another key that is configured: which is meant has to be said", async () => {
    await expect(open({ kek, recipients: [recipient] })).rejects.toThrow(UsageError)
    expect(await names({ kek, recipients: [recipient], recipientsAre: "chosen" })).toEqual([
      "age1ql3z7hjy54pw…",
    ])
    expect(await names({ kek, recipients: [recipient], recipientsAre: "passed over" })).toEqual(["S3EP_KEK"])
    expect(await names({ kek, recipients: [recipient], defaultKek: "S3EP_KEK" })).toEqual(["S3EP_KEK"])
  })

  test("come from files that anybody may read, several in one", async () => {
    const path = join(root, "team.txt")
    await writeFile(path, `# the team\n${recipient}\n\n# once more\n${recipient}\n`, { mode: 0o644 })
    expect(await names({ recipients: [path] })).toEqual(["team.txt"])
  })

  test("are refused where a secret key is given in their place", async () => {
    const path = await secretFile("secret", `${kek}\n`)
    const error = await open({ recipients: [path] }).catch((error) => error)
    expect(error).toMatchObject({ code: "S3EP_KEY", message: expect.stringContaining("secret key") })
    expect(exposureOf(error)).not.toContain(kek.slice(0, 12))
    await expect(open({ recipients: [join(root, "none")] })).rejects.toThrow(
      "cannot read the recipients file",
    )
  })
})

describe("identities, to read with", () => {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const privatePem = String(pair.privateKey.export({ type: "pkcs8", format: "pem" }))
  const publicPem = String(pair.publicKey.export({ type: "spki", format: "pem" }))

  test("open what was wrapped to their public part", async () => {
    const publicPath = await secretFile("ci.pub", publicPem)
    using writing = await open({ recipients: [publicPath], purpose: "write" })
    const recipient = await writing.writers[0]?.wrap(secretOf(5), context, countingRandom())
    if (!recipient) throw new Error("nothing writes")
    expect(await writing.readers[0]?.unwrap(recipient, context)).toBeNull()
    for (const request of [
      { identityFiles: [await secretFile("ci.pem", privatePem)] },
      { identityCommand: `cat '${await secretFile("again.pem", privatePem)}'` },
    ]) {
      using reading = await open({ ...request, purpose: "read" })
      expect((await reading.readers[0]?.unwrap(recipient, context))?.bytes).toEqual(secretOf(5).bytes)
    }
  })

  test("write only where there is nothing else to write to", async () => {
    const identityFiles = [await secretFile("ci.pem", privatePem)]
    using alone = await open({ identityFiles })
    expect(namesOf(alone.writers)).toEqual(["ci.pem"])
    await store("default", 1)
    using beside = await open({ identityFiles })
    expect(namesOf(beside.writers)).toEqual(["default"])
  })

  test("that others may read are refused", async () => {
    const path = await secretFile("open.pem", privatePem)
    await chmod(path, 0o644)
    await expect(open({ identityFiles: [path] })).rejects.toThrow(
      "others than you may read the identity file",
    )
  })

  test("under a passphrase ask for it", async () => {
    const encrypted = pair.privateKey.export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "horse",
    })
    const identityFiles = [await secretFile("locked.pem", String(encrypted))]
    const asked: string[] = []
    const unlock = async (what: string) => {
      asked.push(what)
      return secretText("horse")
    }
    using keys = await open({ identityFiles }, { unlock })
    expect(namesOf(keys.writers)).toEqual(["locked.pem"])
    expect(asked).toEqual([`the identity file ${identityFiles[0]}`])
  })
})

describe("a key that is", () => {
  async function wrapped() {
    await store("old", 1)
    await store("default", 2)
    using keys = await open({ writeTo: ["old"] })
    return (
      (await keys.writers[0]?.wrap(secretOf(5), context, countingRandom())) ?? expect.fail("nothing writes")
    )
  }
  const opened = async (keys: KeySet, recipient: Recipient) => {
    const kek = keys.readers.find((kek) => kek.matches(recipient))
    return (await kek?.unwrap(recipient, context))?.bytes
  }

  test("retired reads and does not write, by whatever name it is given", async () => {
    const recipient = await wrapped()
    await directory.setState("old", "retired")
    using keys = await open({})
    expect(await opened(keys, recipient)).toEqual(secretOf(5).bytes)
    const again = { kek: base64(secretOf(1).bytes) }
    for (const request of [{ writeTo: ["old"] }, { defaultKek: "old" }, again]) {
      await expect(open(request)).rejects.toMatchObject({
        code: "S3EP_KEY",
        message: expect.stringContaining("is retired"),
        hint: expect.stringContaining("keys activate"),
      })
    }
    const old = keys.readers.find(({ name }) => name === "old")
    await expect(old?.wrap(secretOf(5), context, countingRandom())).rejects.toThrow("is retired")
  })

  test("revoked opens nothing, unless it may", async () => {
    const recipient = await wrapped()
    await directory.setState("old", "revoked")
    using keys = await open({ kek: base64(secretOf(1).bytes), purpose: "read" })
    for (const kek of keys.readers.filter((kek) => kek.matches(recipient))) {
      await expect(kek.unwrap(recipient, context)).rejects.toMatchObject({
        code: "S3EP_KEY",
        hint: expect.stringContaining("--allow-revoked"),
      })
      expect(await kek.raw?.()).toBeNull()
    }
    using allowed = await open({ allowRevoked: true, purpose: "read" })
    expect(await opened(allowed, recipient)).toEqual(secretOf(5).bytes)
    await expect(open({ allowRevoked: true, writeTo: ["old"] })).rejects.toThrow("is revoked")
  })

  test("active again is as before", async () => {
    const recipient = await wrapped()
    await directory.setState("old", "revoked")
    await directory.setState("old", "active")
    using keys = await open({ writeTo: ["old"] })
    expect(await opened(keys, recipient)).toEqual(secretOf(5).bytes)
  })
})

test("keys are opened once, and who writes is chosen later, as often as one likes", async () => {
  await store("default", 1)
  await store("work", 2)
  using keys = await openKeys({ purpose: "both" }, { directory, random: countingRandom(), env })
  expect(namesOf(keys.writers({}))).toEqual(["default"])
  expect(namesOf(keys.writers({ writeTo: ["work"] }))).toEqual(["work"])
  expect(() => keys.writers({ writeTo: ["nobody"] })).toThrow(KeyMissingError)
})
