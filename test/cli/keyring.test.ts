import { generateKeyPairSync } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { generateX25519Identity, identityToRecipient } from "age-encryption"
import { describe, expect, test } from "vitest"
import { base64 } from "../../src/bytes.ts"
import { fromUserMetadata } from "../../src/envelope/metadata.ts"
import { DeniedError } from "../../src/errors.ts"
import type { ObjectStore } from "../../src/store/store.ts"
import { faulty } from "../support/faults.ts"
import { Collector, Keyboard, openHome, type Run, runCli } from "../support/run-cli.ts"
import { type CliSite, openCliSite } from "./cli-site.ts"

const RING = "photos/.s3ep/keyring.json"
const PREFIX = "s3://vault/photos/"
const BOB = base64(new Uint8Array(32).fill(8))

/** A site with two named keys besides the one the environment gives, and a file to put. */
async function setUp(): Promise<CliSite & { keks(key: string): string[] }> {
  const site = await openCliSite()
  await site.succeed(["keys", "generate", "bob"])
  await writeFile(site.home.path("a.txt"), "hello")
  return {
    ...site,
    keks: (key) =>
      fromUserMetadata(site.store.settings(key).metadata)?.recipients.map(({ kek }) => kek) ?? [],
  }
}

const keyringOf = (run: Run) =>
  run.lines[0] as {
    id: string
    generation: number
    verified: boolean
    recipients: { kek: string; name: string }[]
    epochs: { kek: string; state: string }[]
  }

async function shown(site: CliSite): Promise<ReturnType<typeof keyringOf>> {
  return keyringOf(await site.succeed(["keyring", "show", PREFIX, "--json"]))
}

describe("a change", () => {
  test("is shown and nothing more with --dry-run", async () => {
    const site = await setUp()
    const run = await site.succeed(["keyring", "init", PREFIX, "--dry-run"])
    expect(run.stdout).toContain("+ recipient S3EP_KEK (aes:")
    expect(run.stdout).toContain("generation 0 becomes 1")
    expect(site.store.calls.some(({ operation }) => operation === "put")).toBe(false)
  })

  test("is refused where nobody can be asked, unless --yes agreed to it", async () => {
    const site = await setUp()
    const run = await site.run(["keyring", "init", PREFIX])
    expect(run).toMatchObject({ status: 2, stderr: expect.stringContaining("hint: add --yes") })
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    expect((await shown(site)).generation).toBe(1)
  })

  test.each([
    ["y\n", 0, true],
    ["yes\r", 0, true],
    ["\n", 8, false],
    ["no\n", 8, false],
  ])("is asked for on a terminal: %j", async (typed, status, made) => {
    const site = await setUp()
    const keyboard = new Keyboard()
    const stderr = new Collector({ isTTY: true })
    keyboard.write(typed)
    const run = await site.run(["keyring", "init", PREFIX], { stdin: keyboard, stderr })
    expect(run.status).toBe(status)
    expect(stderr.text()).toContain("make the keyring? [y/N]")
    expect(keyboard.rawModes).toEqual([])
    expect(site.store.calls.some(({ operation }) => operation === "put")).toBe(made)
  })

  test("of who can read is a diff of recipients", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const added = await site.succeed(["keyring", "add", PREFIX, "bob", "--yes"])
    expect(added.stdout).toContain("+ recipient bob (aes:")
    const removed = await site.succeed(["keyring", "remove", PREFIX, "bob", "--new-epoch", "--yes"])
    expect(removed.stdout).toContain("- recipient bob (aes:")
    expect(removed.stdout).toMatch(/~ epoch aes:\w+: active becomes retired/)
    expect(removed.stdout).toMatch(/\+ epoch aes:\w+, active/)
    expect(removed.stderr).toContain("bob may have kept the KEKs of 1 epoch")
    const ring = await shown(site)
    expect(ring).toMatchObject({ generation: 3, verified: true })
    expect(ring.recipients.map(({ name }) => name)).toEqual(["S3EP_KEK"])
  })

  test("without a new epoch says what that means", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    await site.succeed(["keyring", "add", PREFIX, "bob", "--name", "robert", "--yes"])
    const removed = await site.succeed(["keyring", "remove", PREFIX, "robert", "--yes"])
    expect(removed.stderr).toContain("without a new epoch robert can also read what is put from now on")
    expect((await shown(site)).epochs).toHaveLength(1)
  })

  test.each([
    ["y\n", 2],
    ["n\n", 1],
  ])("of who can read offers a new epoch on a terminal: %j", async (answer, epochs) => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--kek", "S3EP_KEK", "--kek", "bob", "--yes"])
    const answers = [answer, "y\n"]
    const stdin = new Keyboard()
    const stderr = new Collector({ isTTY: true })
    const write = stderr.write.bind(stderr)
    stderr.write = (text: unknown) => {
      if (String(text).endsWith("[y/N] ")) setImmediate(() => stdin.write(answers.shift() ?? ""))
      return write(text)
    }
    const run = await site.run(["keyring", "remove", PREFIX, "bob"], { stdin, stderr })
    expect(run.status).toBe(0)
    expect(stderr.text()).toContain("make a new epoch, which they do not get? [y/N] ")
    expect((await shown(site)).epochs).toHaveLength(epochs)
  })

  test("keeps the last recipient", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const run = await site.run(["keyring", "remove", PREFIX, "S3EP_KEK", "--yes"])
    expect(run).toMatchObject({ status: 2, stderr: expect.stringContaining("last recipient") })
  })

  test("of an epoch is one small object, and revoking the active one makes a new one", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    await site.succeed(["keyring", "epoch", PREFIX, "--yes"])
    const [first, second] = (await shown(site)).epochs
    expect([first?.state, second?.state]).toEqual(["retired", "active"])
    await site.succeed(["keyring", "epoch", PREFIX, "--revoke", second?.kek ?? "", "--yes"])
    expect((await shown(site)).epochs.map(({ state }) => state)).toEqual(["retired", "revoked", "active"])
    const run = await site.run(["keyring", "epoch", PREFIX, "--retire", second?.kek ?? "", "--yes"])
    expect(run).toMatchObject({ status: 2, stderr: expect.stringContaining("is revoked already") })
  })
})

