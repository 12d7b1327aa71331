import { describe, expect, test } from "vitest"
import { concat } from "../../../src/bytes.ts"
import type { Found } from "../../../src/compat/format.ts"
import { HarpocratesStreamFormat } from "../../../src/compat/harpocrates.ts"
import type { RawKey } from "../../../src/crypto/raw-key.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { IntegrityError, KeyMissingError } from "../../../src/errors.ts"
import { harpocratesSeal } from "../../support/harpocrates-vectors.ts"

const KEY = new Uint8Array(32).fill(1)
const PLAINTEXT = new Uint8Array(100).fill(7)
const STREAM = harpocratesSeal(KEY, new Uint8Array(12).fill(2), 64, PLAINTEXT)

function rawKey(bytes: Uint8Array<ArrayBuffer>): RawKey {
  return { type: "aes", name: "old", key: new SecretBytes(bytes.slice()) }
}

function formatWith(...keys: RawKey[]): HarpocratesStreamFormat {
  return new HarpocratesStreamFormat(async function* () {
    yield* keys
  })
}

function found(stream: Uint8Array, bytes: number | null = stream.length): Found {
  return { objectKey: null, metadata: {}, bytes, parts: null, head: stream.subarray(0, 80) }
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function decrypted(format: HarpocratesStreamFormat, stream: Uint8Array): Promise<Uint8Array> {
  const reader = format.recognise(found(stream))
  if (!reader) throw new Error("it was not recognised")
  using body = await reader.open()
  const pieces: Uint8Array[] = []
  for await (const piece of body.decrypt(whole(stream))) pieces.push(piece)
  return concat(...pieces)
}

describe("an AGCM v1 stream", () => {
  test("is recognised by its beginning, and called broken", () => {
    expect(formatWith().recognise(found(STREAM))).toMatchObject({
      format: "harpocrates-agcm-v1",
      plaintextBytes: PLAINTEXT.length,
      verdict: "broken",
      proof: "piece",
      ranges: false,
    })
  })

  test.each([
    ["two records share the nonce", STREAM, STREAM.length, ["nonce-reuse", "unproven-end"]],
    ["nobody knows how many there will be", STREAM, null, ["nonce-reuse", "unproven-end"]],
    ["one record is ordinary AES-GCM", STREAM.subarray(0, 24 + 84), 24 + 84, ["unproven-end"]],
    ["it may have been cut down to its header", STREAM.subarray(0, 24), 24, ["unproven-end"]],
  ] as const)("what is wrong with it is said: %s", (_, stream, bytes, codes) => {
    const findings = formatWith().recognise(found(stream, bytes))?.findings ?? []
    expect(findings.map(({ code }) => code)).toEqual(codes)
  })

  test("opens with whichever key fits", async () => {
    const format = formatWith(rawKey(new Uint8Array(32)), rawKey(KEY))
    expect(await decrypted(format, STREAM)).toEqual(PLAINTEXT)
    await expect(decrypted(formatWith(rawKey(new Uint8Array(32))), STREAM)).rejects.toThrow(KeyMissingError)
  })
})

test.each([
  ["AGCM of another version", Uint8Array.from([...STREAM.subarray(0, 4), 3, ...STREAM.subarray(5)])],
  ["something else", new Uint8Array(100)],
  ["nothing", new Uint8Array(0)],
])("%s is not recognised", (_, bytes) => {
  expect(formatWith().recognise(found(bytes))).toBeNull()
})

test("one whose header is cut or impossible is damaged, not somebody else's", () => {
  expect(() => formatWith().recognise(found(STREAM.subarray(0, 23)))).toThrow(IntegrityError)
  const noChunks = Uint8Array.from([...STREAM.subarray(0, 20), 0, 0, 0, 0])
  expect(() => formatWith().recognise(found(noChunks))).toThrow(IntegrityError)
})
