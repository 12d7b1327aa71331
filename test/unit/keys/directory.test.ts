import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { base64, hex, utf8 } from "../../../src/bytes.ts"
import { KeyMissingError, LocalIoError, PreconditionError, UsageError } from "../../../src/errors.ts"
import { aesFingerprint } from "../../../src/keys/aes.ts"
import { aesMaterial } from "../../../src/keys/aes-kind.ts"
import { KeyDirectory } from "../../../src/keys/directory.ts"
import { MemoryKeychain } from "../../support/memory-keychain.ts"
import { secretOf, secretText, spellingsOf } from "../../support/secrets.ts"

const created = new Date("2026-03-01T12:00:00.000Z")
let root = ""
let directory = new KeyDirectory("")
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "s3ep-keys-"))
  directory = new KeyDirectory(join(root, "config", "keys"))
})
afterEach(() => rm(root, { recursive: true }))

const pathOf = (name: string) => join(directory.path, `${name}.key`)
const write = (name: string, content: string, mode = 0o600) => writeFile(pathOf(name), content, { mode })

test("none there is an empty one", async () => {
  expect(await directory.list()).toEqual([])
  expect(await directory.read("default")).toBeNull()
})

test("one that cannot be listed is an error", async () => {
  await writeFile(join(root, "config"), "a file")
  await expect(directory.list()).rejects.toThrow(LocalIoError)
  await expect(directory.create("default", secretOf(1), { created })).rejects.toThrow(LocalIoError)
})

test("a key stored is read, listed without its bytes, and only its owner's", async () => {
  const key = secretOf(1)
  const stored = await directory.create("work-2026.a", key, { created })
  expect(stored).toEqual({
    name: "work-2026.a",
    id: aesFingerprint(key),
    created,
    path: pathOf("work-2026.a"),
    state: "active",
    place: "file",
    writesOnly: false,
  })
  expect(await directory.list()).toEqual([stored])
  expect((await directory.read("work-2026.a"))?.text.bytes).toEqual(utf8(`${base64(key.bytes)}\n`))
  expect((await stat(stored.path)).mode & 0o777).toBe(0o600)
  expect((await stat(directory.path)).mode & 0o777).toBe(0o700)
  expect(await readFile(stored.path, "utf8")).toBe(
    `# s3ep key work-2026.a\n# ${stored.id}\n# created 2026-03-01T12:00:00.000Z\n${base64(key.bytes)}\n`,
  )
  expect(await readdir(directory.path)).toEqual(["work-2026.a.key"])
})

test("a key is never replaced", async () => {
  await directory.create("default", secretOf(1), { created })
  await expect(directory.create("default", secretOf(2), { created })).rejects.toThrow(PreconditionError)
  expect((await directory.read("default"))?.id).toBe(aesFingerprint(secretOf(1)))
  expect(await readdir(directory.path)).toEqual(["default.key"])
})

test("of many who store one name at once, one does", async () => {
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map((seed) => directory.create("default", secretOf(seed), { created })),
  )
  const done = outcomes.filter((outcome) => outcome.status === "fulfilled")
  expect(done).toHaveLength(1)
  expect(await directory.list()).toEqual(done.map((outcome) => outcome.value))
})

test("keys are listed by name, and nothing else is", async () => {
  for (const [seed, name] of ["b", "a", "C"].entries())
    await directory.create(name, secretOf(seed), { created })
  await write(".hidden", base64(secretOf(9).bytes))
  await writeFile(join(directory.path, "notes.txt"), "not a key")
  expect((await directory.list()).map(({ name }) => name)).toEqual(["C", "a", "b"])
})

test("a key put there by hand needs no comments", async () => {
  await directory.create("a", secretOf(1), { created })
  await write("hand-made", hex(secretOf(2).bytes))
  expect((await directory.list())[1]).toEqual({
    name: "hand-made",
    id: aesFingerprint(secretOf(2)),
    created: undefined,
    path: pathOf("hand-made"),
    state: "active",
    place: "file",
    writesOnly: false,
  })
})

