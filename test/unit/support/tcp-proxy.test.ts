import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy/index.ts"

/** What the server behind the proxy has acted on. */
const acted: string[] = []
const server = createServer(async (request, response) => {
  let body = ""
  for await (const piece of request) body += piece
  acted.push(body)
  response.sendDate = false // or two answers are the same only within a second
  if (request.url === "/bucket/chunked") response.write("01234")
  response.end(request.url === "/bucket/chunked" ? "56789" : "0123456789")
})
let proxy: TcpProxy

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  proxy = await startTcpProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
beforeEach(() => {
  acted.length = 0
  proxy.exchanges.length = 0
})
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  server.close()
})

/**
 * Send a request through the proxy.
 *
 * @returns all that came: until it ends like an answer, or the connection does.
 */
async function ask(path = "/bucket/key?partNumber=3&uploadId=u", ending = /9$|<\/Error>$/): Promise<string> {
  const { port, host } = new URL(proxy.endpoint)
  const socket = connect(Number(port), "127.0.0.1")
  socket.on("error", () => undefined)
  socket.write(`PUT ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 4\r\n\r\nbody`)
  let answer = ""
  await new Promise<void>((resolve) => {
    socket.on("close", () => resolve())
    socket.on("data", (piece) => {
      answer += piece
      if (ending.test(answer)) resolve()
    })
  })
  socket.destroy()
  return answer
}

test("passes on what it is given, and knows what it was", async () => {
  proxy.fault = undefined
  expect(await ask()).toMatch(/^HTTP\/1.1 200 OK\r\n.*0123456789$/s)
  // One Node writes a chunk for each write, another one for both.
  expect(await ask("/bucket/chunked", /0\r\n\r\n$/)).toMatch(
    /\r\n(5\r\n01234\r\n5\r\n56789|a\r\n0123456789)\r\n0\r\n/,
  )
  expect(acted).toEqual(["body", "body"])
  expect(proxy.exchanges).toMatchObject([
    { index: 1, operation: "UploadPart", partNumber: 3, status: 200, delivered: true, faulted: false },
    { index: 2, operation: "PutObject", delivered: true },
  ])
})

test("what the server ends while nobody asks is ended for the client too", async () => {
  proxy.fault = undefined
  const { port, host } = new URL(proxy.endpoint)
  const socket = connect(Number(port), "127.0.0.1")
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()))
  const answered = new Promise<void>((resolve) =>
    socket.on("data", (piece) => /9$/.test(`${piece}`) && resolve()),
  )
  socket.write(`PUT /bucket/key HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 4\r\n\r\nbody`)
  await answered
  server.closeIdleConnections()
  await closed
})

test("a cut in the request leaves the server without it, one in the answer does not", async () => {
  proxy.fault = undefined
  const whole = await ask()
  acted.length = 0
  for (const after of [0, 10, 60]) {
    proxy.fault = { action: { cut: "request", after, by: "reset" } }
    expect(await ask()).toBe("")
    proxy.fault = { action: { cut: "answer", after, by: "reset" } }
    expect(await ask()).toBe(whole.slice(0, after))
  }
  expect(acted).toEqual(["body", "body", "body"])
  const delivered = proxy.exchanges.map((exchange) => exchange.delivered)
  expect(delivered).toEqual([true, ...Array(6).fill(false)])
})

test.each([
  ["before", []],
  ["after", ["body"]],
] as const)("an error instead of the answer, %s the server acts", async (moment, expected) => {
  proxy.fault = { action: { answer: "SlowDown", status: 503, moment } }
  expect(await ask()).toMatch(/^HTTP\/1.1 503 .*<Code>SlowDown</s)
  expect(acted).toEqual(expected)
})

test.each([
  [{ resize: -3, declared: true }, /content-length: 7\r\n\r\n0123456$/i],
  [{ resize: -3, declared: false }, /content-length: 10\r\n.*\r\n0123456$/is],
  [{ resize: 2, declared: true }, /content-length: 12\r\n\r\n0123456789\0\0$/i],
  [{ resize: 2, declared: false }, /content-length: 10\r\n.*0123456789\0\0$/is],
  [{ duplicate: true }, /^HTTP.*0123456789HTTP.*0123456789$/s],
] as const)("%j", async (action, expected) => {
  proxy.fault = { action }
  expect(await ask(undefined, expected)).toMatch(expected)
})

test("hits the exchanges it is to hit, and as many", async () => {
  const action = { answer: "InternalError", status: 500, moment: "before" } as const
  proxy.fault = { action, nth: 2, times: 2, when: ({ operation }) => operation === "UploadPart" }
  const statuses: string[] = []
  for (const path of [undefined, "/bucket/other", undefined, undefined, undefined]) {
    statuses.push((await ask(path)).slice(9, 12))
  }
  expect(statuses).toEqual(["200", "200", "500", "500", "200"])
})
