import { randomBytes } from "node:crypto"
import { fileURLToPath } from "node:url"
import { environment, homeOf, type Peer, type Place, type Work, writeConfig } from "../peer.ts"

export const LAUNCHER = fileURLToPath(new URL("../../../bin/s3ep.js", import.meta.url))

/** s3ep as it comes, with a key in a file. */
export const s3ep: Peer = {
  name: "s3ep",
  encrypts: true,
  settings: "",
  program: process.execPath,
  version: [process.execPath, LAUNCHER, "--version"],
  works: ["put", "get", "tree-up", "tree-down"],
  async setUp(place) {
    const home = await homeOf(place, "s3ep")
    await writeConfig(home, "kek", randomBytes(32).toString("hex"))
  },
  async command(place, work) {
    return s3epCommand(place, argumentsOf(place, work))
  },
}

/** Any command line of s3ep at that place. */
export async function s3epCommand(place: Place, args: readonly string[]) {
  const home = await homeOf(place, "s3ep")
  const env = {
    ...environment(place, home),
    S3EP_ENDPOINT: place.endpoint,
    S3EP_REGION: place.region,
    S3EP_PATH_STYLE: "true",
    S3EP_KEK_FILE: `${home}/kek`,
  }
  return { argv: [process.execPath, LAUNCHER, ...args], cwd: place.directory, env }
}

function argumentsOf(place: Place, work: Work): string[] {
  const object = `s3://${place.bucket}/s3ep/file`
  const prefix = `s3://${place.bucket}/s3ep/tree/`
  switch (work) {
    case "put":
      return ["put", "-q", place.file, object]
    case "get":
      return ["get", "-q", object, place.target]
    case "tree-up":
      return ["put", "-q", "-r", place.tree, prefix]
    case "tree-down":
      return ["get", "-q", "-r", prefix, place.targetTree]
  }
}
