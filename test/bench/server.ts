import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { openLine } from "./line.ts"
import { listenTls } from "./tls.ts"

const run = promisify(execFile)
const SERVERS = fileURLToPath(new URL("../support/servers/", import.meta.url))

/** A real S3 server, reached over HTTP and, through one that terminates TLS, over HTTPS. */
export interface Server extends AsyncDisposable {
  readonly description: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly http: string
  /** The same, as the clients that are measured reach it. */
  readonly line: string
  readonly https: string
  /** PEM file. */
  readonly authority: string
}

/**
 * The server that `S3EP_TEST_ENDPOINT` and its companions name; if there is none, a Ceph RGW that lives as long as
 * this does and keeps objects in memory, so that nobody waits for its disk.
 *
 * @param directory - for the server's state and the certificates.
 * @param bytesPerSecond - of each connection over HTTP; undefined: what the machine does.
 */
export async function openServer(directory: string, bytesPerSecond?: number): Promise<Server> {
  const given = process.env["S3EP_TEST_ENDPOINT"]
  const env = given ? process.env : await startCeph(join(directory, "rgw"))
  const http = env["S3EP_TEST_ENDPOINT"] ?? ""
  const tls = await listenTls(join(directory, "tls"), new URL(http).host)
  const line = bytesPerSecond === undefined ? undefined : await openLine(http, bytesPerSecond)
  const name = given ? "the server of S3EP_TEST_ENDPOINT" : (env["DESCRIPTION"] ?? "")
  return {
    description: line ? `${name}; over HTTP ${bytesPerSecond} bytes a second for each connection` : name,
    region: env["S3EP_TEST_REGION"] ?? "us-east-1",
    accessKeyId: env["S3EP_TEST_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: env["S3EP_TEST_SECRET_ACCESS_KEY"] ?? "",
    http,
    line: line?.endpoint ?? http,
    https: tls.endpoint,
    authority: tls.authority,
    async [Symbol.asyncDispose]() {
      await line?.[Symbol.asyncDispose]()
      tls.stop()
      if (!given) await run(join(SERVERS, "down.sh"), [join(directory, "rgw")])
    },
  }
}

/** glibc's malloc keeps what was freed, instead of asking the system for it again with each object. */
const KEEP_MEMORY =
  "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=64000000000:glibc.malloc.top_pad=67108864"

async function startCeph(state: string): Promise<Record<string, string>> {
  const settings = {
    OSD_STORE: "memstore",
    OSD_GIB: "10",
    RGW_PORT: "7490",
    MON_PORT: "13310",
    GLIBC_TUNABLES: KEEP_MEMORY,
  }
  const { stdout } = await run(join(SERVERS, "rgw-up.sh"), [state], { env: { ...settings, ...process.env } })
  const variables = (await readFile(join(state, "env"), "utf8")).matchAll(/(\w+)=(\S+)/g)
  const version = /Ceph RGW \S+/.exec(stdout)?.[0] ?? "Ceph RGW"
  const description = `${version} on loopback, objects in memory (${process.env["OSD_STORE"] ?? "memstore"})`
  return {
    DESCRIPTION: description,
    ...Object.fromEntries([...variables].map(([, name, value]) => [name, value])),
  }
}
