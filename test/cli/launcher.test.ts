import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, delimiter, dirname, join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"

const launcher = fileURLToPath(new URL("../../bin/s3ep.js", import.meta.url))
const pinned = fileURLToPath(new URL("../../node_modules/node/bin/node", import.meta.url))
const old = oldNode()

/** A checkout of a program that shows what it was given; the launcher is the real one. */
let checkout: string

const PROGRAM = `
exports.runProcess = async () => {
  if (process.argv[2] === "wait") {
    process.on("SIGTERM", () => { process.stdout.write("got SIGTERM"); process.exit(143) })
    process.stdout.write("ready")
    setInterval(() => {}, 1000)
  } else if (/-fd$/.test(process.argv[2])) {
    const { readFileSync } = require("node:fs")
    process.stdout.write(readFileSync(Number(process.argv[3]), "utf8"))
  } else if (process.argv[2] === "say") {
    process.stdout.write("hello")
  } else if (process.argv[2] === "die") {
    process.kill(process.pid, "SIGKILL")
  } else {
    const input = []
    for await (const piece of process.stdin) input.push(piece)
    process.stdout.write(JSON.stringify({
      argv: process.argv.slice(2), node: process.versions.node, stdin: Buffer.concat(input).toString() }))
    process.exitCode = 7
  }
}`

beforeAll(() => {
  checkout = mkdtempSync(join(tmpdir(), "s3ep-launcher-"))
  mkdirSync(join(checkout, "bin"))
  cpSync(launcher, join(checkout, "bin/s3ep.js"))
  writeFileSync(join(checkout, "package.json"), '{"type":"module"}')
  writePlain("dist/cli/main.cjs")
})

afterAll(() => {
  rmSync(checkout, { recursive: true })
})

function writePlain(path: string): void {
  mkdirSync(dirname(join(checkout, path)), { recursive: true })
  writeFileSync(join(checkout, path), PROGRAM)
}

function installPinned(): void {
  mkdirSync(join(checkout, "node_modules/node/bin"), { recursive: true })
  if (!existsSync(join(checkout, "node_modules/node/bin/node"))) {
    symlinkSync(pinned, join(checkout, "node_modules/node/bin/node"))
  }
}

function start(node: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  // A run under coverage hands its settings of the compile cache on to what it starts.
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE, NODE_V8_COVERAGE, ...inherited } = process.env
  const env = { ...inherited, XDG_CACHE_HOME: join(checkout, "cache") }
  return spawn(node, [join(checkout, "bin/s3ep.js"), ...args], { env })
}