test.each(["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ä", "a\n", "x".repeat(65)])(
  "%j is no key's name",
  async (name) => {
    await expect(directory.create(name, secretOf(1), { created })).rejects.toThrow(UsageError)
    await expect(directory.read(name)).rejects.toThrow(UsageError)
  },
)

test("64 characters are a key's name", async () => {
  await directory.create("x".repeat(64), secretOf(1), { created })
  expect(await directory.list()).toHaveLength(1)
})

describe("a file that should hold a key", () => {
  beforeEach(() => directory.create("good", secretOf(1), { created }))

  test.each<[string, string, number, RegExp]>([
    ["is empty", "", 0o600, /is not a key/],
    ["holds something else", "hello", 0o600, /is not a key/],
    ["holds another key than it says", `# ${"aes:00"}\n${base64(secretOf(2).bytes)}`, 0o600, /is damaged/],
    ["is readable by others", base64(secretOf(2).bytes), 0o644, /others than you may read/],
  ])("and %s does not hide the others", async (_, content, mode, message) => {
    await write("bad", content)
    await chmod(pathOf("bad"), mode)
    const { keys, broken } = await directory.scan()
    expect(keys.map(({ name }) => name)).toEqual(["good"])
    expect(broken).toEqual([{ name: "bad", path: pathOf("bad"), error: expect.any(KeyMissingError) }])
    expect(broken[0]?.error.message).toMatch(message)
    expect(broken[0]?.error.message).toContain(pathOf("bad"))
    await expect(directory.read("bad")).rejects.toThrow(message)
    expect(await directory.read("good")).not.toBeNull()
  })
})

