import { readFileSync } from "node:fs"
import fc from "fast-check"
import { expect, test } from "vitest"
import { fromHex, hex, utf8 } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { IntegrityError, KeyMissingError } from "../../../src/errors.ts"
import { encodeSealed, parseKeyring } from "../../../src/keyring/codec.ts"
import { activeEpoch } from "../../../src/keyring/keyring.ts"
import { sealKeyring } from "../../../src/keyring/mac.ts"
import { OpenKeyring } from "../../../src/keyring/open.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import type { Kek } from "../../../src/keys/kek.ts"

interface Vector {
  readonly name: string
  readonly why: string
  readonly prefix: string
  readonly keks: Readonly<Record<string, string>>
  readonly text: string
  readonly expect: "ok" | "key" | "integrity"
  readonly epochs?: Readonly<Record<string, string>>
}

const file = new URL("../../vectors/keyring/keyring.json", import.meta.url)
const { vectors }: { vectors: Vector[] } = JSON.parse(readFileSync(file, "utf8"))
const named = (name: string): Vector => {
  const vector = vectors.find((vector) => vector.name === name)
  if (!vector) throw new Error(`no vector ${name}`)
  return vector
}

function secret(text: string): SecretBytes {
  const bytes = fromHex(text)
  if (!bytes) throw new Error("no hex")
  return new SecretBytes(bytes)
}

async function open({ prefix, keks }: Vector, stored: Uint8Array): Promise<OpenKeyring> {
  const readers: Kek[] = Object.entries(keks).map(([name, key]) => aesKek(secret(key), name))
  const place = { bucket: "vault", prefix }
  return OpenKeyring.open({ place, keyring: parseKeyring(stored), etag: "" }, readers)
}

test.each(vectors.filter((vector) => vector.expect === "ok"))(
  "$name opens, with these epochs, and is sealed to the same bytes: $why",
  async (vector) => {
    const { text, prefix, epochs = {} } = vector
    using keyring = await open(vector, utf8(text))
    const { keyring: content } = keyring
    for (const epoch of content.epochs) expect(hex((await keyring.key(epoch)).bytes)).toBe(epochs[epoch.kek])
    expect(content.epochs.map(({ kek }) => kek)).toEqual(Object.keys(epochs))
    const { mac: _, ...bare } = content
    const again = sealKeyring(bare, prefix, await keyring.key(activeEpoch(content)))
    expect(encodeSealed(again)).toBe(text)
  },
)

test.each(vectors.filter((vector) => vector.expect !== "ok"))("$name is refused: $why", async (vector) => {
  const refusal = vector.expect === "key" ? KeyMissingError : IntegrityError
  await expect((async () => open(vector, utf8(vector.text)))()).rejects.toThrow(refusal)
})

test("whatever byte of a keyring is changed, it is refused", async () => {
  const vector = named("three")
  const whole = utf8(vector.text)
  for (let at = 0; at < whole.length; at++) {
    const changed = whole.slice()
    changed[at] = (changed[at] ?? 0) ^ 1
    await expect(refusal(vector, changed)).resolves.toBe(true)
  }
}, 20_000)

test("whatever else becomes of its bytes, it is refused", async () => {
  const vector = named("three")
  const whole = utf8(vector.text)
  const splice = fc.record({
    at: fc.nat(whole.length),
    removed: fc.nat(40),
    put: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string({ maxLength: 40 }).map(utf8)),
  })
  await fc.assert(
    fc.asyncProperty(splice, async ({ at, removed, put }) => {
      const changed = new Uint8Array(Buffer.concat([whole.slice(0, at), put, whole.slice(at + removed)]))
      fc.pre(Buffer.compare(changed, whole) !== 0)
      expect(await refusal(vector, changed)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test("no JSON makes the reader fail in another way", async () => {
  const vector = named("one")
  const place = JSON.parse(vector.text)
  const paths = pathsOf(place)
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue(), async (path, value) => {
      const changed = utf8(JSON.stringify(replaced(place, path, value)))
      fc.pre(Buffer.compare(changed, utf8(vector.text)) !== 0)
      expect(await refusal(vector, changed)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

async function refusal(vector: Vector, stored: Uint8Array): Promise<boolean> {
  try {
    ;(await open(vector, stored))[Symbol.dispose]()
    return false
  } catch (error) {
    if (error instanceof IntegrityError || error instanceof KeyMissingError) return true
    throw error
  }
}

type Path = readonly string[]

function pathsOf(value: unknown): Path[] {
  if (typeof value !== "object" || value === null) return [[]]
  return [
    [],
    ...Object.entries(value).flatMap(([name, member]) => pathsOf(member).map((path) => [name, ...path])),
  ]
}

function replaced(whole: unknown, [first, ...rest]: Path, value: unknown): unknown {
  if (first === undefined) return value
  if (Array.isArray(whole))
    return whole.map((item, at) => (String(at) === first ? replaced(item, rest, value) : item))
  const entries = Object.entries(Object(whole))
  return Object.fromEntries(
    entries.map(([name, item]) => [name, name === first ? replaced(item, rest, value) : item]),
  )
}
