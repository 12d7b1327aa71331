import { generateKeyPairSync } from "node:crypto"
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { base64, hex } from "../../src/bytes.ts"
import { DeniedError } from "../../src/errors.ts"
import { faulty } from "../support/faults.ts"
import { type KmsServer, startKmsServer } from "../support/kms-server.ts"
import { MemoryKeychain } from "../support/memory-keychain.ts"
import { MemoryStore } from "../support/memory-store.ts"
import { Collector, openHome, type Run, type RunOptions, runCli } from "../support/run-cli.ts"
import { secretOf } from "../support/secrets.ts"
import { typist } from "../support/typist.ts"

interface KeySite {
  readonly store: MemoryStore
  path(name: string): string
  write(name: string, content: string | Uint8Array, mode?: number): Promise<string>
  run(argv: readonly string[], options?: Partial<RunOptions>): Promise<Run>
  succeed(argv: readonly string[], options?: Partial<RunOptions>): Promise<Run>
  /** What the keys directory holds. */
  files(): Promise<string[]>
}

/** A home without a key. */
async function openKeySite(): Promise<KeySite> {
  const home = await openHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  const store = new MemoryStore()
  const run: KeySite["run"] = (argv, options) => runCli(argv, { home, store, ...options })
  return {
    store,
    path: home.path,
    run,
    async write(name, content, mode = 0o600) {
      await writeFile(home.path(name), content)
      await chmod(home.path(name), mode)
      return home.path(name)
    },
    async succeed(argv, options) {
      const result = await run(argv, options)
      if (result.status !== 0) throw new Error(`status ${result.status}: ${result.stderr}`)
      return result
    },
    files: () => readdir(home.path("config/s3ep/keys")).catch(() => []),
  }
}

const keyFile = (name: string) => `config/s3ep/keys/${name}.key`
const lastError = (run: Run) => run.events.findLast(({ type }) => type === "error")

describe("keys generate", () => {
  test.each(["aes", "age", "age-pq", "rsa"])("--kind %s makes a key that writes and reads", async (kind) => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "--kind", kind])
    await site.write("notes", "notes")
    await site.succeed(["encrypt", "notes", "notes.s3ep"])
    expect((await site.succeed(["decrypt", "notes.s3ep", "-"])).stdout).toBe("notes")
    const [line] = (await site.succeed(["keys", "list", "--json"])).lines
    expect(line).toMatchObject({
      type: "key",
      name: "default",
      kind: kind.replace("-pq", ""),
      id: expect.stringMatching(/^(?:aes|age|rsa):[0-9a-f]{32}$/),
      state: "active",
      created: "2026-03-01T12:00:00.000Z",
      place: "file",
      reads: true,
      default: true,
    })
    expect((await stat(site.path(keyFile("default")))).mode & 0o777).toBe(0o600)
  })

  test("--protect asks for a passphrase twice, and for it once to use the key", async () => {
    const site = await openKeySite()
    const making = typist(["horse\r", "horse\r"])
    await site.succeed(["keys", "generate", "--protect"], { stdin: making.keyboard, stderr: making.screen })
    expect(making.screen.text()).toMatch(
      /passphrase that protects the key default from now on: \nthe same again: /,
    )
    await site.write("notes", "notes")
    const using = typist(["horse\r"])
    await site.succeed(["encrypt", "notes", "notes.s3ep"], { stdin: using.keyboard, stderr: using.screen })
    const passphrase = await site.write("passphrase", "horse\n")
    const env = { S3EP_KEY_PASSPHRASE_FILE: passphrase }
    expect((await site.succeed(["decrypt", "notes.s3ep", "-"], { env })).stdout).toBe("notes")
    const without = await site.run(["decrypt", "notes.s3ep", "-", "--json"])
    expect(lastError(without)).toMatchObject({
      exitCode: 5,
      hint: "set S3EP_KEY_PASSPHRASE_FILE or S3EP_KEY_PASSPHRASE_COMMAND",
    })
    const shown = await site.succeed(["keys", "list"])
    expect(shown.stdout).toMatch(/default {2}aes:[0-9a-f]{32} {2}under a passphrase\n/)
  })

  test("--protect with two passphrases that differ, or none, makes nothing", async () => {
    const site = await openKeySite()
    for (const answers of [["horse\r", "house\r"], ["\r"], ["\u0004"]]) {
      const { keyboard, screen } = typist(answers)
      const run = await site.run(["keys", "generate", "--protect"], { stdin: keyboard, stderr: screen })
      expect(run.status).toBe(5)
    }
    expect(await site.files()).toEqual([])
  })

  test("a protected key of age writes without its passphrase: its public part is at hand", async () => {
    const site = await openKeySite()
    const passphrase = await site.write("passphrase", "horse")
    await site.succeed([
      "keys",
      "generate",
      "--kind",
      "age",
      "--protect",
      "--key-passphrase-file",
      passphrase,
    ])
    await site.write("notes", "notes")
    await site.succeed(["encrypt", "notes", "notes.s3ep"])
    expect((await site.run(["decrypt", "notes.s3ep", "-"])).status).toBe(5)
    const run = await site.succeed(["decrypt", "notes.s3ep", "-", "--key-passphrase-file", passphrase])
    expect(run.stdout).toBe("notes")
  })

  test("--keychain keeps it in the keychain, and says what to do where there is none", async () => {
    const site = await openKeySite()
    const keychain = new MemoryKeychain()
    await site.succeed(["keys", "generate", "--keychain"], { keychain })
    expect(keychain.entries.size).toBe(1)
    await site.write("notes", "notes")
    await site.succeed(["encrypt", "notes", "notes.s3ep"], { keychain })
    expect((await site.succeed(["decrypt", "notes.s3ep", "-"], { keychain })).stdout).toBe("notes")
    expect((await site.run(["decrypt", "notes.s3ep", "-"])).status).toBe(5)
    expect((await site.run(["keys", "generate", "other", "--keychain"])).status).toBe(5)
    expect(await site.files()).toEqual(["default.key"])
  })

  test("refuses two places, a name that is taken, and a kind nobody knows", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate"])
    expect((await site.run(["keys", "generate", "a", "--keychain", "--protect"])).status).toBe(2)
    expect((await site.run(["keys", "generate"])).status).toBe(8)
    expect((await site.run(["keys", "generate", "b", "--kind", "des"])).status).toBe(2)
    expect(await site.files()).toEqual(["default.key"])
  })
})

