import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { manualOf } from "../../src/cli/manual.ts"
import { allCommands, createProgram, readVersion } from "../../src/cli/program.ts"
import { EXIT_STATUSES } from "../../src/cli/statuses.ts"
import { openCliSite } from "./cli-site.ts"

const SOURCES = fileURLToPath(new URL("../../src/", import.meta.url))

const commands = [...allCommands(createProgram())].map((command) => {
  const names: string[] = []
  for (let place = command; place.parent; place = place.parent) names.unshift(place.name())
  return [names.join(" "), command] as const
})

test.each(commands)("s3ep %s --help ends in examples, then the exit statuses", async (name, command) => {
  const site = await openCliSite()
  const { status, stdout, stderr } = await site.run([...name.split(" ").filter(Boolean), "--help"])
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
  const manual = manualOf(command)
  const [, examples = "", statuses = ""] = /\nExamples:\n(.*)\n\nExit statuses:\n(.*)\n$/s.exec(stdout) ?? []
  expect(examples.split("\n")).toHaveLength(manual?.examples.length ?? -1)
  for (const [line] of manual?.examples ?? []) expect(examples).toContain(`  $ ${line}`)
  expect(statuses.trim().split(/\n\s*/).map(Number.parseFloat)).toEqual(manual?.statuses)
})

test.each(commands.filter(([, command]) => command.parent?.parent === null))(
  "s3ep %s can be made without the others",
  (name) => {
    expect(createProgram(undefined, name).commands.map((command) => command.name())).toEqual([name])
  },
)

test("all commands are made for a name that none has", () => {
  for (const name of ["pt", "help", "list", "-q"]) {
    expect([...allCommands(createProgram(undefined, name))]).toHaveLength(commands.length)
  }
})

test.each(commands.filter(([, command]) => command.commands.length === 0))(
  "s3ep %s takes the global options before and after its name",
  async (name, _command) => {
    const site = await openCliSite()
    const words = name.split(" ")
    for (const argv of [
      ["--json", "--nonsense", ...words],
      [...words, "--json", "--nonsense"],
    ]) {
      const { status, events } = await site.run(argv)
      expect({ status, events }).toEqual({
        status: 2,
        events: [expect.objectContaining({ type: "error", code: "S3EP_USAGE", exitCode: 2 })],
      })
    }
  },
)

test("examples are commands that the program can parse", async () => {
  const seen: string[] = []
  const lines = commands.flatMap(([, command]) => manualOf(command)?.examples ?? [])
  for (const [line] of lines) {
    for (const part of line.split(/\||>|</).map((part) => part.trim())) {
      if (!part.startsWith("s3ep ") || part.includes("--help")) continue
      const program = createProgram(async (command) => {
        seen.push(command.name())
      })
      for (const command of allCommands(program)) command.exitOverride().configureOutput({ writeErr: fail })
      const words = part.split(" ").slice(1)
      const producer = words.indexOf("--from-command")
      if (producer >= 0) words.splice(producer + 1, 0, "--")
      await program.parseAsync(words, { from: "user" })
    }
  }
  expect(seen.length).toBeGreaterThan(30)
})

function fail(text: string): never {
  throw new Error(text)
}

test("the statuses are those of the manual page, and never renumbered", () => {
  expect([...EXIT_STATUSES.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130, 143])
})

test("--version prints the version alone", async () => {
  const site = await openCliSite()
  const { status, stdout, stderr } = await site.run(["--version"])
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${readVersion()}\n`, stderr: "" })
})

test("no command prints help and fails as a usage error", async () => {
  const site = await openCliSite()
  const { status, stdout, stderr } = await site.run([])
  expect(status).toBe(2)
  expect(stdout).toBe("")
  expect(stderr).toContain("Usage: s3ep")
})

test("what is only needed later is not loaded to parse a command line", () => {
  const heavy = ["@aws-sdk/client-s3", "cosmiconfig", "cli-progress", "chalk", "ignore"]
  const loaded = packagesReachedFrom(`${SOURCES}cli/run.ts`)
  expect(loaded).toContain("commander")
  expect(heavy.filter((name) => loaded.has(name))).toEqual([])
})

// Follows imports that are evaluated at once: neither types nor import().
function packagesReachedFrom(file: string, seen = new Set<string>(), found = new Set<string>()): Set<string> {
  if (seen.has(file)) return found
  seen.add(file)
  const source = readFileSync(file, "utf8")
  for (const [, clause = "", target = ""] of source.matchAll(/^(?:import|export) ([^"]*?)"([^"]+)"/gms)) {
    if (clause.startsWith("type ")) continue
    if (target.startsWith(".")) packagesReachedFrom(resolve(dirname(file), target), seen, found)
    else found.add(target)
  }
  return found
}
