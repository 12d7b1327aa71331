import { execFile } from "node:child_process"
import { rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"
import { environment, homeOf, type Peer, type Place } from "../peer.ts"

const run = promisify(execFile)

/** restic, into a repository that is new each time: what it has already it would not send again. */
export const restic: Peer = {
  name: "restic",
  encrypts: true,
  settings: "a new repository each time, made beforehand",
  program: "restic",
  version: ["restic", "version"],
  works: ["put", "get"],
  async before(place, work) {
    if (work !== "put") return
    const { argv, env } = await resticCommand(place, ["init"])
    const [program = "", ...args] = argv
    await run(program, args, { env })
  },
  command(place, work) {
    if (work === "put") return resticCommand(place, ["backup", basename(place.file)])
    return resticCommand(place, ["restore", "latest", "--target", restored(place)])
  },
  async after(place, work) {
    if (work !== "get") return
    await rename(join(restored(place), basename(place.file)), place.target)
    await rm(restored(place), { recursive: true })
  },
}

function restored(place: Place): string {
  return `${place.target}.restic`
}

async function resticCommand(place: Place, args: readonly string[]) {
  const home = await homeOf(place, "restic")
  const env = {
    ...environment(place, home),
    RESTIC_REPOSITORY: `s3:${place.endpoint}/${place.bucket}/restic`,
    RESTIC_PASSWORD: "a passphrase for the benchmark",
  }
  const authority = place.authority ? ["--cacert", place.authority] : []
  const argv = ["restic", "--quiet", "-o", "s3.bucket-lookup=path", ...authority, ...args]
  return { argv, cwd: dirname(place.file), env }
}
