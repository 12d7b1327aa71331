import { closeSync, openSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { utf8 } from "../../../src/bytes.ts"
import { KeyMissingError } from "../../../src/errors.ts"
import { Unlocker } from "../../../src/keys/unlock.ts"
import { exposureOf, secretText } from "../../support/secrets.ts"

let directory = ""
let file = ""
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "s3ep-unlock-"))
  file = join(directory, "passphrase")
  await writeFile(file, "horse\n", { mode: 0o600 })
})
afterAll(() => rm(directory, { recursive: true }))

const env = { PATH: process.env["PATH"] }
const person = (...answers: string[]) => {
  const asked: string[] = []
  const prompt = async (question: string) => {
    asked.push(question)
    return secretText(answers.shift() ?? "")
  }
  return { asked, prompt }
}

describe("the passphrase that protects keys comes from", () => {
  test.each([
    ["a file", () => ({ file })],
    ["a command", () => ({ command: `cat '${file}'` })],
    ["a descriptor", () => ({ descriptor: openSync(file, "r") })],
  ])("%s, read once, for as many keys as there are", async (_where, request) => {
    const given = request()
    using unlocker = new Unlocker(given, { env })
    using first = await unlocker.unlock("a")
    expect(first.bytes).toEqual(utf8("horse"))
    first[Symbol.dispose]()
    expect((await unlocker.unlock("b")).bytes).toEqual(utf8("horse"))
    if ("descriptor" in given) expect(() => closeSync(given.descriptor)).toThrow("EBADF")
  })

  test("a person, asked for each key by its name", async () => {
    const { asked, prompt } = person("horse", "house")
    using unlocker = new Unlocker({}, { env, prompt })
    expect((await unlocker.unlock("the key a")).bytes).toEqual(utf8("horse"))
    expect((await unlocker.unlock("the key b")).bytes).toEqual(utf8("house"))
    expect(asked).toEqual(["passphrase that protects the key a: ", "passphrase that protects the key b: "])
  })

  test("nowhere: it says what to set", async () => {
    using unlocker = new Unlocker({}, { env })
    await expect(unlocker.unlock("the key a")).rejects.toMatchObject({
      code: "S3EP_KEY",
      hint: "set S3EP_KEY_PASSPHRASE_FILE or S3EP_KEY_PASSPHRASE_COMMAND",
    })
  })
})

describe("a new one", () => {
  test("is asked for twice", async () => {
    const { asked, prompt } = person("horse", "horse")
    using unlocker = new Unlocker({}, { env, prompt })
    expect((await unlocker.choose("the key a")).bytes).toEqual(utf8("horse"))
    expect(asked).toHaveLength(2)
  })

  test("and not repeated, or empty, is refused", async () => {
    using differing = new Unlocker({}, { env, ...person("horse", "house") })
    const error = await differing.choose("the key a").catch((error) => error)
    expect(error).toBeInstanceOf(KeyMissingError)
    expect(exposureOf(error)).not.toMatch(/horse|house/)
    using empty = new Unlocker({}, { env, ...person("") })
    await expect(empty.choose("the key a")).rejects.toThrow("is empty")
  })

  test("that is configured is taken as it is", async () => {
    const { asked, prompt } = person()
    using unlocker = new Unlocker({ file }, { env, prompt })
    expect((await unlocker.choose("the key a")).bytes).toEqual(utf8("horse"))
    expect(asked).toEqual([])
  })
})

test("the one kept is wiped", async () => {
  const unlocker = new Unlocker({ file }, { env })
  await unlocker.unlock("a")
  unlocker[Symbol.dispose]()
  await expect(unlocker.unlock("a")).rejects.toThrow(TypeError)
})
