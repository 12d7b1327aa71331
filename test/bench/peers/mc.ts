import { cp, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { environment, homeOf, type Peer, type Place, type Work } from "../peer.ts"

/** MinIO's client, which does not encrypt. */
export const mc: Peer = {
  name: "mc",
  encrypts: false,
  settings: "",
  program: "mc",
  version: ["mc", "--version"],
  works: ["put", "get", "tree-up", "tree-down"],
  async setUp(place) {
    const authorities = join(await homeOf(place, "mc"), "certs", "CAs")
    await mkdir(authorities, { recursive: true })
    if (place.authority) await cp(place.authority, join(authorities, "bench.pem"))
  },
  async command(place, work) {
    const home = await homeOf(place, "mc")
    const { protocol, host } = new URL(place.endpoint)
    const alias = `${protocol}//${place.accessKeyId}:${place.secretAccessKey}@${host}`
    return {
      argv: ["mc", "--config-dir", home, "--quiet", "cp", ...argumentsOf(place, work)],
      cwd: place.directory,
      env: { ...environment(place, home), MC_HOST_bench: alias },
    }
  },
}

function argumentsOf(place: Place, work: Work): string[] {
  const object = `bench/${place.bucket}/mc/file`
  const prefix = `bench/${place.bucket}/mc/tree/`
  switch (work) {
    case "put":
      return [place.file, object]
    case "get":
      return [object, place.target]
    case "tree-up":
      return ["--recursive", `${place.tree}/`, prefix]
    case "tree-down":
      return ["--recursive", prefix, place.targetTree]
  }
}
