import { createHash } from "node:crypto"
import { readFile, stat, writeFile } from "node:fs/promises"
import { describe, expect, test } from "vitest"
import {
  harpocratesCiphertext,
  harpocratesKey,
  harpocratesStreams,
  harpocratesVector,
} from "../support/harpocrates-vectors.ts"
import { type CliSite, openCliSite } from "./cli-site.ts"

interface Rotation {
  readonly exportKeyMaterialRaw: string
  readonly keks: readonly { id: string; keyHex: string }[]
  readonly derivedDataKeys: readonly { kekId: string; contextBase64: string; dekHex: string }[]
  readonly sealed: readonly { kekId: string; encoded: string; plaintext: string }[]
}
const rotation = harpocratesVector<Rotation>("key-rotation")

async function file(site: CliSite, name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(site.home.path(name), content, { mode: 0o600 })
  return site.home.path(name)
}

describe("keys import", () => {
  test("an export with the keys added to it", async () => {
    const site = await openCliSite()
    const exported = JSON.parse(rotation.exportKeyMaterialRaw)
    for (const { id, keyHex } of rotation.keks) exported.versions[id].key = keyHex
    const run = await site.succeed(["keys", "import", await file(site, "a.json", JSON.stringify(exported))])
    for (const { id, keyHex } of rotation.keks) {
      expect(run.stdout).toContain(`imported the key ${id} (aes:`)
      expect(run.stdout).not.toContain(keyHex)
    }
  })

  test("an export as it is says what is missing, with status 5", async () => {
    const site = await openCliSite()
    const run = await site.run(["keys", "import", await file(site, "a.json", rotation.exportKeyMaterialRaw)])
    expect(run.status).toBe(5)
    expect(run.stderr).toContain(`${rotation.keks[0]?.id} (deprecated)`)
  })

  test("a data key, derived of its KEK, opens what was sealed with it", async () => {
    const site = await openCliSite()
    const [derived] = rotation.derivedDataKeys
    const kek = rotation.keks.find(({ id }) => id === derived?.kekId)
    const path = await file(site, "kek.hex", kek?.keyHex ?? "")
    const info = Buffer.from(derived?.contextBase64 ?? "", "base64").toString()
    const argv = ["keys", "import", path, "tenant", "--derive", "hkdf-sha256", "--info", info]
    await site.succeed(argv)
    const shown = await site.succeed(["keys", "export", "tenant", "--reveal", "-"])
    expect(shown.stdout).toContain(Buffer.from(derived?.dekHex ?? "", "hex").toString("base64"))
  })

  test.each([
    ["argon2id", ["--salt", "30313233343536373839616263646566"], "596e13b3b4e3cecf"],
    ["argon2id", ["--salt", "30313233343536373839616263646566", "--argon2", "nemesis"], "21c676400b6145ab"],
    [
      "argon2id",
      ["--salt", "30313233343536373839616263646566", "--argon2", "time=2,memory=64"],
      "21c676400b6145ab",
    ],
  ])("a passphrase: --derive %s %j", async (kdf, options, fingerprint) => {
    const site = await openCliSite()
    const path = await file(site, "passphrase", "correct horse battery staple\n")
    const run = await site.succeed(["keys", "import", path, "old", "--derive", kdf, ...options])
    expect(run.stdout).toContain(`Harpocrates calls it ${fingerprint}`)
  })

  test.each([
    [["--salt", "00"], "--salt goes with --derive"],
    [["--derive", "argon2id"], "--derive argon2id needs --salt"],
    [["--derive", "argon2id", "--salt", "0"], "not hexadecimal"],
    [["--derive", "argon2id", "--salt", "00".repeat(8), "--argon2", "threads=256"], "threads 256"],
    [["--derive", "argon2id", "--salt", "00".repeat(8), "--argon2", "quick"], "is not usable"],
    [["--derive", "pbkdf2-sha256", "--salt", "00"], "needs --iterations"],
    [["--derive", "hkdf-sha256", "--iterations", "3"], "--iterations goes with --derive pbkdf2-sha256"],
  ])("%j is refused", async (options, message) => {
    const site = await openCliSite()
    const path = await file(site, "passphrase", "correct horse battery staple\n")
    const run = await site.run(["keys", "import", path, "old", ...options])
    expect(run.status).toBe(2)
    expect(run.stderr).toContain(message)
  })
})

