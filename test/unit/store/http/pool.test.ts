import { once } from "node:events"
import { createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { WireAnswer } from "../../../../src/store/http/connection.ts"
import { ConnectionPool } from "../../../../src/store/http/pool.ts"
import { selfSigned } from "../../../support/self-signed.ts"

const times = { connectMs: 5000, silenceMs: 5000 }
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
  vi.unstubAllEnvs()
})

/** A server that does to each connection what it is told. */
async function serve(onConnection: (socket: Socket) => void, encrypted = false) {
  const sockets: Socket[] = []
  const accept = (socket: Socket) => {
    socket.on("error", () => undefined)
    sockets.push(socket)
    onConnection(socket)
  }
  const server: Server = encrypted ? createTlsServer(selfSigned(), accept) : createServer(accept)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" && address ? address.port : 0
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { origin: { encrypted, host: "127.0.0.1", port }, sockets }
}

/** Answers each request, told by the empty line at its end, with the next of some texts. */
function answering(...answers: (string | Buffer)[]) {
  let next = 0
  return (socket: Socket) => {
    socket.on("data", (bytes) => {
      if (bytes.toString("latin1").includes("\r\n\r\n")) socket.write(answers[next++ % answers.length] ?? "")
    })
  }
}

function pool(options: { connections?: number; connectMs?: number; silenceMs?: number } = {}) {
  const made = new ConnectionPool({ connections: 4, ...times, ...options })
  closers.push(() => made.close())
  return made
}

function closed(socket: Socket | undefined): Promise<void> {
  return new Promise((resolve) => socket?.once("close", () => resolve()))
}