describe("keys list and show", () => {
  test("read a descriptor once, and ask once", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate"])
    const asked = typist(["horse\r"])
    const run = await site.run(["keys", "list", "-p"], { stdin: asked.keyboard, stderr: asked.screen })
    expect(run.status).toBe(0)
    expect(asked.screen.text().match(/passphrase: /g)).toHaveLength(1)
  })

  test("name a damaged key and show the others", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate"])
    await site.write(keyFile("bad"), "hello")
    const list = await site.run(["keys", "list", "--json"])
    expect(list.status).toBe(5)
    expect(list.lines[0]).toMatchObject({ name: "default" })
    expect((await site.run(["keys", "show", "bad"])).stderr).toContain("bad.key")
    expect((await site.succeed(["keys", "show", "default"])).stdout).toMatch(/^state: {4}active$/m)
    expect((await site.run(["keys", "show", "nobody", "--json"])).status).toBe(5)
  })

  test("show the same id everywhere: list, show, export, stat", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "--kind", "rsa"])
    const id = (await site.succeed(["keys", "list", "--json"])).lines[0]?.["id"]
    await site.write("notes", "notes")
    await site.succeed(["put", "notes", "s3://vault/notes"])
    for (const argv of [
      ["keys", "show"],
      ["keys", "export", "default", "--reveal"],
      ["stat", "s3://vault/notes"],
    ]) {
      expect((await site.succeed(argv)).stdout).toContain(id)
    }
  })
})

