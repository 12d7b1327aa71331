import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { concat, hex, readU32le, u32le, utf8 } from "../../../src/bytes.ts"
import { encodeEnvelope } from "../../../src/envelope/codec.ts"
import type { Envelope } from "../../../src/envelope/envelope.ts"
import {
  encodeFileHeader,
  parseFileArea,
  parseFilePrefix,
  readFileHeader,
} from "../../../src/envelope/file.ts"
import { IntegrityError } from "../../../src/errors.ts"

const envelope: Envelope = {
  v: 2,
  fmt: "agcm2",
  bind: "none",
  recipients: [{ kek: "aes:00ff", alg: "HKDF-A256GCM", ct: "AAAA" }],
}
const json = utf8(encodeEnvelope(envelope))
const stream = utf8("AGCM and so on, as long as it likes")

async function* sliced(
  bytes: Uint8Array,
  sliceBytes: number,
  ended = { times: 0 },
): AsyncGenerator<Uint8Array> {
  try {
    for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.slice(at, at + sliceBytes)
  } finally {
    ended.times++
  }
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of source) pieces.push(piece)
  return concat(...pieces)
}

test("is magic, version, lengths, envelope and zeros", () => {
  const header = encodeFileHeader(envelope, { areaBytes: 200 })
  expect(hex(header.subarray(0, 16))).toBe(`5333455001000000c8000000${hex(u32le(json.length))}`)
  expect(header.subarray(16, 16 + json.length)).toEqual(json)
  expect(header.subarray(16 + json.length)).toEqual(new Uint8Array(200 - json.length))
})

test("leaves room to rewrite the envelope in place", () => {
  expect(encodeFileHeader(envelope)).toHaveLength(16 + 1024)
  const recipients = Array.from({ length: 20 }, () => envelope.recipients[0]).filter(
    (one) => one !== undefined,
  )
  const large = { ...envelope, recipients }
  expect(encodeFileHeader(large)).toHaveLength(16 + 2 * encodeEnvelope(large).length)
})

test("exactly full is allowed, and an area too small or too large is a bug", () => {
  const { length } = json
  expect(encodeFileHeader(envelope, { areaBytes: length })).toHaveLength(16 + length)
  expect(() => encodeFileHeader(envelope, { areaBytes: length - 1 })).toThrow(RangeError)
  expect(() => encodeFileHeader(envelope, { areaBytes: 2 ** 20 + 1 })).toThrow(RangeError)
})

test("is read however it is sliced, and what follows it too", async () => {
  const file = concat(encodeFileHeader(envelope, { areaBytes: 150 }), stream)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: file.length }), async (sliceBytes) => {
      const { body, ...read } = await readFileHeader(sliced(file, sliceBytes))
      expect(read).toEqual({ envelope, headerBytes: 166, areaBytes: 150 })
      expect(await collect(body)).toEqual(stream)
    }),
  )
})

test("without a stream after it is read", async () => {
  const { body } = await readFileHeader(sliced(encodeFileHeader(envelope), 10))
  expect(await collect(body)).toEqual(new Uint8Array(0))
})

test("is read from where the file can be read at will", () => {
  const header = encodeFileHeader(envelope)
  const prefix = parseFilePrefix(header.subarray(0, 16))
  expect(prefix).toEqual({ areaBytes: 1024, envelopeBytes: json.length })
  expect(parseFileArea(header.subarray(16), prefix)).toEqual(envelope)
})

describe("the source is ended", () => {
  const file = concat(encodeFileHeader(envelope), stream)

  test.each([0, 1])("when the stream is left after %i pieces", async (pieces) => {
    const ended = { times: 0 }
    const { body } = await readFileHeader(sliced(file, 5, ended))
    for (let taken = 0; taken < pieces; taken++) await body.next()
    expect(ended.times).toBe(0)
    await body.return?.()
    expect(ended.times).toBe(1)
    expect(await body.next()).toEqual({ done: true, value: undefined })
  })

  test("when the header is refused", async () => {
    const ended = { times: 0 }
    await expect(readFileHeader(sliced(stream, 5, ended))).rejects.toThrow(IntegrityError)
    expect(ended.times).toBe(1)
  })
})

describe("refused", () => {
  const good = encodeFileHeader(envelope, { areaBytes: 150 })
  const changed = (offset: number, value: number) => {
    const copy = good.slice()
    copy.set(u32le(value), offset)
    return copy
  }

  test.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array(0)],
    ["another file", utf8("%PDF-1.7 and more of the kind")],
    ["a bare AGCM stream", concat(utf8("AGCM"), new Uint8Array(200))],
    ["version 0", changed(4, 0)],
    ["version 2", changed(4, 2)],
    ["an area larger than 1 MiB", changed(8, 2 ** 20 + 1)],
    ["an area of 4 GiB", changed(8, 2 ** 32 - 1)],
    ["an envelope larger than its area", changed(12, 151)],
    ["an envelope of 4 GiB", changed(12, 2 ** 32 - 1)],
    ["an envelope cut by its length", changed(12, json.length - 1)],
    ["no envelope", changed(12, 0)],
    ["something after the envelope", concat(good.subarray(0, 165), new Uint8Array([1]))],
  ])("%s", async (_, file) => {
    await expect(readFileHeader(sliced(file, 50))).rejects.toThrow(IntegrityError)
  })

  test("an envelope larger than 64 KiB in an area that holds it", () => {
    const prefix = concat(utf8("S3EP"), u32le(1), u32le(2 ** 20), u32le(65_537))
    expect(() => parseFilePrefix(prefix)).toThrow(IntegrityError)
  })

  test("any cut", async () => {
    for (let length = 0; length < good.length; length++) {
      await expect(readFileHeader(sliced(good.subarray(0, length), 1000))).rejects.toThrow(IntegrityError)
    }
  })

  test("a later version, with the way out", async () => {
    await expect(readFileHeader(sliced(changed(4, 2), 50))).rejects.toMatchObject({ hint: "upgrade s3ep" })
    expect(readU32le(good, 4)).toBe(1)
  })
})
