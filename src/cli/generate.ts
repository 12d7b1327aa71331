// Writes completions/ and man/s3ep.1 from the command tree; with --check, says what would change and fails.
import { readFileSync, writeFileSync } from "node:fs"
import { completionScript } from "./completions.ts"
import { manualPage } from "./generate/man.ts"
import { describeCommand } from "./generate/tree.ts"
import { createProgram } from "./program.ts"

const program = createProgram()
const generated: ReadonlyMap<string, string> = new Map([
  ["completions/s3ep.bash", completionScript(program, "bash")],
  ["completions/_s3ep", completionScript(program, "zsh")],
  ["completions/s3ep.fish", completionScript(program, "fish")],
  ["man/s3ep.1", manualPage(describeCommand(program), program.version() ?? "")],
])

const locate = (path: string) => new URL(`../../${path}`, import.meta.url)
const changed = [...generated].filter(([path, text]) => readText(locate(path)) !== text)

if (process.argv.includes("--check")) {
  for (const [path, text] of changed) process.stderr.write(`${path} ${difference(locate(path), text)}\n`)
  if (changed.length > 0) {
    process.stderr.write("hint: run `npm run generate` and commit what it wrote\n")
    process.exitCode = 1
  }
} else {
  for (const [path, text] of changed) {
    writeFileSync(locate(path), text)
    process.stdout.write(`wrote ${path}\n`)
  }
}

function readText(file: URL): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

function difference(file: URL, text: string): string {
  const stored = readText(file)?.split("\n")
  if (stored === undefined) return "does not exist"
  const wanted = text.split("\n")
  const line = wanted.findIndex((content, index) => content !== stored[index])
  const at = line === -1 ? wanted.length : line
  return `differs from line ${at + 1} on\n- ${stored[at] ?? ""}\n+ ${wanted[at] ?? ""}`
}