async function run(node: string, args: readonly string[], input = "") {
  const child = start(node, args)
  child.stdin.end(input)
  const ended = new Promise<[number | null, string | null]>((resolve) => {
    child.on("close", (status, signal) => resolve([status, signal]))
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [status, signal] = await ended
  return { status, signal, stdout, stderr }
}

/** The first Node on PATH that is too old for s3ep, as the system's often is. */
function oldNode(): string | undefined {
  const candidates = (process.env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, "node"))
  return candidates.find((node) => {
    const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout ?? ""
    return /^v\d+/.test(version) && Number(version.slice(1).split(".")[0]) < 24
  })
}

describe("on a Node that is recent enough", () => {
  test("runs what was built, with arguments, input and status as they are", async () => {
    const { status, stdout, stderr } = await run(pinned, ["put", "a b", "--", "-x", "é"], "hello")
    expect(stderr).toBe("")
    expect(JSON.parse(stdout)).toMatchObject({ argv: ["put", "a b", "--", "-x", "é"], stdin: "hello" })
    expect(status).toBe(7)
  })

  test("says its version without loading the program", async () => {
    const manifest = join(checkout, "package.json")
    writeFileSync(manifest, '{"type":"module","version":"1.2.3"}')
    expect(await run(pinned, ["--version"])).toMatchObject({ status: 0, stdout: "1.2.3\n", stderr: "" })
  })

  test("keeps compiled code where only the user can write", async () => {
    await run(pinned, [])
    expect(existsSync(join(checkout, "cache/s3ep/compiled"))).toBe(true)
  })

  describe("keeps the code of a command that ended well", () => {
    const said = { status: 0, stdout: "hello", stderr: "" }

    function codeOf(command: string): string | undefined {
      const compiled = join(checkout, "cache/s3ep/compiled")
      return readdirSync(compiled, { recursive: true, encoding: "utf8" })
        .map((name) => join(compiled, name))
        .find((path) => basename(path).startsWith(`s3ep-${command}`))
    }

    beforeEach(() => {
      rmSync(join(checkout, "cache"), { recursive: true, force: true })
    })

    afterEach(() => {
      writePlain("dist/cli/main.cjs")
    })

    test("for its user alone, and uses it the next time", async () => {
      expect(await run(pinned, ["say"])).toEqual({ ...said, signal: null })
      const path = codeOf("say") ?? ""
      const { mode, ino } = statSync(path)
      expect(mode & 0o777).toBe(0o600)
      expect(await run(pinned, ["say"])).toMatchObject(said)
      expect(statSync(path).ino).toBe(ino)
    })

    test("not of one that failed, or was none", async () => {
      await run(pinned, ["put"])
      expect(codeOf("put")).toBe(undefined)
      expect(await run(pinned, ["../say"])).toMatchObject({ status: 7 })
      expect(codeOf("")).toBe(undefined)
    })

    test("and makes it anew for a program of the same length", async () => {
      await run(pinned, ["say"])
      writeFileSync(join(checkout, "dist/cli/main.cjs"), PROGRAM.replace('write("hello")', 'write("HELLO")'))
      expect(await run(pinned, ["say"])).toMatchObject({ ...said, stdout: "HELLO" })
      expect(await run(pinned, ["say"])).toMatchObject({ ...said, stdout: "HELLO" })
    })

    test.each([
      ["is cut off", (code: Buffer) => code.subarray(0, code.length / 2)],
      ["is damaged", (code: Buffer) => code.fill(0x55, code.length / 2)],
      ["is empty", () => Buffer.alloc(0)],
    ])("and makes it anew where it %s", async (_, damage) => {
      await run(pinned, ["say"])
      const path = codeOf("say") ?? ""
      const { size } = statSync(path)
      writeFileSync(path, damage(readFileSync(path)))
      expect(await run(pinned, ["say"])).toMatchObject(said)
      expect(statSync(path).size).toBe(size)
    })

    test("and does without where it cannot be written", async () => {
      writeFileSync(join(checkout, "cache"), "")
      expect(await run(pinned, ["say"])).toMatchObject(said)
    })
  })

  test("runs the sources of a checkout that was not built", async () => {
    const bare = mkdtempSync(join(tmpdir(), "s3ep-launcher-src-"))
    try {
      mkdirSync(join(bare, "bin"))
      mkdirSync(join(bare, "src/cli"), { recursive: true })
      cpSync(launcher, join(bare, "bin/s3ep.js"))
      writeFileSync(join(bare, "package.json"), '{"type":"module"}')
      writeFileSync(
        join(bare, "src/cli/main.ts"),
        'export async function runProcess(): Promise<void> { process.stdout.write("from source") }',
      )
      symlinkSync(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(bare, "node_modules"))
      const env = { ...process.env, XDG_CACHE_HOME: join(bare, "cache") }
      const ran = spawnSync(pinned, [join(bare, "bin/s3ep.js")], { env, encoding: "utf8" })
      expect(ran).toMatchObject({ status: 0, stdout: "from source", stderr: "" })
    } finally {
      rmSync(bare, { recursive: true })
    }
  })
})

describe.runIf(old !== undefined)("on a Node that is too old", () => {
  const node = old ?? ""

  test("says what to install, with status 2, where no other is at hand", async () => {
    rmSync(join(checkout, "node_modules"), { recursive: true, force: true })
    const { status, stdout, stderr } = await run(node, ["--version"])
    expect(status).toBe(2)
    expect(stdout).toBe("")
    expect(stderr).toMatch(
      /^s3ep: error: Node\.js [\d.]+ is too old\ns3ep: hint: install Node\.js 24\.7 or later/,
    )
  })

  test("hands over to the one the checkout pins, and ends as that ends", async () => {
    installPinned()
    const { status, stdout, stderr } = await run(node, ["put", "a b", "--", "-x"], "hello")
    expect(stderr).toBe("")
    expect(JSON.parse(stdout)).toMatchObject({ argv: ["put", "a b", "--", "-x"], stdin: "hello" })
    expect(JSON.parse(stdout).node).toMatch(/^24\./)
    expect(status).toBe(7)
  })

  test.each(["--passphrase-fd", "--kek-fd", "--key-passphrase-fd"])(
    "passes on the descriptor of %s",
    (option) => {
      installPinned()
      const command = `"$0" "$1" ${option} 5 5<<< 'open sesame'`
      const { stdout } = spawnSync("bash", ["-c", command, old ?? "", join(checkout, "bin/s3ep.js")])
      expect(stdout.toString()).toBe("open sesame\n")
    },
  )

  test("passes signals on", async () => {
    installPinned()
    const child = start(node, ["wait"])
    const said: string[] = []
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
    child.stdout.setEncoding("utf8").on("data", (piece: string) => {
      if (said.length === 0) child.kill("SIGTERM")
      said.push(piece)
    })
    expect(await ended).toBe(143)
    expect(said.join(" ")).toBe("ready got SIGTERM")
  })

  test("dies of what its program died of", async () => {
    installPinned()
    expect(await run(node, ["die"])).toMatchObject({ status: null, signal: "SIGKILL" })
  })
})

test("is written so that Node 12 can read it", () => {
  const source = readFileSync(launcher, "utf8")
  expect(source.split("\n")[0]).toBe("#!/usr/bin/env node")
  const code = source.replaceAll(/\/\/.*$|\/\*[\s\S]*?\*\//gm, "")
  // What came after Node 12, static imports (evaluated before anything can be said) and top-level await.
  expect(code).not.toMatch(
    /\?\.[a-z([]|\?\?|\|\|=|&&=|^import\b|^export\b|^await\b|#[a-z]+\b|\.at\(|replaceAll/m,
  )
})