describe("a key under a passphrase", () => {
  const passphrase = () => secretText("correct horse")
  const unlock = async () => passphrase()
  const keep = async (name: string) => {
    using material = aesMaterial(secretOf(1))
    return await directory.add(name, material, { created, place: "protected", passphrase: passphrase() })
  }

  test("is listed without it, read with it, and its file shows nothing", async () => {
    const stored = await keep("default")
    expect(stored).toMatchObject({ place: "protected", id: aesFingerprint(secretOf(1)) })
    expect(await directory.list()).toEqual([stored])
    const text = await readFile(stored.path, "utf8")
    for (const spelling of [...spellingsOf(secretOf(1).bytes), "horse"]) expect(text).not.toContain(spelling)
    using material = await directory.read("default", { unlock })
    expect(material?.text.bytes).toEqual(utf8(`${base64(secretOf(1).bytes)}\n`))
  })

  test("is not read with another passphrase, or none", async () => {
    await keep("default")
    const wrong = async () => secretText("correct house")
    await expect(directory.read("default", { unlock: wrong })).rejects.toThrow("the passphrase does not open")
    await expect(directory.read("default")).rejects.toThrow(KeyMissingError)
  })

  test("and a file that was altered, or holds another's, is damaged", async () => {
    const { path, id } = await keep("default")
    const text = await readFile(path, "utf8")
    const altered = text.replace(
      /("key":".)(.)/,
      (_, before, symbol) => before + (symbol === "A" ? "B" : "A"),
    )
    const renamed = text.replace(id, aesFingerprint(secretOf(2)))
    for (const content of [
      altered,
      renamed,
      text.replace('"ct"', '"tc"'),
      text.replace(/\n\{.*\n/, "\nhello\n"),
    ]) {
      await writeFile(path, content)
      await expect(directory.read("default", { unlock })).rejects.toThrow(KeyMissingError)
    }
  })

  test("asks for no more than the bounds of a passphrase, whatever its file says", async () => {
    const { path } = await keep("default")
    await writeFile(path, (await readFile(path, "utf8")).replace(/"m":\d+/, '"m":99999999999'))
    await expect(directory.read("default", { unlock })).rejects.toThrow("out of bounds")
  })

  test("changes its state without it", async () => {
    await keep("default")
    expect(await directory.setState("default", "retired")).toMatchObject({ state: "retired" })
    using material = await directory.read("default", { unlock })
    expect(material?.id).toBe(aesFingerprint(secretOf(1)))
  })

  test("needs a passphrase that is not empty", async () => {
    using material = aesMaterial(secretOf(1))
    const adding = directory.add("default", material, { created, place: "protected" })
    await expect(adding).rejects.toThrow("is empty")
    expect(await directory.list()).toEqual([])
  })
})

describe("a key of the keychain", () => {
  test("is kept there and not in its file, and removed from there", async () => {
    const keychain = new MemoryKeychain()
    const openKeychain = async () => keychain
    using material = aesMaterial(secretOf(1))
    const stored = await directory.add("default", material, { created, place: "keychain" }, { openKeychain })
    expect(await readFile(stored.path, "utf8")).toBe(
      `# s3ep key default\n# ${stored.id}\n# created ${created.toISOString()}\n# kept in the system keychain\n`,
    )
    expect([...keychain.entries.keys()]).toEqual([`default ${stored.id}`])
    expect(await directory.list()).toEqual([stored])
    expect((await directory.read("default", { openKeychain }))?.id).toBe(stored.id)
    expect(await directory.setState("default", "retired")).toMatchObject({
      place: "keychain",
      state: "retired",
    })
    expect(await directory.remove("default", { openKeychain })).toBe(true)
    expect([keychain.entries.size, await directory.list()]).toEqual([0, []])
  })

  test("that the keychain has lost is named, with the way out", async () => {
    const keychain = new MemoryKeychain()
    const openKeychain = async () => keychain
    using material = aesMaterial(secretOf(1))
    await directory.add("default", material, { created, place: "keychain" }, { openKeychain })
    keychain.entries.clear()
    await expect(directory.read("default", { openKeychain })).rejects.toMatchObject({
      message: expect.stringContaining("the system keychain has no key default"),
      hint: expect.stringContaining("keys import"),
    })
  })

  test("is not removed from its file where the keychain cannot be had", async () => {
    const keychain = new MemoryKeychain()
    using material = aesMaterial(secretOf(1))
    const openKeychain = async () => keychain
    await directory.add("default", material, { created, place: "keychain" }, { openKeychain })
    const none = async () => Promise.reject(new KeyMissingError("no keychain"))
    await expect(directory.remove("default", { openKeychain: none })).rejects.toThrow("no keychain")
    expect(await directory.list()).toHaveLength(1)
    const adding = directory.add("other", material, { created, place: "keychain" }, { openKeychain: none })
    await expect(adding).rejects.toThrow("no keychain")
    expect(await directory.list()).toHaveLength(1)
  })
})

describe("states", () => {
  test("are kept in the file, and the rest of it stays", async () => {
    const stored = await directory.create("default", secretOf(1), { created })
    expect(stored.state).toBe("active")
    for (const state of ["retired", "revoked", "active"] as const) {
      expect(await directory.setState("default", state)).toEqual({ ...stored, state })
      expect(await directory.list()).toEqual([{ ...stored, state }])
      expect((await stat(stored.path)).mode & 0o777).toBe(0o600)
      expect(await readdir(directory.path)).toEqual(["default.key"])
    }
    expect(await directory.setState("nobody", "retired")).toBeNull()
  })

  test("of a key put there by hand, raw", async () => {
    await directory.create("other", secretOf(2), { created })
    await writeFile(pathOf("raw"), secretOf(3).bytes, { mode: 0o600 })
    expect(await directory.setState("raw", "retired")).toMatchObject({ id: aesFingerprint(secretOf(3)) })
    expect((await directory.list())[1]).toMatchObject({ name: "raw", state: "retired" })
  })
})

test("a damaged key, and one that is not there, can be removed", async () => {
  await directory.create("default", secretOf(1), { created })
  await write("bad", "hello")
  expect(await directory.remove("bad")).toBe(true)
  expect(await directory.remove("bad")).toBe(false)
  expect((await directory.list()).map(({ name }) => name)).toEqual(["default"])
})
