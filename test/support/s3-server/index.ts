import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { findVersion } from "./attributes.ts"
import { type Connections, type RecordedRequest, serve } from "./connection.ts"
import { CONTROL_PATH, serveControl } from "./control.ts"
import { type Dialect, s3Dialect } from "./dialect.ts"
import { FaultPlan } from "./faults.ts"
import type { ServerCredentials } from "./sigv4.ts"
import { Store } from "./store.ts"

export type { RecordedRequest } from "./connection.ts"
export type { ControlCommand } from "./control.ts"
export type { Dialect } from "./dialect.ts"
export type { Corruption, FaultAction, FaultMatch, FaultPlan, FaultRule } from "./faults.ts"
export type { S3Request } from "./request.ts"
export type { ServerCredentials } from "./sigv4.ts"

export interface S3ServerOptions {
  /** Where objects are kept; a new temporary directory, removed on close, by default. */
  dir?: string
  /** 0, the default, takes any free port. */
  port?: number
  /** `127.0.0.1` by default. */
  host?: string
  credentials?: ServerCredentials[]
  region?: string
  /** Milliseconds since 1970; signatures, retention and modification times go by it. */
  clock?: () => number
  dialect?: Partial<Dialect>
  /** Gets a line for every request. */
  log?: (line: string) => void
  /** PEM; the server then speaks HTTPS. */
  tls?: { key: string; cert: string }
  /** Serve `POST /_control`, for a program that runs this server as a child. */
  control?: boolean
}

export interface S3Server extends AsyncDisposable {
  endpoint: string
  region: string
  /** The first of the credentials. */
  accessKeyId: string
  secretAccessKey: string
  /** May be changed while the server runs: rotated, expired. */
  credentials: ServerCredentials[]
  /** May be changed while the server runs. */
  dialect: Dialect
  /** In order of arrival. */
  requests: RecordedRequest[]
  faults: FaultPlan
  /**
   * The file that holds an object's bytes, for a test that damages them.
   *
   * @throws {S3Error} NoSuchBucket, NoSuchKey.
   */
  storedFile: (bucket: string, key: string) => string
  /** Cuts every connection, and removes the directory unless it was given. */
  close: () => Promise<void>
}

const defaultCredentials: ServerCredentials = { accessKeyId: "testkey", secretAccessKey: "testsecret" }

// Longer than clients keep idle connections, or they would meet resets that no test planned.
const KEEP_ALIVE_MS = 120_000

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, host, () => {
      server.off("error", reject)
      resolve()
    })
  })
}

function createHttpServer(tls: S3ServerOptions["tls"]): Server {
  const options = { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, highWaterMark: 256 * 1024 }
  return tls === undefined ? createServer(options) : createTlsServer({ ...options, ...tls })
}

/** Start a server of S3's dialect, or of another one. It lives until `close`. */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const directory = options.dir ?? mkdtempSync(path.join(tmpdir(), "s3-server-"))
  const store = new Store(directory)
  const host = options.host ?? "127.0.0.1"
  const credentials = options.credentials ?? [{ ...defaultCredentials }]
  const connections: Connections = {
    store,
    host,
    credentials,
    dialect: { ...s3Dialect, ...options.dialect },
    region: options.region ?? "us-east-1",
    clock: options.clock ?? Date.now,
    faults: new FaultPlan(),
    requests: [],
    log: options.log ?? (() => undefined),
  }
  const storedFile = (name: string, key: string) => {
    const bucket = store.bucket(name)
    return bucket.bodyFile(findVersion(bucket, key, undefined))
  }
  const server = createHttpServer(options.tls)
  const onRequest = (expectsContinue: boolean) => (message: IncomingMessage, res: ServerResponse) => {
    if (options.control === true && message.method === "POST" && message.url === CONTROL_PATH) {
      void serveControl(message, res, { ...connections, storedFile })
    } else {
      void serve(message, res, connections, expectsContinue)
    }
  }
  server.on("request", onRequest(false))
  server.on("checkContinue", onRequest(true))
  await listen(server, options.port ?? 0, host)
  const { port } = server.address() as AddressInfo
  const close = async () => {
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
    if (options.dir === undefined) rmSync(directory, { recursive: true, force: true })
  }
  const [first = defaultCredentials] = credentials
  return {
    endpoint: `${options.tls === undefined ? "http" : "https"}://${host}:${port}`,
    region: connections.region,
    accessKeyId: first.accessKeyId,
    secretAccessKey: first.secretAccessKey,
    credentials,
    dialect: connections.dialect,
    requests: connections.requests,
    faults: connections.faults,
    storedFile,
    close,
    [Symbol.asyncDispose]: close,
  }
}