describe("a public key alone", () => {
  test("writes what it cannot read: RSA in PEM", async () => {
    const site = await openKeySite()
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    await site.write("ci.pub", String(publicKey.export({ type: "spki", format: "pem" })), 0o644)
    await site.write("ci.pem", String(privateKey.export({ type: "pkcs1", format: "pem" })))
    await site.write("notes", "notes")
    await site.succeed(["put", "notes", "s3://vault/a", "--recipient", "ci.pub"])
    const refused = await site.run(["get", "s3://vault/a", "-", "--recipient", "ci.pub", "--json"])
    expect(lastError(refused)).toMatchObject({ exitCode: 5, hint: expect.stringContaining("--identity") })
    const { stdout } = await site.succeed(["get", "s3://vault/a", "-", "--identity", "ci.pem"])
    expect(stdout).toBe("notes")
  })

  test("of age, from its own command to another's, several at once", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "alice", "--kind", "age"])
    await site.succeed(["keys", "generate", "bob", "--kind", "age"])
    const recipients = (await site.succeed(["keys", "recipients"])).stdout
    expect(recipients).toMatch(/^age1[a-z0-9]{58}\nage1[a-z0-9]{58}\n$/)
    await site.write("team.txt", recipients, 0o644)
    await site.write("notes", "notes")
    await site.succeed(["encrypt", "notes", "notes.s3ep", "--recipient", "team.txt"])
    for (const name of ["alice", "bob"]) {
      const exported = (await site.succeed(["keys", "export", name, "--reveal"])).stdout
      await site.write(`${name}.txt`, exported)
      const other = await openKeySite()
      const env = { S3EP_IDENTITY_FILE: site.path(`${name}.txt`) }
      const { stdout } = await other.succeed(["decrypt", site.path("notes.s3ep"), "-"], { env })
      expect(stdout).toBe("notes")
    }
  })

  test("chosen by option or variable; a project's config may not choose one", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "alice", "--kind", "age"])
    const recipient = (await site.succeed(["keys", "recipients", "alice"])).stdout.trim()
    await site.write("notes", "notes")
    const kekOf = async (argv: string[], env: Record<string, string>) => {
      await site.succeed(["put", "notes", "s3://vault/a", ...argv], { env })
      return (await site.succeed(["stat", "s3://vault/a"], { env })).stdout
    }
    const kek = base64(secretOf(1).bytes)
    expect(await kekOf([], { S3EP_RECIPIENTS: recipient })).toContain("age:")
    expect(await kekOf(["--recipient", recipient], { S3EP_KEK: kek })).not.toContain("aes:")
    await site.write("raw.key", secretOf(2).bytes)
    expect(await kekOf(["--kek-file", "raw.key"], { S3EP_RECIPIENTS: recipient })).not.toContain("age:")
    const both = await kekOf(["--kek-file", "raw.key", "--recipient", recipient], {})
    expect(both).toContain("age:")
    const env = { S3EP_KEK: kek, S3EP_RECIPIENTS: recipient }
    expect((await site.run(["put", "notes", "s3://vault/a"], { env })).status).toBe(2)
    await site.write("s3ep.json", JSON.stringify({ recipient }))
    expect((await site.run(["put", "notes", "s3://vault/a"])).stderr).toContain("must not choose keys")
  })

  test("that is a secret one is not taken from the command line, nor shown", async () => {
    const site = await openKeySite()
    const identity = `AGE-SECRET-KEY-1${"Q".repeat(58)}`
    for (const argv of [
      ["put", "notes", "s3://vault/a", "--recipient", identity],
      ["keys", "import", identity],
      ["keys", "import", base64(secretOf(1).bytes)],
      ["keys", "import", hex(secretOf(1).bytes)],
    ]) {
      const run = await site.run(argv)
      expect(run.status).toBe(2)
      expect(run.stdout + run.stderr).not.toContain(argv.at(-1))
    }
  })

  test("has no place in AES: the key itself is needed", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate"])
    expect((await site.run(["keys", "recipients", "default"])).status).toBe(5)
    expect((await site.succeed(["keys", "recipients"])).stderr).toContain("no key has a public part")
    expect((await site.run(["keys", "export", "default", "--public"])).status).toBe(5)
  })
})

test("a post-quantum recipient is too large for S3's metadata, and the error says what to do", async () => {
  const site = await openKeySite()
  await site.succeed(["keys", "generate", "--kind", "age-pq"])
  await site.write("notes", "notes")
  const run = await site.run(["put", "notes", "s3://vault/a", "--json"])
  expect(lastError(run)).toMatchObject({ exitCode: 2, hint: expect.stringContaining("keyring") })
  expect(site.store.calls.filter(({ operation }) => operation === "put")).toEqual([])
})

