import type { Exchange, ProxyAction } from "./tcp-proxy/index.ts"

/** A way in which one exchange with a store goes wrong. */
export interface FaultWay {
  readonly name: string
  readonly action: ProxyAction
}

/** Which requests an action makes sense for. */
type Way = readonly [name: string, action: (exchange: Exchange, random: () => number) => ProxyAction | null]

const within = (bytes: number, random: () => number) => Math.floor(random() * bytes)

const cuts: Way[] = (["reset", "silence"] as const).flatMap((by): Way[] => {
  const cut =
    (side: "request" | "answer", after: (exchange: Exchange, random: () => number) => number): Way[1] =>
    (exchange, random) => ({ cut: side, after: after(exchange, random), by })
  const some: Way[] = [
    [`${by} before the request's first byte`, cut("request", () => 0)],
    [`${by} within the request`, cut("request", ({ requestBytes }, random) => within(requestBytes, random))],
    [`${by} before the answer's first byte`, cut("answer", () => 0)],
    [`${by} within the answer`, cut("answer", ({ responseBytes }, random) => within(responseBytes, random))],
  ]
  if (by === "silence") return some.slice(1, 3)
  return [
    ...some,
    [`${by} within the request's head`, cut("request", () => 40)],
    [`${by} before the request's last byte`, cut("request", ({ requestBytes }) => requestBytes - 1)],
    [`${by} within the answer's head`, cut("answer", () => 20)],
    [`${by} before the answer's last byte`, cut("answer", ({ responseBytes }) => responseBytes - 1)],
  ]
})

const answers: Way[] = [
  [500, "InternalError", {}],
  [502, "BadGateway", {}],
  [503, "SlowDown", { "retry-after": "1" }],
  [429, "TooManyRequests", {}],
].flatMap(([status, answer, headers]): Way[] =>
  (["before", "after"] as const).map((moment) => [
    `${status} ${answer} ${moment} the store acts`,
    () => ({ status, answer, headers, moment }) as ProxyAction,
  ]),
)

const refusals: Way[] = [
  ["expired credentials", () => ({ status: 400, answer: "ExpiredToken", moment: "before" })],
  ["clock skew", () => ({ status: 403, answer: "RequestTimeTooSkewed", moment: "before" })],
]

const COPIES = /^(CompleteMultipartUpload)$/
const documents: Way[] = (["before", "after"] as const).map((moment) => [
  `200 with an error in it, ${moment} the store acts`,
  ({ operation }) => (COPIES.test(operation) ? { status: 200, answer: "InternalError", moment } : null),
])

const bodies: Way[] = [true, false].flatMap((declared): Way[] => {
  const how = declared ? "whose length says so" : "whose length does not say so"
  const resize =
    (bytes: number): Way[1] =>
    ({ method }) =>
      method === "HEAD" ? null : { resize: bytes, declared }
  return [
    [`an answer 9 bytes short ${how}`, resize(-9)],
    [`an answer without a body ${how}`, resize(-(2 ** 40))],
    [`an answer 9 bytes long ${how}`, resize(9)],
  ]
})

const doubles: Way[] = [["an answer that comes twice", () => ({ duplicate: true })]]

/** Every way in which this exchange can go wrong, as a clean run had it. */
export function waysToFail(exchange: Exchange, random: () => number): FaultWay[] {
  return [...cuts, ...answers, ...refusals, ...documents, ...bodies, ...doubles].flatMap(([name, of]) => {
    const action = of(exchange, random)
    return action ? [{ name, action }] : []
  })
}

/** Numbers from 0 to below 1, the same for the same seed ("mulberry32"). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
