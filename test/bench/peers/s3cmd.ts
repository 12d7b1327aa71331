import { environment, homeOf, type Peer, type Place, writeConfig } from "../peer.ts"

/** s3cmd, which has gpg encrypt into a temporary file first. */
export const s3cmd: Peer = {
  name: "s3cmd with gpg",
  encrypts: true,
  settings: "",
  program: "s3cmd",
  version: ["s3cmd", "--version"],
  works: ["put", "get"],
  async command(place, work) {
    const home = await homeOf(place, "s3cmd")
    const config = await writeConfig(home, "s3cfg", configuration(place))
    const object = `s3://${place.bucket}/s3cmd/file`
    const args =
      work === "put" ? ["put", "--encrypt", place.file, object] : ["get", "--force", object, place.target]
    return {
      argv: ["s3cmd", "--config", config, "--quiet", "--no-progress", ...args],
      cwd: place.directory,
      env: environment(place, home),
    }
  },
}

function configuration(place: Place): string {
  const { host, protocol } = new URL(place.endpoint)
  return `[default]
access_key = ${place.accessKeyId}
secret_key = ${place.secretAccessKey}
bucket_location = ${place.region}
host_base = ${host}
host_bucket = ${host}
use_https = ${protocol === "https:" ? "True" : "False"}
ca_certs_file = ${place.authority ?? ""}
gpg_command = gpg
gpg_passphrase = a passphrase for the benchmark
`
}
