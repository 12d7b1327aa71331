import { randomBytes } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { measure } from "./measure.ts"
import { environment, homeOf, type Place } from "./peer.ts"
import { s3epCommand } from "./peers/s3ep.ts"
import type { Recorder } from "./results.ts"

// They take a tenth of a second each, and differ by less than what else happens in one.
const RUNS_PER_RUN = 5

/** What is over before it has begun: bare Node, `--version`, `--help`, and one small object. */
export async function measureStart(place: Place, runs: number, recorder: Recorder): Promise<void> {
  const small = join(place.directory, "small")
  await writeFile(small, randomBytes(1024))
  const node = {
    argv: [process.execPath, "-e", "0"],
    cwd: place.directory,
    env: environment(place, await homeOf(place, "node")),
  }
  const commands = [
    { name: "node -e 0", command: node },
    { name: "s3ep --version", command: await s3epCommand(place, ["--version"]) },
    { name: "s3ep --help", command: await s3epCommand(place, ["--help"]) },
    {
      name: "s3ep put, 1 KiB",
      command: await s3epCommand(place, ["put", "-q", small, `s3://${place.bucket}/small`]),
    },
  ]
  // The first run compiles, and finds out about the server.
  for (const { command } of commands) await measure(command)
  for (let run = 0; run < runs * RUNS_PER_RUN; run++) {
    for (const { name, command } of commands) {
      const row = { transport: "http", work: "start", peer: name, encrypts: name.includes("put") } as const
      recorder.add(row, await measure(command))
    }
  }
}
