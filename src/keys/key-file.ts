import { concat, utf8 } from "../bytes.ts"
import type { KekState } from "./kek.ts"

/** Where the secret of a key is: in its file, in its file under a passphrase, or in the system's keychain. */
export type KeyPlace = "file" | "protected" | "keychain"

/** What the comments of a key file say about its key. */
export interface KeyFacts {
  /** `type:fingerprint`; undefined if it does not say: somebody put the file there. */
  readonly id: string | undefined
  readonly created: Date | undefined
  readonly state: KekState
  readonly place: KeyPlace
  /** It is a public key. */
  readonly writesOnly: boolean
  /** What may be handed out of it, if it is one line: it writes without opening the secret. */
  readonly publicLine: string | undefined
}

const PLACES: readonly (readonly [KeyPlace, comment: string])[] = [
  ["protected", "protected by a passphrase"],
  ["keychain", "kept in the system keychain"],
]
const STATES: readonly KekState[] = ["retired", "revoked"]
const ID = /^[a-z]+:[\x21-\x7e]+$/
const CREATED = "created "
const PUBLIC = "public "
const WRITES_ONLY = "writes only"

/**
 * A key file: comments that say what it is, then the key.
 *
 *     # s3ep key default
 *     # aes:b02c580ec833db4ff577a0986baf8d52
 *     # created 2026-03-01T12:00:00.000Z
 *     t5Q4Xy0e96tNknPRkGOBtE8vbyWIo++5akkYgzGYR1M=
 *
 * A retired or revoked key says so in a comment. One protected by a passphrase has a line of JSON in place of the key,
 * one that is kept in the system's keychain has nothing there.
 *
 * @param body - whole lines; borrowed.
 */
export function encodeKeyFile(name: string, facts: KeyFacts & { readonly id: string }, body: Uint8Array) {
  const { id, created, state, place, writesOnly, publicLine } = facts
  const comments = [
    `s3ep key ${name}`,
    id,
    ...(created ? [`${CREATED}${created.toISOString()}`] : []),
    ...(publicLine === undefined ? [] : [`${PUBLIC}${publicLine}`]),
    ...(writesOnly ? [WRITES_ONLY] : []),
    ...STATES.filter((named) => named === state),
    ...PLACES.flatMap(([named, comment]) => (named === place ? [comment] : [])),
  ]
  return concat(utf8(comments.map((comment) => `# ${comment}\n`).join("")), body)
}

/** What a key file says about its key. */
export function readKeyFacts(content: Uint8Array): KeyFacts {
  const comments = commentsOf(content)
  const date = comments.find((comment) => comment.startsWith(CREATED))?.slice(CREATED.length)
  const created = new Date(date ?? Number.NaN)
  return {
    id: comments.find((comment) => ID.test(comment)),
    created: Number.isNaN(created.getTime()) ? undefined : created,
    // Both: the stricter one.
    state: STATES.findLast((state) => comments.includes(state)) ?? "active",
    place: PLACES.find(([, comment]) => comments.includes(comment))?.[0] ?? "file",
    writesOnly: comments.includes(WRITES_ONLY),
    publicLine: comments.find((comment) => comment.startsWith(PUBLIC))?.slice(PUBLIC.length),
  }
}

/** What follows the comments; a copy. */
export function bodyOf(content: Uint8Array): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(content.length)
  let length = 0
  for (const { start, end } of linesIn(content)) {
    if (content[start] === HASH) continue
    body.set(content.subarray(start, end), length)
    length += end - start
  }
  const own = body.slice(0, length)
  body.fill(0)
  return own
}

const HASH = 0x23
const NEWLINE = 0x0a

// The comments' lines only: no line of key becomes a string here.
function commentsOf(content: Uint8Array): string[] {
  const comments: string[] = []
  for (const { start, end } of linesIn(content)) {
    if (content[start] === HASH) {
      comments.push(new TextDecoder().decode(content.subarray(start + 1, end)).trim())
    }
  }
  return comments
}

// With their line feeds.
function* linesIn(content: Uint8Array): Generator<{ start: number; end: number }> {
  for (let start = 0; start < content.length; ) {
    const found = content.indexOf(NEWLINE, start)
    const end = found < 0 ? content.length : found + 1
    yield { start, end }
    start = end
  }
}