describe("public keys", () => {
  test("become recipients, and a later epoch is wrapped to them though nobody has their keys", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    const pem = { pkcs8: privateKey.export({ type: "pkcs8", format: "pem" }) }
    await writeFile(site.home.path("ci.pem"), publicKey.export({ type: "spki", format: "pem" }))
    await writeFile(site.home.path("ci.key"), pem.pkcs8, { mode: 0o600 })
    const identity = await generateX25519Identity()
    await writeFile(site.home.path("age.key"), `${identity}\n`, { mode: 0o600 })
    const recipient = await identityToRecipient(identity)
    const added = await site.succeed(["keyring", "add", PREFIX, "ci.pem", recipient, "--yes"])
    expect(added.stdout).toMatch(/\+ recipient ci\.pem \(rsa:[\s\S]*\+ recipient age1\w+\.\.\. \(age:/)
    await site.succeed(["keyring", "epoch", PREFIX, "--yes"])
    await site.succeed(["put", "a.txt", `${PREFIX}a`])
    for (const file of ["ci.key", "age.key"]) {
      await using theirs = await openHome()
      const options = { home: theirs, store: site.store, env: { S3EP_IDENTITY_FILE: site.home.path(file) } }
      const run = await runCli(["get", `${PREFIX}a`, "-"], options)
      expect(run).toMatchObject({ status: 0, stdout: "hello" })
      // Anybody could have made a keyring that a public key opens.
      await writeFile(theirs.path("b.txt"), "b")
      const argv = ["put", "b.txt", `${PREFIX}b`]
      const { id } = await shown(site)
      const refused = await runCli(argv, options)
      expect(refused).toMatchObject({ status: 5, stderr: expect.stringContaining(`compare its id ${id}`) })
      const named = { ...options, env: { ...options.env, S3EP_KEYRING_IDS: id } }
      expect(await runCli(argv, named)).toMatchObject({ status: 0, stderr: "" })
      const show = await runCli(["keyring", "show", PREFIX], options)
      expect(show.stderr).toContain("nothing is encrypted to it from here before")
      expect(await runCli(["keyring", "trust", PREFIX, "--yes"], options)).toMatchObject({ status: 0 })
      expect(await runCli(argv, options)).toMatchObject({ status: 0, stderr: "" })
    }
  })

  test("alone cannot open a keyring, so nothing is put to it with them", async () => {
    const site = await setUp()
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    await writeFile(site.home.path("ci.pem"), publicKey.export({ type: "spki", format: "pem" }))
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    await site.succeed(["keyring", "add", PREFIX, "ci.pem", "--name", "ci", "--yes"])
    await using job = await openHome()
    await writeFile(job.path("a.txt"), "from the job")
    const options = { home: job, store: site.store, env: { S3EP_RECIPIENTS: site.home.path("ci.pem") } }
    const run = await runCli(["put", "a.txt", `${PREFIX}a`], options)
    expect(run).toMatchObject({
      status: 5,
      stderr: expect.stringContaining("no key at hand is a recipient's"),
    })
    const argv = ["put", "a.txt", `${PREFIX}a`, "--recipient", site.home.path("ci.pem")]
    expect(await runCli(argv, { ...options, env: {} })).toMatchObject({ status: 0 })
  })
})

describe("put", () => {
  test("encrypts to the nearest keyring without being told, and get opens it", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", "s3://vault", "--yes"])
    await site.succeed(["keyring", "init", PREFIX, "--yes", "--kek", "S3EP_KEK", "--kek", "bob"])
    const active = (await shown(site)).epochs[0]?.kek
    await site.succeed(["put", "a.txt", "s3://vault/photos/2026/a.txt"])
    expect(site.keks("photos/2026/a.txt")).toEqual([active])
    await site.succeed(["put", "a.txt", "s3://vault/a.txt"])
    expect(site.keks("a.txt")).not.toEqual([active])
    await site.succeed(["put", "-", "s3://vault/photos/b.txt"], { stdin: Buffer.from("piped") })
    expect(site.keks("photos/b.txt")).toEqual([active])
    for (const [uri, text] of [
      ["s3://vault/photos/2026/a.txt", "hello"],
      ["s3://vault/a.txt", "hello"],
      ["s3://vault/photos/b.txt", "piped"],
    ]) {
      expect((await site.succeed(["get", uri ?? "", "-"])).stdout).toBe(text)
    }
    const described = await site.succeed(["stat", "s3://vault/photos/b.txt"])
    expect(described.stdout).toContain(`keyring ${PREFIX} (${active})`)
    expect((await site.succeed(["verify", "-r", PREFIX])).stderr).toBe("")
  })

  test("encrypts to what --kek names instead, and with --no-keyring to the key it would without", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const [mine] = (await shown(site)).recipients
    await site.succeed(["put", "a.txt", `${PREFIX}kek`, "--kek", "bob"])
    await site.succeed(["put", "a.txt", `${PREFIX}none`, "--no-keyring"])
    await site.succeed(["put", "a.txt", `${PREFIX}off`], { env: { S3EP_KEYRING: "off" } })
    expect(site.keks("photos/kek")).not.toEqual([mine?.kek])
    expect(site.keks("photos/none")).toEqual([mine?.kek])
    expect(site.keks("photos/off")).toEqual([mine?.kek])
  })

  test("tells once that it uses a keyring it has never seen", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    await using elsewhere = await openHome()
    await writeFile(elsewhere.path("a.txt"), "x")
    const argv = ["put", "a.txt", `${PREFIX}a`]
    expect((await site.succeed(argv, { home: elsewhere })).stderr).toContain(
      "first seen now: S3EP_KEK can read it",
    )
    expect((await site.succeed(argv, { home: elsewhere })).stderr).toBe("")
  })

  test("a tree looks once at each level, and one request has no more to wait for than before", async () => {
    const site = await setUp()
    await mkdir(site.home.path("tree/sub"), { recursive: true })
    for (const name of ["1", "2", "sub/3", "sub/4"]) await writeFile(site.home.path(`tree/${name}`), name)
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const before = site.store.calls.length
    await site.succeed(["put", "-r", "tree", `${PREFIX}tree/`])
    const looks = site.store.calls.slice(before).filter(({ key }) => key?.endsWith(".s3ep/keyring.json"))
    expect(looks.map(({ key }) => key).sort()).toEqual([
      ".s3ep/keyring.json",
      RING,
      "photos/tree/.s3ep/keyring.json",
      "photos/tree/sub/.s3ep/keyring.json",
    ])
    const [active] = (await shown(site)).epochs
    expect(site.keks("photos/tree/sub/4")).toEqual([active?.kek])
  })

  test("fails where no key at hand opens the keyring, and several keys are no trouble where one does", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const argv = ["put", "a.txt", `${PREFIX}a`]
    await using stranger = await openHome()
    await writeFile(stranger.path("a.txt"), "x")
    const run = await site.run(argv, { home: stranger, env: { S3EP_KEK: BOB } })
    expect(run).toMatchObject({
      status: 5,
      stderr: expect.stringContaining("no key at hand is a recipient's"),
    })
    expect(run.stderr).toContain("s3ep keyring add s3://vault/photos/")
    await writeFile(stranger.path("other.key"), new Uint8Array(32).fill(9), { mode: 0o600 })
    await site.succeed(argv, { home: stranger, env: { S3EP_KEK_FILE: stranger.path("other.key") } })
    expect(site.keks("photos/a")).toEqual([(await shown(site)).epochs[0]?.kek])
  })

  test("without any key says so, as ever", async () => {
    const site = await setUp()
    const run = await runCli(["put", "a.txt", "s3://vault/a"], site)
    expect(run.status).toBe(5)
    expect(run.stderr).toContain("no key to encrypt to")
  })

  test("goes on with a notice where it may not look, and not where a keyring was seen", async () => {
    const site = await setUp()
    const denying = (): ObjectStore => ({
      ...faulty(site.store, { moment: "before", operation: "listUploads" }),
      get: (address, options) =>
        address.key.endsWith(".s3ep/keyring.json")
          ? Promise.reject(new DeniedError("access denied"))
          : site.store.get(address, options),
    })
    const argv = ["put", "a.txt", `${PREFIX}a`]
    const run = await site.succeed(argv, { store: denying() })
    expect(run.stderr).toContain("may not be asked: none is used")
    expect((await site.succeed([...argv, "--no-keyring"], { store: denying() })).stderr).toBe("")
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    expect((await site.run(argv, { store: denying() })).status).toBe(7)
  })

  test("does not put what would be taken for a keyring", async () => {
    const site = await setUp()
    const run = await site.run(["put", "a.txt", `s3://vault/${RING}`])
    expect(run).toMatchObject({ status: 2, stderr: expect.stringContaining("s3ep's own") })
  })
})

