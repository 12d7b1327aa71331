import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { type Finished, type RunOptions, start, type Workspace } from "./program.ts"

/** Kills that are still to come, over all tests of a file. */
export interface Kills {
  left: number
}

/**
 * Run a command again and again, killing it (SIGKILL) at a random moment of its life, until it ends on its own.
 *
 * @param kills - counted down; when none is left, the command is let alone.
 * @param aboutMs - how long a run takes that is not killed: moments are drawn from there.
 * @param onKill - called after each kill, before the next run.
 * @returns the run that ended, and how many did not.
 */
export async function runThroughKills(
  workspace: Workspace,
  args: readonly string[],
  options: RunOptions & {
    readonly kills: Kills
    readonly aboutMs: number
    readonly random: () => number
    readonly onKill?: () => Promise<void>
  },
): Promise<Finished & { readonly killed: number }> {
  for (let killed = 0; ; killed++) {
    const running = start(workspace, args, options)
    if (options.kills.left > 0) {
      const moment = new AbortController()
      const ended = running.finished.then(() => moment.abort())
      const struck = await delay(options.random() * options.aboutMs, true, { signal: moment.signal }).catch(
        () => false,
      )
      if (struck) running.child.kill("SIGKILL")
      await ended
    }
    const finished = await running.finished
    if (finished.signal !== "SIGKILL") return { ...finished, killed }
    options.kills.left -= 1
    await options.onKill?.()
  }
}

/** How many windows the one download journal of the workspace records as done; 0 if there is none. */
export async function journaledWindows(workspace: Workspace): Promise<number> {
  const directory = join(workspace.directory, "state", "s3ep", "downloads")
  const names = await readdir(directory).catch(() => [])
  const journal = names.find((name) => name.endsWith(".jsonl"))
  const text = journal ? await readFile(join(directory, journal), "utf8") : ""
  return text.split("\n").filter((line) => line.startsWith('{"window"') && line.endsWith("}")).length
}

/**
 * When the requests to begin an upload were sent of which the program still does not know what became, in milliseconds
 * since 1970. A server may carry out what a killed process had sent when the next one is through.
 */
export async function unansweredCreations(workspace: Workspace): Promise<number[]> {
  const directory = join(workspace.directory, "state", "s3ep", "uploads")
  const names = await readdir(directory).catch(() => [])
  const records = names.filter((name) => name.endsWith(".creating"))
  const texts = await Promise.all(records.map((name) => readFile(join(directory, name), "utf8")))
  return texts.flatMap((text) => JSON.parse(text).sent)
}

/** SHA-256 of a file, hexadecimal. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256")
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(piece)
  return hash.digest("hex")
}

/** Hashes of all files below a directory, by path. */
export async function hashesBelow(directory: string): Promise<Map<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const hashes = new Map<string, string>()
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = `${entry.parentPath}/${entry.name}`
    hashes.set(path.slice(directory.length + 1), await hashOf(path))
  }
  return hashes
}

/** What tests put into a workspace, the keys, and what the program keeps for the next run whatever becomes of this. */
const EXPECTED = [
  /^\/(target|nonces\.log|config\/.*\.key)$/,
  /^\/back\/(?!.*\.s3ep-)/,
  /^\/\.cache\/s3ep\/(services\.json$|compiled\/)/,
]

/** Whatever else there is in a workspace. */
export async function leftovers(workspace: Workspace): Promise<string[]> {
  const entries = await readdir(workspace.directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath.slice(workspace.directory.length)}/${entry.name}`)
    .filter((path) => !EXPECTED.some((expected) => expected.test(path)))
}
