import { execFileSync } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { utf8 } from "../../../src/bytes.ts"
import { KeyMissingError } from "../../../src/errors.ts"
import { readSecretCommand, readSecretDescriptor, readSecretFile } from "../../../src/keys/source.ts"
import { exposureOf } from "../../support/secrets.ts"

let directory = ""
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "s3ep-source-"))
})
afterAll(() => rm(directory, { recursive: true }))

async function file(name: string, content: string | Uint8Array, mode = 0o600): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, content)
  await chmod(path, mode)
  return path
}

describe("a file", () => {
  test.each([0o600, 0o400, 0o700])("of mode %o is read whole", async (mode) => {
    const path = await file(`mode-${mode}`, "horse\n", mode)
    expect((await readSecretFile(path)).bytes).toEqual(utf8("horse\n"))
  })

  test.each([0o640, 0o604, 0o644, 0o620, 0o601])(
    "of mode %o is refused, and how to mend it",
    async (mode) => {
      const path = await file("open to others", "horse", mode)
      const reading = readSecretFile(path, "passphrase")
      await expect(reading).rejects.toBeInstanceOf(KeyMissingError)
      await expect(reading).rejects.toMatchObject({
        message: `others than you may read the passphrase file ${path}`,
        hint: `chmod 600 '${path}'`,
      })
    },
  )

  test("that is not there, or a directory, is named", async () => {
    await mkdir(join(directory, "sub"), { mode: 0o700 })
    await expect(readSecretFile(join(directory, "none"))).rejects.toMatchObject({
      code: "S3EP_KEY",
      message: `cannot read the key file ${join(directory, "none")}: it does not exist`,
    })
    await expect(readSecretFile(join(directory, "sub"))).rejects.toMatchObject({
      code: "S3EP_KEY",
      message: expect.stringContaining("it is a directory"),
    })
  })

  test("is read up to 64 KiB, and refused beyond", async () => {
    expect((await readSecretFile(await file("most", new Uint8Array(65_536)))).length).toBe(65_536)
    const tooLong = readSecretFile(await file("more", new Uint8Array(65_537)))
    await expect(tooLong).rejects.toThrow("more than 65536 bytes")
  })

  test("may be a pipe, whose mode says nothing", async () => {
    const path = join(directory, "pipe")
    execFileSync("mkfifo", ["-m", "644", path])
    const [secret] = await Promise.all([readSecretFile(path), writeFile(path, "horse")])
    expect(secret.bytes).toEqual(utf8("horse"))
  })
})

describe("a command", () => {
  const env = { PATH: process.env["PATH"], WHO: "horse" }

  test("is run by the shell, in the environment given", async () => {
    const secret = await readSecretCommand('printf %s "correct $WHO" | tr a-z A-Z', { env })
    expect(secret.bytes).toEqual(utf8("CORRECT HORSE"))
  })

  test("has no standard input", async () => {
    const secret = await readSecretCommand("cat; printf end", { env })
    expect(secret.bytes).toEqual(utf8("end"))
  })

  test.each([
    ["failed with status 3", "printf horse; exit 3"],
    ["failed with status 127", "exec no-such-program-of-s3ep 2>/dev/null"],
    ["was killed by SIGKILL", "printf horse; kill -KILL $$"],
    ["printed nothing", "true"],
  ])("that %s is refused, and neither it nor its output shown", async (failure, command) => {
    const error = await readSecretCommand(command, { env, what: "passphrase" }).catch((error) => error)
    expect(error).toBeInstanceOf(KeyMissingError)
    expect(error.message).toBe(`the passphrase command ${failure}`)
    expect(exposureOf(error)).not.toMatch(/horse|printf|no-such-program/)
  })

  test("that never stops printing is stopped", async () => {
    await expect(readSecretCommand("yes 2>/dev/null", { env })).rejects.toThrow("more than 65536 bytes")
  })

  test("is killed when the work is interrupted", async () => {
    const interrupted = new AbortController()
    const reason = new Error("interrupted")
    const running = readSecretCommand("sleep 2; printf horse", { env, signal: interrupted.signal })
    interrupted.abort(reason)
    await expect(running).rejects.toBe(reason)
    await expect(readSecretCommand("true", { env, signal: interrupted.signal })).rejects.toBe(reason)
  })
})

describe("a file descriptor", () => {
  test("is read to its end and closed", async () => {
    const descriptor = openSync(await file("descriptor", "horse"), "r")
    expect((await readSecretDescriptor(descriptor)).bytes).toEqual(utf8("horse"))
    expect(() => closeSync(descriptor)).toThrow("EBADF")
  })

  test("that is not open is named", async () => {
    await expect(readSecretDescriptor(987, "passphrase")).rejects.toMatchObject({
      code: "S3EP_KEY",
      message: "cannot read the passphrase in file descriptor 987: EBADF",
    })
  })
})