describe("a key of KMS", () => {
  const arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  const openKms = async (): Promise<{ kms: KmsServer; env: Record<string, string> }> => {
    const kms = await startKmsServer()
    onTestFinished(() => kms[Symbol.asyncDispose]())
    process.env["AWS_ACCESS_KEY_ID"] ??= "AKIAIOSFODNN7EXAMPLE"
    process.env["AWS_SECRET_ACCESS_KEY"] ??= "a test's own, which means nothing"
    return { kms, env: { S3EP_KMS_ENDPOINT: kms.endpoint } }
  }

  test("writes and reads, named on the command line or imported", async () => {
    const site = await openKeySite()
    const { kms, env } = await openKms()
    await site.write("notes", "notes")
    await site.succeed(["put", "notes", "s3://vault/a", "--kms-key", arn], { env })
    const refused = await site.run(["get", "s3://vault/a", "-", "--json"], { env })
    expect(lastError(refused)).toMatchObject({
      exitCode: 5,
      hint: expect.stringContaining(`--kms-key ${arn}`),
    })
    const named = await site.succeed(["get", "s3://vault/a", "-", "--kms-key", arn], { env })
    expect(named.stdout).toBe("notes")
    await site.succeed(["keys", "import", arn, "cloud"])
    expect((await site.succeed(["get", "s3://vault/a", "-"], { env })).stdout).toBe("notes")
    expect(kms.requests.map(({ operation }) => operation)).toEqual(["Encrypt", "Decrypt", "Decrypt"])
  })

  test("that KMS denies ends in status 7", async () => {
    const site = await openKeySite()
    const { kms, env } = await openKms()
    kms.failWith({ status: 400, type: "AccessDeniedException", message: "no" })
    await site.write("notes", "notes")
    const run = await site.run(["put", "notes", "s3://vault/a", "--kms-key", arn, "--json"], { env })
    expect(lastError(run)).toMatchObject({ exitCode: 7, hint: expect.stringContaining("kms:Encrypt") })
  })

  test("moves nothing where the object was put in another's place", async () => {
    const site = await openKeySite()
    const { env } = await openKms()
    await site.write("notes", "notes")
    await site.succeed(["put", "notes", "s3://vault/a", "--kms-key", arn], { env })
    const { metadata } = await site.store.head({ bucket: "vault", key: "a" })
    await site.store.put({ bucket: "vault", key: "b" }, site.store.bytes("a"), { settings: { metadata } })
    const run = await site.run(["get", "s3://vault/b", "-", "--kms-key", arn], { env })
    expect(run.status).toBe(4)
  })
})

