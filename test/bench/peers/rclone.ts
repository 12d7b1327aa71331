import { execFileSync } from "node:child_process"
import { environment, homeOf, type Peer, type Place, type Work, writeConfig } from "../peer.ts"

/** rclone's crypt remote over its S3 remote. */
function rclone(name: string, settings: readonly string[], works: readonly Work[]): Peer {
  return {
    name,
    encrypts: true,
    settings: settings.join(" "),
    program: "rclone",
    version: ["rclone", "version"],
    works,
    async command(place, work) {
      const home = await homeOf(place, "rclone")
      const config = await writeConfig(home, "rclone.conf", configuration(place))
      const authority = place.authority ? ["--ca-cert", place.authority] : []
      return {
        argv: ["rclone", "--config", config, ...authority, ...settings, ...argumentsOf(place, work)],
        cwd: place.directory,
        // Its --ca-cert and the AWS SDK's variable do not get on with each other.
        env: environment({ ...place, authority: undefined }, home),
      }
    },
  }
}

function configuration(place: Place): string {
  const obscured = execFileSync("rclone", ["obscure", "a passphrase for the benchmark"], { encoding: "utf8" })
  return `[s3]
type = s3
provider = Ceph
endpoint = ${place.endpoint}
region = ${place.region}
access_key_id = ${place.accessKeyId}
secret_access_key = ${place.secretAccessKey}

[crypt]
type = crypt
remote = s3:${place.bucket}/rclone
password = ${obscured.trim()}
`
}

function argumentsOf(place: Place, work: Work): string[] {
  switch (work) {
    case "put":
      return ["copyto", place.file, "crypt:file"]
    case "get":
      return ["copyto", "crypt:file", place.target]
    case "tree-up":
      return ["copy", place.tree, "crypt:tree"]
    case "tree-down":
      return ["copy", "crypt:tree", place.targetTree]
  }
}

export const rclones: readonly Peer[] = [
  rclone("rclone crypt", [], ["put", "get", "tree-up", "tree-down"]),
  rclone("rclone crypt, large parts", ["--s3-chunk-size=16M", "--s3-upload-concurrency=8"], ["put", "get"]),
  rclone("rclone crypt, 32 transfers", ["--transfers=32", "--checkers=32"], ["tree-up", "tree-down"]),
]
