import { layoutOfCiphertext, layoutOfPlaintext } from "../../../src/agcm/layout.ts"
import { RefusedError } from "../../../src/agcm/refused.ts"
import { openStream, sealStream } from "../../../src/agcm/stream.ts"
import { concat, readU32le } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { all, edited, piecesOf, same } from "../support.ts"

const GEOMETRY = { chunkBytes: 4096, chunksPerSegment: 2 }
const PLAINTEXT = Uint8Array.from({ length: 9000 }, (_, at) => at * 7)
const keyOf = () => new SecretBytes(new Uint8Array(32).fill(7))
let salts = 0
const genuine = all(
  sealStream(keyOf(), GEOMETRY, piecesOf(PLAINTEXT, 4096), () => new Uint8Array(24).fill(++salts)),
)

/**
 * The segment reader, on bytes as they are and on edits of a genuine object: it refuses with its own error, gives out
 * nothing that was not sealed, and ends well only for the genuine object itself.
 */
export async function fuzz(data: Uint8Array): Promise<void> {
  const [mode = 0] = data
  const rest = data.subarray(1)
  const original = await genuine
  const stream = mode % 2 === 0 ? rest : edited(original, rest)
  const sliceBytes = 1 + (mode >> 1) * 61
  if (rest.length >= 12) checkLayouts(rest)
  const released: Uint8Array[] = []
  using dek = keyOf()
  try {
    for await (const chunk of openStream(dek, piecesOf(stream, sliceBytes))) released.push(chunk)
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    const plaintext = concat(...released)
    if (!same(plaintext, PLAINTEXT.subarray(0, plaintext.length)))
      throw new Error("released what nobody sealed")
    return
  }
  if (!same(stream, original)) throw new Error("opened what nobody sealed")
}

/** Layout arithmetic: a stored length means one plaintext length or none. */
function checkLayouts(bytes: Uint8Array): void {
  const geometry = {
    chunkBytes: 2 ** (12 + (readU32le(bytes, 0) % 13)),
    chunksPerSegment: 1 + (readU32le(bytes, 4) % 9),
  }
  const layout = layoutOfCiphertext(readU32le(bytes, 8), geometry)
  if (!layout) return
  const again = layoutOfPlaintext(layout.plaintextBytes, geometry)
  if (again.ciphertextBytes !== layout.ciphertextBytes) throw new Error("a length that two objects have")
}