describe("keys export and import", () => {
  test("a secret leaves only when that is asked for, and no terminal that was not", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate"])
    expect((await site.run(["keys", "export", "default"])).status).toBe(2)
    const terminal = new Collector({ isTTY: true })
    const refused = await site.run(["keys", "export", "default", "--reveal"], { stdout: terminal })
    expect([refused.status, terminal.text()]).toEqual([2, ""])
    await site.succeed(["keys", "export", "default", "-", "--reveal"], { stdout: terminal })
    const expected = await readFile(site.path(keyFile("default")), "utf8")
    expect(terminal.text()).toBe(expected)
    expect((await site.succeed(["keys", "export", "default", "--reveal"])).stdout).toBe(expected)
    await site.succeed(["keys", "export", "default", "copy.key", "--reveal"])
    expect((await stat(site.path("copy.key"))).mode & 0o777).toBe(0o600)
    expect((await site.run(["keys", "export", "default", "copy.key", "--reveal"])).status).toBe(8)
  })

  test.each([
    ["a key file", (file: string) => file],
    ["raw", () => secretOf(1).bytes],
    ["hex", () => `${hex(secretOf(1).bytes)}\n`],
    ["base64", () => base64(secretOf(1).bytes)],
  ])("a key of 256 bits comes back from %s", async (_form, content) => {
    const site = await openKeySite()
    await site.write(join("raw.key"), secretOf(1).bytes)
    await site.succeed(["keys", "import", "raw.key", "work"])
    const file = (await site.succeed(["keys", "export", "work", "--reveal"])).stdout
    const other = await openKeySite()
    await other.write("brought", content(file))
    await other.succeed(["keys", "import", "brought", "again"])
    const ids = [site, other].map(
      async (one) => (await one.succeed(["keys", "list", "--json"])).lines[0]?.["id"],
    )
    const [first, second] = await Promise.all(ids)
    expect(first).toBe(second)
  })

  test("an export keeps name, age and state", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "work", "--kind", "age"], { now: Date.parse("2025-01-01") })
    await site.succeed(["keys", "retire", "work"])
    await site.succeed(["keys", "export", "work", "--reveal", "copy"])
    const other = await openKeySite()
    await other.succeed(["keys", "import", site.path("copy")])
    expect((await other.succeed(["keys", "list", "--json"])).lines[0]).toMatchObject({
      name: "work",
      created: "2025-01-01T00:00:00.000Z",
      state: "retired",
    })
  })

  test.each(["aes", "age", "age-pq"])("a recovery sheet brings back a key of kind %s", async (kind) => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "--kind", kind])
    await site.succeed(["keys", "export", "default", "sheet.html", "--reveal", "--paper"])
    const sheet = await readFile(site.path("sheet.html"), "utf8")
    const lines = /<pre id="key">\n([^<]+)<\/pre>/.exec(sheet)?.[1]?.trim().split("\n") ?? []
    const id = (await site.succeed(["keys", "list", "--json"])).lines[0]?.["id"]
    const other = await openKeySite()
    const typed = typist([
      `${lines[0]?.toLowerCase()}\r`,
      `${lines[1]?.slice(0, -3)}\r`,
      `${lines[1]?.replaceAll(" ", "").replaceAll("0", "O")}\r`,
      `${lines[2]}\r`,
      `${lines[3]}\r`,
    ])
    await other.succeed(["keys", "import", "--paper", "typed"], {
      stdin: typed.keyboard,
      stderr: typed.screen,
    })
    expect(typed.screen.text()).toContain("once more")
    await other.succeed(["keys", "import", site.path("sheet.html"), "file"])
    await other.succeed(["keys", "import", "-", "piped"], { stdin: Buffer.from(lines.join("\n")) })
    const keys = (await other.succeed(["keys", "list", "--json"])).lines
    expect(keys.filter((line) => line["id"] === id).map(({ name }) => name)).toEqual([
      "file",
      "piped",
      "typed",
    ])
  })

  test("what is too long for paper says so", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "--kind", "rsa"])
    expect((await site.run(["keys", "export", "default", "--reveal", "--paper"])).status).toBe(2)
  })

  test("a public key may be anybody's to read, a secret one may not", async () => {
    const site = await openKeySite()
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    await site.write("ci.pub", String(publicKey.export({ type: "spki", format: "pem" })), 0o644)
    await site.write("ci.pem", String(privateKey.export({ type: "pkcs8", format: "pem" })), 0o644)
    await site.succeed(["keys", "import", "ci.pub", "ci"])
    const refused = await site.run(["keys", "import", "ci.pem", "secret", "--json"])
    expect(lastError(refused)).toMatchObject({ exitCode: 5, hint: expect.stringContaining("chmod 600") })
    expect(await site.files()).toEqual(["ci.key"])
  })

  test("a key is imported once under a name, and nothing of a list where one name is taken", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "a", "--kind", "age"])
    await site.succeed(["keys", "generate", "b", "--kind", "age"])
    const both = (await site.succeed(["keys", "recipients"])).stdout
    await site.write("both", both)
    await site.succeed(["keys", "import", "both", "team"])
    expect(await site.files()).toEqual(["a.key", "b.key", "team-1.key", "team-2.key"])
    expect((await site.run(["keys", "import", "both", "team"])).status).toBe(8)
    expect((await site.run(["keys", "import"])).status).toBe(2)
    const { stdout } = await site.succeed(["keys", "list"])
    expect(stdout).toMatch(/team-1 {2}age:[0-9a-f]{32} {2}writes only\n/)
  })

  test("a protected key file of another machine asks for its passphrase", async () => {
    const site = await openKeySite()
    const passphrase = await site.write("passphrase", "horse")
    await site.succeed(["keys", "generate", "--protect", "--key-passphrase-file", passphrase])
    const other = await openKeySite()
    const copy = site.path(keyFile("default"))
    expect((await other.run(["keys", "import", copy])).status).toBe(5)
    await other.succeed(["keys", "import", copy, "--key-passphrase-file", passphrase])
    const [mine, theirs] = await Promise.all(
      [site, other].map(async (one) => (await one.succeed(["keys", "list", "--json"])).lines[0]),
    )
    expect(theirs).toMatchObject({ id: mine?.["id"], place: "file" })
  })
})

