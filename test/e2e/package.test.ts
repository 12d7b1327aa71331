import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))

let directory: string
let installed: string
let packed: readonly string[]

beforeAll(() => {
  if (!existsSync(join(root, "dist"))) expect.fail("there is no dist/: `npm run test:e2e` builds it first")
  directory = mkdtempSync(join(tmpdir(), "s3ep-package-"))
  // Scripts would build again, under the feet of the other tests.
  const report: unknown = JSON.parse(
    npm(root, "pack", "--ignore-scripts", "--json", "--pack-destination", directory),
  )
  const [{ filename, files }] = report as [{ filename: string; files: { path: string }[] }]
  packed = files.map(({ path }) => path)
  const home = join(directory, "somewhere else")
  mkdirSync(home)
  npm(home, "init", "-y")
  npm(home, "install", "--omit=dev", "--no-audit", "--no-fund", "--prefer-offline", join(directory, filename))
  installed = join(home, "node_modules")
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

function npm(cwd: string, ...args: string[]): string {
  return execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
}

function s3ep(...args: string[]) {
  const { S3EP_TEST_ENDPOINT: _, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(installed, ".bin/s3ep"), ...args], {
    cwd: directory,
    encoding: "utf8",
    env: { ...env, HOME: directory, XDG_CONFIG_HOME: "", XDG_STATE_HOME: "", XDG_CACHE_HOME: "" },
  })
  return { status, stdout, stderr }
}

test("has what runs, what is read, and nothing else", () => {
  for (const path of [
    "bin/s3ep.js",
    "dist/cli/main.cjs",
    "dist/cli/licenses.txt",
    "dist/index.js",
    "dist/index.d.ts",
    "LICENSE",
    "README.md",
  ]) {
    expect(packed).toContain(path)
  }
  for (const path of ["completions/s3ep.bash", "completions/_s3ep", "completions/s3ep.fish", "man/s3ep.1"]) {
    expect(packed).toContain(path)
  }
  expect(packed.filter((path) => /^(?:src|test|coverage|\.ci)\/|\.test\./.test(path))).toEqual([])
})

test("runs where it was installed", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  expect(s3ep("--version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" })
  expect(s3ep("keys", "generate")).toMatchObject({ status: 0 })
})

test("prints the help that the program itself would print", () => {
  const pages: Record<string, string> = JSON.parse(readFileSync(join(root, "dist/cli/help.json"), "utf8"))
  expect(Object.keys(pages).length).toBeGreaterThan(20)
  const program = join(directory, "program.cjs")
  writeFileSync(program, `require(${JSON.stringify(join(installed, "s3ep/dist/cli/main.cjs"))}).runProcess()`)
  for (const [path, page] of Object.entries(pages)) {
    const args = [...path.split(" ").filter(Boolean), "--help"]
    expect(s3ep(...args)).toEqual({ status: 0, stdout: page, stderr: "" })
    expect(execFileSync(process.execPath, [program, ...args], { encoding: "utf8" })).toBe(page)
  }
})

test("encrypts and decrypts a file", () => {
  const source = join(installed, "../package.json")
  const [sealed, opened] = [join(directory, "sealed"), join(directory, "opened")]
  expect(s3ep("encrypt", source, sealed)).toMatchObject({ status: 0 })
  expect(s3ep("decrypt", sealed, opened)).toMatchObject({ status: 0 })
  expect(readFileSync(opened)).toEqual(readFileSync(source))
})

test("what is loaded when it is needed comes without a word of Node's", () => {
  const made = s3ep("keys", "generate", "shared", "--kind", "age")
  expect(made.status).toBe(0)
  expect(made.stderr).not.toContain("Warning")
  const source = join(installed, "../package.json")
  const [sealed, opened] = [join(directory, "shared"), join(directory, "shared-opened")]
  expect(s3ep("encrypt", "-q", source, sealed, "--kek", "shared")).toEqual({
    status: 0,
    stdout: "",
    stderr: "",
  })
  expect(s3ep("decrypt", "-q", sealed, opened)).toEqual({ status: 0, stdout: "", stderr: "" })
  writeFileSync(join(directory, ".s3eprc"), "region: eu-central-1\n", { mode: 0o600 })
  expect(s3ep("config", "explain")).toMatchObject({ status: 0, stderr: "" })
  rmSync(join(directory, ".s3eprc"))
})

test("is a library too", () => {
  const program = 'import * as s3ep from "s3ep"; process.stdout.write(typeof s3ep.IntegrityError)'
  const args = ["--input-type=module", "-e", program]
  expect(execFileSync(process.execPath, args, { cwd: join(installed, ".."), encoding: "utf8" })).toBe(
    "function",
  )
})

test("does without what is optional, and says what is missing", () => {
  for (const name of ["@aws-sdk/client-kms", "@napi-rs", "keytar"]) {
    expect(existsSync(join(installed, name)), name).toBe(true)
    rmSync(join(installed, name), { recursive: true })
  }
  const source = join(installed, "../package.json")
  const arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
  expect(s3ep("encrypt", source, join(directory, "by-kms"), "--kms-key", arn)).toMatchObject({
    status: 5,
    stderr: expect.stringContaining("hint: install it beside s3ep: npm install --global @aws-sdk/client-kms"),
  })
  expect(s3ep("keys", "generate", "other", "--keychain")).toMatchObject({
    status: 5,
    stderr: expect.stringMatching(/neither keytar nor @napi-rs\/keyring is installed\n.*--protect/),
  })
  expect(s3ep("encrypt", source, join(directory, "by-key"))).toMatchObject({ status: 0 })
})
