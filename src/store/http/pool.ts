import { isIP, type OnReadOpts, type Socket } from "node:net"
import { Connection, type ConnectionTimes, type WireAnswer, type WireRequest } from "./connection.ts"
import { hungUp } from "./wire-error.ts"

const net = process.getBuiltinModule("node:net")

/** Where to connect to. */
export interface Origin {
  readonly encrypted: boolean
  /** A name or an address, without brackets. */
  readonly host: string
  readonly port: number
}

/**
 * Of a URL.
 *
 * @param hostname - with brackets, if it is an address of IPv6.
 * @param port - that of the protocol if not given.
 */
export function originOf(encrypted: boolean, hostname: string, port?: number): Origin {
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  return { encrypted, host, port: port ?? (encrypted ? 443 : 80) }
}

export interface PoolOptions extends ConnectionTimes {
  /** To one origin, at most. */
  readonly connections: number
}

/** The connections of one store, kept for the next request. */
export class ConnectionPool {
  readonly #options: PoolOptions
  readonly #origins = new Map<string, OriginPool>()

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /**
   * Send a request over a connection that is free, or a new one; wait for one where there are too many.
   *
   * @throws what the network says, `WireError`, or the signal's reason.
   */
  async ask(origin: Origin, request: WireRequest, signal?: AbortSignal): Promise<WireAnswer> {
    signal?.throwIfAborted()
    const name = `${origin.encrypted} ${origin.host} ${origin.port}`
    const pool = this.#origins.get(name) ?? new OriginPool(origin, this.#options)
    this.#origins.set(name, pool)
    const connection = await pool.take(signal)
    return connection.ask(request, signal)
  }

  /** Ends all connections. */
  close(): void {
    for (const pool of this.#origins.values()) pool.close()
  }
}

type Waiter = PromiseWithResolvers<Connection>

class OriginPool {
  readonly #origin: Origin
  readonly #options: PoolOptions
  readonly #all = new Set<Connection>()
  /** The latest one is used first: the others may end. */
  readonly #idle: Connection[] = []
  readonly #waiters: Waiter[] = []
  /** Of TLS, to go on with. */
  #session: Buffer | undefined
  #closed = false

  constructor(origin: Origin, options: PoolOptions) {
    this.#origin = origin
    this.#options = options
  }

  async take(signal?: AbortSignal): Promise<Connection> {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.isIdle && process.uptime() < idle.idleUntil) return idle
      idle.destroy()
    }
    if (!this.#closed && this.#all.size < this.#options.connections) return this.#open()
    if (this.#closed) throw hungUp()
    const waiter: Waiter = Promise.withResolvers()
    this.#waiters.push(waiter)
    const stop = () => {
      const at = this.#waiters.indexOf(waiter)
      if (at !== -1) this.#waiters.splice(at, 1)
      waiter.reject(signal?.reason)
    }
    signal?.addEventListener("abort", stop, { once: true })
    try {
      return await waiter.promise
    } finally {
      signal?.removeEventListener("abort", stop)
    }
  }

  close(): void {
    this.#closed = true
    for (const waiter of this.#waiters.splice(0)) waiter.reject(hungUp())
    for (const connection of [...this.#all]) connection.destroy()
  }

  #open(): Connection {
    const { encrypted } = this.#origin
    const onFree = (freed: Connection) => this.#freed(freed)
    const connection = new Connection((onread) => this.#connect(onread), {
      encrypted,
      times: this.#options,
      onFree,
    })
    this.#all.add(connection)
    return connection
  }

  #freed(connection: Connection): void {
    const waiter = this.#waiters.shift()
    if (connection.isIdle) {
      if (waiter) waiter.resolve(connection)
      else this.#idle.push(connection)
      return
    }
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    waiter?.resolve(this.#open())
  }

  #connect(onread: OnReadOpts): Socket {
    const { encrypted, host, port } = this.#origin
    const options = { host, port, noDelay: true, keepAlive: true, onread }
    if (!encrypted) return net.connect(options)
    // A session is of use to one connection at a time; the server sends new ones.
    const session = this.#session
    this.#session = undefined
    const socket = process.getBuiltinModule("node:tls").connect({
      ...options,
      ALPNProtocols: ["http/1.1"],
      ...(isIP(host) === 0 && { servername: host }),
      ...(session && { session }),
    })
    socket.on("session", (latest) => {
      this.#session = latest
    })
    return socket
  }
}