describe("keys retire, revoke and activate", () => {
  test("decide what a key is used for", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate"])
    await site.succeed(["keys", "generate", "work"])
    await site.write("notes", "notes")
    await site.succeed(["put", "notes", "s3://vault/a"])
    const state = async () =>
      (await site.succeed(["keys", "list", "--json"])).lines.find(({ name }) => name === "default")?.["state"]
    await site.succeed(["keys", "retire", "default", "--dry-run"])
    expect(await state()).toBe("active")
    await site.succeed(["keys", "retire", "default"])
    expect(await state()).toBe("retired")
    const refused = await site.run(["put", "notes", "s3://vault/b", "--json"])
    expect(lastError(refused)).toMatchObject({
      exitCode: 5,
      hint: expect.stringContaining("s3ep keys activate"),
    })
    expect((await site.succeed(["get", "s3://vault/a", "-"])).stdout).toBe("notes")
    await site.succeed(["keys", "revoke", "default"])
    expect((await site.run(["get", "s3://vault/a", "-"])).status).toBe(5)
    expect((await site.succeed(["get", "s3://vault/a", "-", "--allow-revoked"])).stdout).toBe("notes")
    await site.succeed(["keys", "activate", "default"])
    await site.succeed(["put", "notes", "s3://vault/b"])
    expect((await site.run(["keys", "retire", "nobody"])).status).toBe(5)
  })
})

describe("keys remove", () => {
  /** An upload that was cut off after its first part. */
  async function withUpload(kek: string): Promise<KeySite> {
    const site = await openKeySite()
    await site.succeed(["keys", "generate", "work"])
    await site.succeed(["keys", "generate", "spare"])
    await site.write("big", Buffer.alloc(11 * 1024 * 1024))
    const error = new DeniedError("not any more")
    const store = faulty(site.store, { moment: "before", operation: "uploadPart", call: 2, error })
    const argv = ["mp-upload", "big", "s3://vault/", "--part-size", "5MiB", "--concurrency", "1"]
    expect((await site.run([...argv, ...kek.split(" ")], { store })).status).toBe(7)
    return site
  }

  test("refuses the only key of an unfinished upload, unless forced", async () => {
    const site = await withUpload("--kek work")
    for (const argv of [
      ["keys", "remove", "work", "--json"],
      ["keys", "remove", "work", "--dry-run", "--json"],
    ]) {
      expect(lastError(await site.run(argv))).toMatchObject({
        exitCode: 8,
        message: expect.stringContaining("the only one known for the unfinished upload of s3://vault/big"),
        hint: expect.stringContaining("--force"),
      })
    }
    await site.succeed(["keys", "remove", "spare"])
    await site.succeed(["keys", "remove", "work", "--force"])
    expect(await site.files()).toEqual([])
  })

  test("lets one go where another opens the same, or the same key has another name", async () => {
    const several = await withUpload("--kek work --kek spare")
    await several.succeed(["keys", "remove", "work"])
    expect((await several.run(["keys", "remove", "spare"])).status).toBe(8)
    const site = await withUpload("--kek work")
    await site.succeed(["keys", "export", "work", "--reveal", "copy"])
    await site.succeed(["keys", "import", "copy", "again"])
    await site.succeed(["keys", "remove", "work"])
    expect((await site.run(["keys", "remove", "again"])).status).toBe(8)
  })

  test("says what it would do, and takes a damaged one only by force", async () => {
    const site = await openKeySite()
    await site.succeed(["keys", "generate"])
    await site.write(keyFile("bad"), "hello")
    expect((await site.succeed(["keys", "remove", "default", "--dry-run"])).stdout).toContain("would remove")
    expect(await site.files()).toEqual(["bad.key", "default.key"])
    expect((await site.run(["keys", "remove", "bad"])).status).toBe(8)
    await site.succeed(["keys", "remove", "bad", "--force"])
    await site.succeed(["keys", "remove", "default"])
    expect(await site.files()).toEqual([])
    expect((await site.run(["keys", "remove", "default"])).status).toBe(5)
  })
})

test("no output of a command about keys shows a key it was not asked for", async () => {
  const site = await openKeySite()
  await site.write("raw.key", secretOf(1).bytes)
  const secret = base64(secretOf(1).bytes)
  const runs: Run[] = []
  for (const argv of [
    ["keys", "import", "raw.key", "work", "-v"],
    ["keys", "list", "-v", "--json"],
    ["keys", "show", "work"],
    ["keys", "recipients"],
    ["keys", "export", "work"],
    ["keys", "export", "work", "copy", "--reveal"],
    ["keys", "export", "work", "sheet", "--reveal", "--paper"],
    ["keys", "retire", "work", "--json"],
    ["keys", "remove", "work"],
  ]) {
    runs.push(await site.run(argv))
  }
  const shown = runs.map(({ stdout, stderr }) => stdout + stderr).join("\n")
  expect(shown).not.toContain(secret.slice(0, 12))
  expect(shown).not.toContain(hex(secretOf(1).bytes).slice(0, 12))
})