describe("what s3ep keeps for itself", () => {
  test("is no object of the user's: ls, get -r and verify -r pass over it, rm -r leaves it", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    await site.succeed(["put", "a.txt", `${PREFIX}a`])
    expect((await site.succeed(["ls", PREFIX])).stdout).toMatch(
      /^\S+ \S+ +5 bytes {2}s3:\/\/vault\/photos\/a\n$/,
    )
    expect((await site.succeed(["ls", "-r", `${PREFIX}.s3ep/`])).stdout).toContain("keyring.json")
    expect((await site.succeed(["get", "-r", PREFIX, "out", "--json"])).lines.at(-1)).toMatchObject({
      fetched: 1,
    })
    expect((await site.succeed(["verify", "-r", PREFIX])).stdout).toContain("photos/a")
    const removed = await site.succeed(["rm", "-r", PREFIX])
    expect(removed.stderr).toContain(`left s3://vault/${RING}`)
    expect(site.store.bytes(RING).length).toBeGreaterThan(0)
  })

  test("is deleted only when that is asked for", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const run = await site.run(["rm", `s3://vault/${RING}`])
    expect(run.status).toBe(2)
    expect(run.stderr).toContain("hint: if that is meant, add --reserved")
    await site.succeed(["rm", "-r", PREFIX, "--reserved"])
    expect(() => site.store.bytes(RING)).toThrow()
  })
})