describe("decrypt", () => {
  interface Case {
    readonly name: string
    readonly encoded: string
    readonly aadBase64: string | null
    readonly keyHex?: string
    readonly outcome?: "ok" | "error"
    readonly plaintextBase64?: string
    readonly plaintextSha256?: string
  }
  const positive = harpocratesVector<{ key: { hex: string }; cases: Case[] }>("plain-aes-gcm")
  const negative = harpocratesVector<{ cases: Case[] }>("plain-aes-gcm-negative").cases

  async function decrypted(value: Case, keyHex: string) {
    const site = await openCliSite()
    const aad = Buffer.from(value.aadBase64 ?? "", "base64")
    return site.run(
      ["decrypt", await file(site, "value", value.encoded), "-", "--aad-file", await file(site, "aad", aad)],
      { env: { S3EP_KEK: Buffer.from(keyHex, "hex").toString("base64") } },
    )
  }

  test.each(positive.cases)("a sealed value: $name", async (value) => {
    const run = await decrypted(value, positive.key.hex)
    expect(run.stderr).toBe("")
    expect(createHash("sha256").update(run.data).digest("hex")).toBe(value.plaintextSha256)
  })

  test.each(negative)("a value the original refuses, or seems to: $name", async (value) => {
    const run = await decrypted(value, value.keyHex ?? "")
    if (value.outcome === "ok") {
      expect(run.data.toString("base64")).toBe(value.plaintextBase64)
      return
    }
    expect(run.data).toHaveLength(0)
    // A wrong key, a wrong AAD and an altered value look the same; what is no value at all does not.
    const closed = ["aad-", "wrong-key", "flip-", "truncated-tag"].some((name) => value.name.startsWith(name))
    expect(run.status).toBe(closed ? 5 : 4)
  })

  test("a value from a pipe, with its AAD on the command line; both ways to give it exclude each other", async () => {
    const site = await openCliSite()
    const value = negative.find(({ name }) => name === "aad-mismatch")
    const env = { S3EP_KEK: Buffer.from(value?.keyHex ?? "", "hex").toString("base64") }
    const stdin = Buffer.from(value?.encoded ?? "")
    const run = await site.succeed(["decrypt", "--aad", "ctx-1"], { env, stdin })
    expect(run.stdout).toBe("attack at dawn")
    expect((await site.run(["decrypt", "--aad", "x", "--aad-file", "y"], { env })).status).toBe(2)
  })

  const streams = harpocratesStreams.filter(({ ciphertext }) => ciphertext.size < 400_000)
  const base = streams.find(({ id }) => id === "agcm-v1-tamper-base")

  test.each(streams)("a stream: $id", async (vector) => {
    const site = await openCliSite()
    const key = vector.id.endsWith("wrong-key") ? new Uint8Array(32) : harpocratesKey(vector).bytes
    const env = { S3EP_KEK: Buffer.from(key).toString("base64") }
    const path = await file(site, "a.agcm", harpocratesCiphertext(vector))
    const size = String(vector.plaintext?.size ?? base?.plaintext?.size)
    const digest = vector.plaintext?.sha256 ?? base?.plaintext?.sha256 ?? ""
    const argv = ["decrypt", path, "--expect-bytes", size, "--expect-sha256", digest]
    for (const target of ["-", "a.txt"]) {
      const run = await site.run([...argv.slice(0, 2), target, ...argv.slice(2)], { env })
      if (vector.kind === "positive") {
        expect(run.status).toBe(0)
        expect(run.stderr).toContain("AGCM v1 does not say where it ends")
        const got = target === "-" ? run.data : await readFile(site.home.path(target))
        expect(createHash("sha256").update(got).digest("hex")).toBe(digest)
        continue
      }
      // With what was known of the original, even what the original reader takes for genuine is refused, and nothing
      // of it is released.
      expect([4, 5]).toContain(run.status)
      expect(run.data).toHaveLength(0)
      await expect(stat(site.home.path(target))).rejects.toThrow("ENOENT")
    }
  })

  test("what is expected of something that proves its own end is a mistake", async () => {
    const site = await openCliSite()
    await site.succeed(["encrypt", await file(site, "a", "text"), "a.s3ep"])
    const run = await site.run(["decrypt", site.home.path("a.s3ep"), "-", "--expect-bytes", "4"])
    expect(run.status).toBe(2)
  })
})

describe("objects in a bucket", () => {
  test.each([
    [[], 0],
    [["--expect-bytes", "3584"], 0],
    [["--expect-bytes", "3583"], 4],
    [["--expect-sha256", "00".repeat(32)], 4],
  ])("get and verify with %j", async (options, status) => {
    const site = await openCliSite()
    const vector = harpocratesStreams.find(({ id }) => id === "agcm-v1-tamper-base")
    if (!vector) throw new Error("the vector is gone")
    const env = { S3EP_KEK: Buffer.from(harpocratesKey(vector).bytes).toString("base64") }
    const settings = { metadata: {} }
    await site.store.put({ bucket: "vault", key: "a" }, harpocratesCiphertext(vector), { settings })
    for (const argv of [
      ["get", "s3://vault/a", "-"],
      ["get", "s3://vault/a", "a.txt"],
      ["verify", "s3://vault/a"],
    ]) {
      const run = await site.run([...argv, ...options], { env })
      expect(run.status).toBe(status)
      if (argv.includes("-")) expect(run.data).toHaveLength(status === 0 ? 3584 : 0)
      if (status === 0) expect(run.stderr).toContain("AGCM v1 seals every chunk under one nonce")
      if (status === 0 && argv[0] === "verify") expect(run.stdout).toContain("opened, which proves nothing")
    }
  })

  test("stat and ls say what they are, and how much they hold", async () => {
    const site = await openCliSite()
    const vector = harpocratesStreams.find(({ id }) => id === "agcm-v1-tamper-base")
    if (!vector) throw new Error("the vector is gone")
    const settings = { metadata: {} }
    await site.store.put({ bucket: "vault", key: "a" }, harpocratesCiphertext(vector), { settings })
    const [described] = (await site.succeed(["stat", "s3://vault/a", "--json"])).lines
    expect(described).toMatchObject({ format: "harpocrates-agcm-v1", bytes: 3584 })
    const [listed] = (await site.succeed(["ls", "s3://vault/", "--json"])).lines
    expect(listed).toMatchObject({ format: "harpocrates-agcm-v1", bytes: 3584 })
    const shown = (await site.succeed(["stat", "s3://vault/a"])).stdout
    expect(shown).toContain("Harpocrates AGCM v1")
    expect(shown).toContain("AGCM v1 seals every chunk under one nonce")
  })

  test("what is expected of several objects is a mistake", async () => {
    const site = await openCliSite()
    for (const argv of [
      ["get", "s3://vault/a", "s3://vault/b", "."],
      ["get", "-r", "s3://vault/", "."],
      ["verify", "-r", "s3://vault/"],
    ]) {
      expect((await site.run([...argv, "--expect-bytes", "1"])).status).toBe(2)
    }
  })
})
