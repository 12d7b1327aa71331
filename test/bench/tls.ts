import { execFileSync, spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"

/** An HTTPS endpoint in front of an HTTP server, the same for everyone. */
export interface TlsEndpoint {
  readonly endpoint: string
  /** PEM file of the authority to trust. */
  readonly authority: string
  stop(): void
}

const ATTEMPTS = 100
const WAIT_MS = 50

/**
 * Start HAProxy to take TLS off and pass the bytes on.
 *
 * @param backend - HOST:PORT of the server.
 */
export async function listenTls(directory: string, backend: string): Promise<TlsEndpoint> {
  mkdirSync(directory, { recursive: true })
  makeCertificates(directory)
  const port = await freePort()
  const config = join(directory, "haproxy.cfg")
  writeFileSync(
    config,
    `global
  maxconn 1024
defaults
  mode tcp
  timeout connect 10s
  timeout client 10m
  timeout server 10m
listen tls
  bind 127.0.0.1:${port} ssl crt ${join(directory, "server.pem")}
  server s3 ${backend}
`,
  )
  const child = spawn("haproxy", ["-q", "-db", "-f", config], { stdio: "ignore" })
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject)
    child.once("exit", (status) => reject(new Error(`haproxy ended with ${status}`)))
  })
  failed.catch(() => undefined)
  await Promise.race([failed, untilListening(port)])
  return {
    endpoint: `https://127.0.0.1:${port}`,
    authority: join(directory, "ca.pem"),
    stop: () => void child.kill(),
  }
}

/** A certificate for 127.0.0.1, signed by an authority of its own, as a company's server would have. */
function makeCertificates(directory: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" })
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
  openssl(...["req", "-x509", ...key, "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem"])
  openssl(
    ...["req", "-x509", ...key, "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=127.0.0.1"],
    ...["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:false"],
    ...["-keyout", "server.key", "-out", "server.crt"],
  )
  execFileSync("sh", ["-c", "cat server.crt server.key >server.pem"], { cwd: directory })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === "string") throw new Error("no free port")
  return address.port
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const socket = connect(port, "127.0.0.1")
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true))
      socket.once("error", () => resolve(false))
    })
    socket.destroy()
    if (connected) return
    await delay(WAIT_MS)
  }
  throw new Error("haproxy does not listen")
}
