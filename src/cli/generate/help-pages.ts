// Writes what `--help` prints, for each command, so that the launcher can print it without loading the program. Part of
// the build: `tsx src/cli/generate/help-pages.ts FILE`.
import { writeFileSync } from "node:fs"
import { Writable } from "node:stream"
import type { Command } from "commander"
import { processIo } from "../io.ts"
import { createProgram } from "../program.ts"
import { run } from "../run.ts"

class Text extends Writable {
  text = ""

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk
    done()
  }
}

function* pathsOf(command: Command, path: readonly string[] = []): Generator<readonly string[]> {
  yield path
  for (const sub of command.commands) yield* pathsOf(sub, [...path, sub.name()])
}

async function pageOf(path: readonly string[]): Promise<string> {
  const [stdout, stderr] = [new Text(), new Text()]
  const status = await run([...path, "--help"], { ...processIo(), stdout, stderr })
  if (status !== 0) throw new Error(`the help of ${path.join(" ")} ended with ${status}: ${stderr.text}`)
  return stdout.text
}

const pages: Record<string, string> = {}
for (const path of pathsOf(createProgram())) pages[path.join(" ")] = await pageOf(path)
writeFileSync(process.argv[2] ?? "", JSON.stringify(pages))