describe("epochs", () => {
  test("a retired one is read and not written to; a revoked one opens with --allow-revoked alone", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const [first] = (await shown(site)).epochs
    await site.succeed(["put", "a.txt", `${PREFIX}old`])
    await site.succeed(["keyring", "epoch", PREFIX, "--yes"])
    await site.succeed(["put", "a.txt", `${PREFIX}new`])
    expect(site.keks("photos/old")).toEqual([first?.kek])
    expect(site.keks("photos/new")).not.toEqual([first?.kek])
    expect((await site.succeed(["get", `${PREFIX}old`, "-"])).stdout).toBe("hello")
    await site.succeed(["keyring", "epoch", PREFIX, "--revoke", first?.kek.slice(4, 12) ?? "", "--yes"])
    const run = await site.run(["get", `${PREFIX}old`, "-"])
    expect(run).toMatchObject({ status: 5, stdout: "", stderr: expect.stringContaining("--allow-revoked") })
    expect((await site.succeed(["get", `${PREFIX}old`, "-", "--allow-revoked"])).stdout).toBe("hello")
    expect((await site.succeed(["get", `${PREFIX}new`, "-"])).stdout).toBe("hello")
  })
})

describe("rotate-key", () => {
  test("of a keyring makes a new epoch with one write; of the prefix, moves the objects after it", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    for (const name of ["1", "2"]) await site.succeed(["put", "a.txt", `${PREFIX}${name}`])
    const [first] = (await shown(site)).epochs
    const before = site.store.calls.length
    await site.succeed(["rotate-key", `s3://vault/${RING}`, "--yes"])
    const asked = site.store.calls.slice(before).map(({ operation, key }) => `${operation} ${key}`)
    expect(asked.filter((call) => !call.startsWith("close"))).toEqual([`get ${RING}`, `put ${RING}`])
    expect(site.keks("photos/1")).toEqual([first?.kek])
    expect((await site.run(["rotate-key", PREFIX, "--prove"])).status).toBe(4)
    await site.succeed(["rotate-key", PREFIX, "-r", "--yes"])
    const [, second] = (await shown(site)).epochs
    expect([site.keks("photos/1"), site.keks("photos/2")]).toEqual([[second?.kek], [second?.kek]])
    await site.succeed(["rotate-key", PREFIX, "--prove"])
    expect((await site.succeed(["get", `${PREFIX}2`, "-"])).stdout).toBe("hello")
  })

  test("of a prefix that has a keyring, with nothing else said, is of the keyring", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    await site.succeed(["put", "a.txt", `${PREFIX}a`])
    const said = await site.succeed(["rotate-key", PREFIX, "--yes"])
    expect(said.stderr).toContain(`hint: \`s3ep rotate-key ${PREFIX} -r\` moves them`)
    const [first, second] = (await shown(site)).epochs
    expect([first?.state, second?.state]).toEqual(["retired", "active"])
    expect(site.keks("photos/a")).toEqual([first?.kek])
    await site.succeed(["rotate-key", PREFIX, "-r", "--yes"])
    expect((await shown(site)).epochs).toHaveLength(2)
    expect(site.keks("photos/a")).toEqual([second?.kek])
  })

  test("of a keyring and what is below it is a new epoch and a move in one", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    await site.succeed(["put", "a.txt", `${PREFIX}a`])
    await site.succeed(["rotate-key", `s3://vault/${RING}`, "-r", "--yes"])
    const [, second] = (await shown(site)).epochs
    expect(site.keks("photos/a")).toEqual([second?.kek])
  })

  test("moves what was there before the keyring to it", async () => {
    const site = await setUp()
    await site.succeed(["put", "a.txt", `${PREFIX}a`])
    const made = await site.succeed(["keyring", "init", PREFIX, "--yes"])
    expect(made.stderr).toContain(`hint: \`s3ep rotate-key ${PREFIX} -r\` moves it to the keyring`)
    await site.succeed(["rotate-key", PREFIX, "-r", "--yes"])
    expect(site.keks("photos/a")).toEqual([(await shown(site)).epochs[0]?.kek])
  })

  test("takes objects that lie deeper than any keyring", async () => {
    const site = await setUp()
    const deep = `s3://vault/${"x/".repeat(20)}a`
    await site.succeed(["keyring", "init", "s3://vault", "--yes"])
    await site.succeed(["put", "a.txt", deep])
    await site.succeed(["rotate-key", deep, "--to", "bob", "--yes"])
    expect((await site.succeed(["get", deep, "-"])).stdout).toBe("hello")
  })
})

