import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { environment, homeOf, type Peer, type Place, type Work, writeConfig } from "../peer.ts"

/** The AWS CLI, which does not encrypt. */
const cli: Peer = {
  name: "AWS CLI",
  encrypts: false,
  settings: "",
  program: "aws",
  version: ["aws", "--version"],
  works: ["put", "get", "tree-up", "tree-down"],
  async command(place, work) {
    const { options, env } = await surroundings(place)
    return { argv: ["aws", "s3", "cp", ...options, ...argumentsOf(place, work)], cwd: place.directory, env }
  },
}

/** age before, or behind, the AWS CLI. */
const age: Peer = {
  name: "age into AWS CLI",
  encrypts: true,
  settings: "",
  program: "age",
  version: ["age", "--version"],
  works: ["put", "get"],
  async command(place, work) {
    const { home, options, env } = await surroundings(place)
    const identity = join(home, "age.key")
    if (!existsSync(identity)) execFileSync("age-keygen", ["-o", identity], { stdio: "ignore" })
    const recipient = execFileSync("age-keygen", ["-y", identity], { encoding: "utf8" }).trim()
    const object = `s3://${place.bucket}/age/file`
    const up = `age -r ${recipient} "$FILE" | aws s3 cp "$@" --expected-size ${place.fileBytes} - ${object}`
    const down = `aws s3 cp "$@" ${object} - | age -d -i "$IDENTITY" -o "$TARGET"`
    const script = `set -o pipefail; ${work === "put" ? up : down}`
    return {
      argv: ["bash", "-c", script, "bash", ...options],
      cwd: place.directory,
      env: { ...env, FILE: place.file, TARGET: place.target, IDENTITY: identity },
    }
  },
}

async function surroundings(place: Place) {
  const home = await homeOf(place, "aws")
  const config = await writeConfig(home, "config", "[default]\ns3 =\n    addressing_style = path\n")
  const options = ["--endpoint-url", place.endpoint, "--only-show-errors"]
  return { home, options, env: { ...environment(place, home), AWS_CONFIG_FILE: config } }
}

function argumentsOf(place: Place, work: Work): string[] {
  const object = `s3://${place.bucket}/aws/file`
  const prefix = `s3://${place.bucket}/aws/tree/`
  switch (work) {
    case "put":
      return [place.file, object]
    case "get":
      return [object, place.target]
    case "tree-up":
      return ["--recursive", place.tree, prefix]
    case "tree-down":
      return ["--recursive", prefix, place.targetTree]
  }
}

export const awsPeers: readonly Peer[] = [cli, age]
