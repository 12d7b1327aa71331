import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { completionScript } from "../../src/cli/completions.ts"
import { manualPage } from "../../src/cli/generate/man.ts"
import { describeCommand, everyCommand } from "../../src/cli/generate/tree.ts"
import { createProgram } from "../../src/cli/program.ts"
import { settingRows } from "../../src/config/settings.ts"

let directory: string
const program = createProgram()

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "s3ep-completions-"))
  writeFileSync(join(directory, "s3ep.bash"), completionScript(program, "bash"))
  writeFileSync(join(directory, "_s3ep"), completionScript(program, "zsh"))
  writeFileSync(join(directory, "s3ep.fish"), completionScript(program, "fish"))
  for (const name of ["one file.txt", "one.txt"]) writeFileSync(join(directory, name), "")
})

afterAll(() => {
  rmSync(directory, { recursive: true })
})

const installed = (program: string, flag = "--version") => spawnSync(program, [flag]).error === undefined

/** What a shell itself offers for a line, sorted, without what it says about it. */
function offered(command: string, args: readonly string[]): string[] {
  const output = execFileSync(command, args, { cwd: directory, encoding: "utf8", timeout: 20_000 })
  const lines = output.split("\n").map((line) => line.replace(/\t.*/, "").replaceAll("\\ ", " ").trim())
  return lines.filter((line) => line !== "").sort()
}

// As readline calls it, with the line split where bash splits lines.
const BASH = `source ./s3ep.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_s3ep
printf '%s\\n' "\${COMPREPLY[@]}"`

const shells: readonly [name: string, isInstalled: boolean, offer: (line: string) => string[]][] = [
  ["bash", installed("bash"), (line) => offered("bash", ["--norc", "-c", BASH, "bash", ...bashWords(line)])],
  [
    "zsh",
    installed("zsh"),
    (line) =>
      offered("zsh", [
        "-f",
        fileURLToPath(new URL("../support/complete.zsh", import.meta.url)),
        directory,
        line,
      ]),
  ],
  [
    "fish",
    installed("fish"),
    (line) => offered("fish", ["-N", "-c", "source s3ep.fish; complete -C $argv[1]", line]),
  ],
]

function bashWords(line: string): string[] {
  return Array.from(line.matchAll(/[^\s=:]+|[=:]+/g), ([word]) => word).concat(/\s$/.test(line) ? [""] : [])
}

describe.each(shells)("%s", (_, isInstalled, offer) => {
  test.runIf(isInstalled).each([
    ["s3ep pu", ["put"]],
    ["s3ep mp-upload l", ["list"]],
    ["s3ep --region eu-central-1 -q mp-upload cl", ["clean"]],
    ["s3ep put --part", ["--part-size"]],
    ["s3ep mp-upload list --part", []],
    ["s3ep mp-upload list --reg", ["--region"]],
    ["s3ep put --checksum ", ["auto", "crc32", "crc64nvme", "none", "sha256"]],
    ["s3ep put file --checksum sh", ["sha256"]],
    ["s3ep completion ", ["bash", "fish", "zsh"]],
    ["s3ep completion bash --col", ["--color"]],
    ["s3ep --color n", ["never"]],
    ["s3ep keys re", ["recipients", "remove", "retire", "revoke"]],
    ["s3ep keys generate sh", []],
    ["s3ep put one", ["one file.txt", "one.txt"]],
    ["s3ep put --kek-file one.", ["one.txt"]],
    ["s3ep stat one", []],
    ["s3ep put s3://vault/on", []],
  ])("%j", (line, expected) => {
    expect(offer(line)).toEqual(expected)
  })
})

test.runIf(installed("bash"))("bash is told only what follows the last word break", () => {
  const [, , offer] = shells[0] ?? [undefined, undefined, () => []]
  expect(offer("s3ep put --checksum=sh")).toEqual(["sha256"])
  expect(offer("s3ep put --sse=aws:k")).toEqual(["kms"])
})

describe("s3ep(1)", () => {
  const root = describeCommand(program)
  const page = manualPage(root, "1.2.3")
  const plain = page.replaceAll("\\-", "-")

  test("has every command, option and variable", () => {
    for (const command of everyCommand(root)) {
      if (command.path.length > 0) expect(plain).toContain(`.SS "s3ep ${command.path.join(" ")}"`)
      for (const { flags } of command.options) expect(plain).toContain(`\\fB${flags.at(-1)}\\fR`)
    }
    for (const [, { variable }] of settingRows) {
      if (variable !== undefined) expect(plain).toContain(`\\fB${variable}\\fR`)
    }
    expect(plain).toContain('"s3ep 1.2.3"')
  })

  test.runIf(installed("mandoc", "-V"))("has nothing mandoc would find fault with", () => {
    const { stdout } = spawnSync("mandoc", ["-T", "lint"], { input: page, encoding: "utf8" })
    expect(stdout).toBe("")
  })
})