describe("what was seen before", () => {
  async function rolledBack(): Promise<CliSite> {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    const old = site.store.bytes(RING)
    await site.succeed(["keyring", "epoch", PREFIX, "--yes"])
    await site.succeed(["put", "a.txt", `${PREFIX}a`])
    await site.store.put({ bucket: "vault", key: RING }, old, { settings: { metadata: {} } })
    return site
  }

  test("an older generation is refused with status 4, and the hint leads out", async () => {
    const site = await rolledBack()
    for (const argv of [
      ["put", "a.txt", `${PREFIX}b`],
      ["keyring", "show", PREFIX],
      ["keyring", "epoch", PREFIX, "--yes"],
    ]) {
      const run = await site.run(argv)
      expect(run).toMatchObject({
        status: 4,
        stderr: expect.stringContaining("generation 2 was seen before"),
      })
      expect(run.stderr).toContain(`s3ep keyring trust ${PREFIX}`)
    }
    const dry = await site.succeed(["keyring", "trust", PREFIX, "--dry-run"])
    expect(dry.stdout).toMatch(
      /seen here: {5}id \w+, generation 2[\s\S]*in the store: {2}id \w+, generation 1/,
    )
    expect((await site.run(["keyring", "trust", PREFIX])).status).toBe(2)
    await site.succeed(["keyring", "trust", PREFIX, "--yes"])
    await site.succeed(["put", "a.txt", `${PREFIX}b`])
  })

  test("a keyring that is gone is missed by put, and by get of what needs it", async () => {
    const site = await rolledBack()
    await site.store.delete({ bucket: "vault", key: RING })
    expect(await site.run(["put", "a.txt", `${PREFIX}b`])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining("is gone"),
    })
    expect((await site.run(["get", `${PREFIX}a`, "-"])).status).toBe(4)
    await site.succeed(["keyring", "trust", PREFIX, "--yes"])
    await site.succeed(["put", "a.txt", `${PREFIX}b`])
    expect((await site.run(["get", `${PREFIX}a`, "-"])).status).toBe(5)
  })

  test("without a key, a keyring is shown as what nobody vouches for", async () => {
    const site = await setUp()
    await site.succeed(["keyring", "init", PREFIX, "--yes"])
    await using stranger = await openHome()
    const run = await site.succeed(["keyring", "show", `${PREFIX}2026/`], {
      home: stranger,
      env: { S3EP_KEK: BOB },
    })
    expect(run.stdout).toContain("verified:    no")
    expect(run.stderr).toContain("whether a recipient wrote it cannot be told")
  })
})

test("keys remove keeps the only key that opens a keyring it has seen", async () => {
  const site = await setUp()
  await site.succeed(["keyring", "init", PREFIX, "--kek", "bob", "--yes"])
  const run = await site.run(["keys", "remove", "bob"])
  expect(run).toMatchObject({ status: 8, stderr: expect.stringContaining(`the keyring s3://vault/${RING}`) })
  await site.succeed(["keyring", "add", PREFIX, "S3EP_KEK", "--yes"])
  await site.succeed(["keys", "remove", "bob"])
})
