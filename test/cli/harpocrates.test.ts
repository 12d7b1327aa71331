import { writeFile } from "node:fs/promises"
import { describe, expect, test } from "vitest"
import { harpocratesVector } from "../support/harpocrates-vectors.ts"
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