const get = { method: "GET", head: "GET / HTTP/1.1\r\nhost: a\r\n\r\n" }
const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`

async function text({ body }: WireAnswer): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

describe.each([false, true])("with TLS: %s", (encrypted) => {
  beforeEach(() => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0")
  })

  test("one connection after the other is used again", async () => {
    const { origin, sockets } = await serve(answering(ok("one"), ok(""), ok("three")), encrypted)
    const connections = pool()
    for (const expected of ["one", "", "three"]) {
      expect(await text(await connections.ask(origin, get))).toBe(expected)
    }
    expect(sockets).toHaveLength(1)
  })

  test.each([false, true])("a large body arrives as it was sent, in memory used again: %s", async (reuse) => {
    const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7 + (at >> 8)) & 255))
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${sent.length}\r\n\r\n`)
    const { origin, sockets } = await serve(answering(Buffer.concat([head, sent])), encrypted)
    const connections = pool()
    for (let round = 0; round < 2; round++) {
      const { body } = await connections.ask(origin, get)
      if (reuse) body.reuseMemory()
      let at = 0
      const kept: Uint8Array[] = []
      for await (const piece of body) {
        expect(sent.subarray(at, at + piece.length).equals(piece)).toBe(true)
        at += piece.length
        kept.push(piece)
        await new Promise(setImmediate) // whoever takes a while finds nothing changed
        expect(sent.subarray(at - piece.length, at).equals(piece)).toBe(true)
      }
      expect(at).toBe(sent.length)
      if (!reuse) expect(Buffer.concat(kept).equals(sent)).toBe(true)
    }
    expect(sockets).toHaveLength(1)
  })

  test("a body that is given up ends its connection", async () => {
    const endless = (socket: Socket) => {
      socket.once("data", () =>
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n${"a".repeat(100_000)}`),
      )
    }
    const { origin, sockets } = await serve(endless, encrypted)
    const { body } = await pool().ask(origin, get)
    await body.next()
    await body.return()
    await closed(sockets[0])
    expect(await body.next()).toEqual({ done: true, value: undefined })
  })

  test("a large request goes out whole", async () => {
    const sent = Buffer.alloc(3_000_000, "abcdefg")
    let received = 0
    const { origin } = await serve((socket) => {
      socket.on("data", (bytes) => {
        received += bytes.length
        if (received === sent.length + "PUT".length) socket.write(ok("thanks"))
      })
    }, encrypted)
    const slices: number[] = []
    const onSent = (bytes: number) => slices.push(bytes)
    const answer = await pool().ask(origin, { method: "PUT", head: "PUT", body: sent, onSent })
    expect(await text(answer)).toBe("thanks")
    expect(slices.reduce((sum, bytes) => sum + bytes)).toBe(sent.length)
    expect(slices.length).toBeGreaterThan(1)
  })
})

test("not more connections than allowed; who waits comes next, and may give up", async () => {
  const held: Socket[] = []
  const { origin, sockets } = await serve((socket) => {
    socket.on("data", () => held.push(socket))
  })
  const connections = pool({ connections: 2 })
  const asked = [1, 2, 3].map(async () => text(await connections.ask(origin, get)))
  const stop = new AbortController()
  const impatient = connections.ask(origin, get, stop.signal)
  await vi.waitFor(() => expect(held).toHaveLength(2))
  stop.abort(new Error("enough"))
  await expect(impatient).rejects.toThrow("enough")
  for (let answered = 0; answered < 3; answered++) {
    await vi.waitFor(() => expect(held.length).toBeGreaterThan(answered))
    held[answered]?.write(ok("a"))
  }
  expect(await Promise.all(asked)).toEqual(["a", "a", "a"])
  expect(sockets).toHaveLength(2)
})

test("who waits gets a new connection when one ends", async () => {
  let made = 0
  const { origin } = await serve((socket) => {
    const first = made++ === 0
    socket.on("data", () => (first ? socket.destroy() : socket.write(ok("a"))))
  })
  const connections = pool({ connections: 1 })
  const asked = [connections.ask(origin, get), connections.ask(origin, get)]
  await expect(asked[0]).rejects.toMatchObject({ code: "ECONNRESET" })
  expect(await text((await asked[1]) ?? expect.fail())).toBe("a")
})

describe("a connection is not used again", () => {
  test.each([
    ["the server says so", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na"],
    ["more came than was asked for", `${ok("a")}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`],
    [
      "the server will have ended it",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nKeep-Alive: timeout=1\r\n\r\na",
    ],
    ["it is of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"],
  ])("when %s", async (_, answer) => {
    const { origin, sockets } = await serve(answering(answer))
    const connections = pool()
    expect(await text(await connections.ask(origin, get))).toBe("a")
    await new Promise(setImmediate)
    expect(await text(await connections.ask(origin, get))).toBe("a")
    expect(sockets).toHaveLength(2)
  })

  test("when something comes that nobody asked for", async () => {
    const { origin, sockets } = await serve(answering(ok("a")))
    const connections = pool()
    await text(await connections.ask(origin, get))
    sockets[0]?.write(ok("evil"))
    await closed(sockets[0])
    expect(await text(await connections.ask(origin, get))).toBe("a")
    expect(sockets).toHaveLength(2)
  })

  test("when the answer came before all was sent", async () => {
    const { origin, sockets } = await serve((socket) => {
      socket.once("data", () => {
        socket.pause() // it takes no more
        socket.write(ok("no"))
      })
    })
    const connections = pool()
    const body = Buffer.alloc(50_000_000)
    expect(await text(await connections.ask(origin, { method: "PUT", head: "PUT\r\n\r\n", body }))).toBe("no")
    expect(await text(await connections.ask(origin, get))).toBe("no")
    expect(sockets).toHaveLength(2)
  })
})

test("informational answers are passed over, and a body may end with its connection", async () => {
  const { origin } = await serve((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 O")
      setImmediate(() => socket.end("K\r\n\r\nall there is"))
    })
  })
  expect(await text(await pool().ask(origin, get))).toBe("all there is")
})

test("an answer may come byte by byte", async () => {
  const { origin } = await serve((socket) => {
    socket.once("data", async () => {
      for (const byte of "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n") {
        socket.write(byte)
        await new Promise(setImmediate)
      }
    })
  })
  expect(await text(await pool().ask(origin, get))).toBe("abc")
})

describe("failures", () => {
  test.each([
    ["what is not HTTP", "220 smtp ready\r\n\r\n", /^HPE_/],
    ["a head without end", `HTTP/1.1 200 OK\r\na: ${"b".repeat(70_000)}`, "HPE_HEADER_OVERFLOW"],
    ["lines that end in LF", "HTTP/1.1 200 OK\nContent-Length: 1\n\r\n\r\na", "HPE_LF"],
    ["another protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HPE_UPGRADE"],
  ])("%s", async (_, answer, code) => {
    const { origin } = await serve(answering(answer))
    const expected = typeof code === "string" ? code : expect.stringMatching(code)
    await expect(pool().ask(origin, get)).rejects.toMatchObject({ code: expected })
  })

  test("nobody listens", async () => {
    const { origin } = await serve(() => undefined)
    for (const close of closers.splice(0)) close()
    await new Promise(setImmediate)
    await expect(pool().ask(origin, get)).rejects.toMatchObject({ code: "ECONNREFUSED" })
  })

  test("the connection is reset while the request is being sent", async () => {
    const { origin } = await serve((socket) => socket.once("data", () => socket.resetAndDestroy()))
    for (let round = 0; round < 20; round++) {
      const body = Buffer.alloc(5_000_000)
      await expect(pool().ask(origin, { method: "PUT", head: "PUT\r\n\r\n", body })).rejects.toMatchObject({
        code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
      })
    }
  })

  test("the connection ends in the head", async () => {
    const { origin } = await serve((socket) => socket.once("data", () => socket.end("HTTP/1.1 200")))
    await expect(pool().ask(origin, get)).rejects.toMatchObject({ code: "ECONNRESET" })
  })

  test("the connection ends in the body; what came before is had", async () => {
    const { origin } = await serve((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"))
    })
    const { body } = await pool().ask(origin, get)
    const first = await body.next()
    expect(Buffer.from(first.value ?? []).toString()).toBe("abc")
    await expect(body.next()).rejects.toMatchObject({ code: "ECONNRESET" })
    expect(await body.next()).toEqual({ done: true, value: undefined })
  })

  test("silence before the answer, and within it", async () => {
    const { origin } = await serve((socket) => {
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    })
    const silent = await serve(() => undefined)
    const connections = pool({ silenceMs: 50 })
    const timedOut = { name: "TimeoutError", code: "ETIMEDOUT" }
    await expect(connections.ask(silent.origin, get)).rejects.toMatchObject(timedOut)
    const { body } = await connections.ask(origin, get)
    await expect(body.next()).rejects.toMatchObject(timedOut)
  })

  test.each(["before the answer", "within it"])("given up %s", async (moment) => {
    const { origin, sockets } = await serve((socket) => {
      socket.once("data", () => {
        if (moment === "within it") socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
      })
    })
    const stop = new AbortController()
    const asked = pool().ask(origin, get, stop.signal)
    const waiting = moment === "within it" ? (await asked).body : null
    await waiting?.next()
    const next = waiting ? waiting.next() : asked
    await vi.waitFor(() => expect(sockets).toHaveLength(1))
    stop.abort(new Error("enough"))
    await expect(next).rejects.toThrow("enough")
    await closed(sockets[0])
  })

  test("a certificate nobody vouches for", async () => {
    const { origin } = await serve(answering(ok("a")), true)
    await expect(pool().ask(origin, get)).rejects.toMatchObject({
      code: expect.stringMatching(/SELF_SIGNED|CERT/),
    })
  })
})
