import { expect, test } from "vitest"
import { sealStream } from "../../../src/agcm/stream.ts"
import { concat } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { HollowObject } from "../../bench/hollow/object.ts"

const GEOMETRY = { chunkBytes: 4096, chunksPerSegment: 20 }
const SEGMENT_BYTES = 80 + 20 * (4096 + 16)

async function* zeros(bytes: number) {
  yield new Uint8Array(bytes)
}

async function stored(plaintextBytes: number) {
  const dek = new SecretBytes(new Uint8Array(32).fill(7))
  let salts = 0
  const pieces: Uint8Array[] = []
  const sealed = sealStream(dek, GEOMETRY, zeros(plaintextBytes), () => new Uint8Array(24).fill(++salts))
  for await (const piece of sealed) pieces.push(piece)
  const object = concat(...pieces)
  const parts = Array.from({ length: salts }, (_, index) => {
    const last = index === salts - 1
    const bytes = object.subarray(index * SEGMENT_BYTES, last ? undefined : (index + 1) * SEGMENT_BYTES)
    return { bytes: bytes.length, head: bytes.slice(0, 80), tail: bytes.slice(-32) }
  })
  return { object, hollow: new HollowObject(parts, dek) }
}

test.each([1, 4096, 20 * 4096, 20 * 4096 + 1, 45 * 4096 + 5])(
  "the ciphertext of %i zeros is made again, byte for byte",
  async (plaintextBytes) => {
    const { object, hollow } = await stored(plaintextBytes)
    expect(hollow.bytes).toBe(object.length)
    expect(concat(...hollow.read(0, object.length))).toEqual(object)
  },
)

test("any range of it is the same range of the ciphertext", async () => {
  const { object, hollow } = await stored(45 * 4096 + 5)
  const edges = [
    0,
    1,
    79,
    80,
    81,
    4191,
    4192,
    SEGMENT_BYTES - 1,
    SEGMENT_BYTES,
    SEGMENT_BYTES + 81,
    object.length - 33,
  ]
  for (const start of edges) {
    for (const end of [...edges, object.length].filter((edge) => edge > start)) {
      // toEqual looks at every byte by itself.
      expect(Buffer.compare(concat(...hollow.read(start, end)), object.subarray(start, end))).toBe(0)
    }
  }
})
