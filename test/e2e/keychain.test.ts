import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, writeFileSync } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openWorkspace, run, type Workspace } from "../support/program.ts"

const script = fileURLToPath(new URL("../support/servers/secret-service.sh", import.meta.url))
const keytar = fileURLToPath(new URL("../../node_modules/keytar/build/Release/keytar.node", import.meta.url))

// Where it is not installed there is nothing to test, except where it is said that it has to be.
const isInstalled = ["dbus-run-session", "gnome-keyring-daemon"].every(
  (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0,
)
const isRequired = process.env["S3EP_TEST_SECRET_SERVICE"] !== undefined
const library = existsSync(keytar) ? "keytar" : "@napi-rs/keyring"

test.runIf(isRequired)("the Secret Service is installed", () => {
  expect(isInstalled).toBe(true)
  expect(library).toBe(process.env["S3EP_TEST_SECRET_SERVICE"])
})

describe.runIf(isInstalled || isRequired)(`a real Secret Service, through ${library}`, () => {
  let session: ChildProcess
  let workspace: Workspace
  let env: Record<string, string>

  beforeAll(async () => {
    workspace = await openWorkspace({})
    writeFileSync(workspace.path("notes"), "notes")
    // Tells where its session is, and stays until its standard input ends.
    session = spawn(script, ["sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat'], {
      stdio: ["pipe", "pipe", "inherit"],
    })
    const [address] = await once(session.stdout ?? expect.fail("no output"), "data")
    env = { DBUS_SESSION_BUS_ADDRESS: String(address).trim() }
  })

  afterAll(async () => {
    session.stdin?.end()
    if (session.exitCode === null) await once(session, "close")
    await workspace[Symbol.asyncDispose]()
  })

  test("keeps a key, which writes and reads, and gives it back on removal", async () => {
    const made = await run(workspace, ["keys", "generate", "--keychain"], { env })
    expect(made).toMatchObject({ status: 0, stderr: "" })
    const file = await readFile(join(workspace.directory, "config/s3ep/keys/default.key"), "utf8")
    expect(file).toMatch(/^(?:# .*\n){4}$/)
    expect(file).toContain("# kept in the system keychain\n")

    expect(await run(workspace, ["encrypt", "notes", "notes.s3ep"], { env })).toMatchObject({ status: 0 })
    const opened = await run(workspace, ["decrypt", "notes.s3ep", "-"], { env })
    expect(opened.stdout.toString()).toBe("notes")
    const listed = await run(workspace, ["keys", "list"], { env })
    expect(listed.stdout.toString()).toMatch(/^\* {2}default {2}aes:[0-9a-f]{32} {2}in the keychain\n$/)

    const exported = await run(workspace, ["keys", "export", "default", "--reveal"], { env })
    writeFileSync(workspace.path("copy"), exported.stdout, { mode: 0o600 })
    expect(await run(workspace, ["keys", "remove", "default"], { env })).toMatchObject({ status: 0 })
    expect(await run(workspace, ["decrypt", "notes.s3ep", "-"], { env })).toMatchObject({ status: 5 })
    expect(await run(workspace, ["keys", "import", "copy", "--keychain"], { env })).toMatchObject({
      status: 0,
    })
    expect(await run(workspace, ["decrypt", "notes.s3ep", "-"], { env })).toMatchObject({ status: 0 })
  })

  test("keeps a long key too: RSA", async () => {
    const made = await run(workspace, ["keys", "generate", "long", "--kind", "rsa", "--keychain"], { env })
    expect(made).toMatchObject({ status: 0 })
    const sealed = await run(workspace, ["encrypt", "notes", "long.s3ep", "--kek", "long"], { env })
    expect(sealed).toMatchObject({ status: 0 })
    const opened = await run(workspace, ["decrypt", "long.s3ep", "-"], { env })
    expect(opened.stdout.toString()).toBe("notes")
  })
})

test("without a keychain the error says what to use instead, and nothing is left behind", async () => {
  await using workspace = await openWorkspace({ DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent" })
  const { status, stderr } = await run(workspace, ["keys", "generate", "--keychain"])
  expect(status).toBe(5)
  expect(stderr).toMatch(
    /^s3ep: error: cannot \w+(?: to)? the system keychain: .*\ns3ep: hint: keep the key in a file: /,
  )
  expect(stderr).toMatch(/--protect .*S3EP_KEK_COMMAND/)
  expect(await readdir(workspace.directory, { recursive: true })).not.toContain("default.key")
})
