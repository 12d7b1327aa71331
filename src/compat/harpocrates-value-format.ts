import { concat, fromUtf8 } from "../bytes.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import { IntegrityError, KeyMissingError } from "../errors.ts"
import type { Format, OpenBody, Reader } from "./format.ts"
import { HarpocratesRefusedError } from "./harpocrates-refused.ts"
import { openSealedValue, parseSealedValue } from "./harpocrates-value.ts"

export const HARPOCRATES_VALUE = "harpocrates-value"

/** A value is a string that somebody held in memory; what is longer is something else. */
const MAX_TEXT_BYTES = 64 * 1024 ** 2

/**
 * A value that Harpocrates sealed: base64, which is no more than any text may look like. So it recognises whatever it
 * is asked about, and is asked only when the user says that it is one.
 */
export class HarpocratesValueFormat implements Format {
  readonly id = HARPOCRATES_VALUE
  readonly #rawKeys: () => AsyncIterable<RawKey>
  readonly #aad: Uint8Array

  /** @param rawKeys - all that might open one; the AES keys among them are tried. */
  constructor(rawKeys: () => AsyncIterable<RawKey>, aad: Uint8Array) {
    this.#rawKeys = rawKeys
    this.#aad = aad
  }

  recognise(): Reader {
    return {
      format: HARPOCRATES_VALUE,
      title: "Harpocrates sealed value",
      plaintextBytes: null,
      ranges: false,
      proof: "piece", // there is one piece
      verdict: "sound",
      findings: [],
      keks: [],
      mayBeFramed: false,
      isOwnMetadata: () => false,
      open: async () => this.#open(),
    }
  }

  #open(): OpenBody {
    const open = (stored: AsyncIterable<Uint8Array>) => this.#decrypt(stored)
    return { kek: null, decrypt: open, [Symbol.dispose]: () => undefined }
  }

  async *#decrypt(stored: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const value = parseSealedValue(await textOf(stored))
    for await (const raw of this.#rawKeys()) {
      const plaintext = raw.type === "aes" ? openSealedValue(raw.key, value, this.#aad) : null
      if (!plaintext) continue
      yield plaintext
      return
    }
    throw new KeyMissingError(
      "no key at hand opens it: the key or the AAD is another one, or it was altered",
      {
        hint: "bring its key here with `s3ep keys import`; what it was bound to goes into --aad or --aad-file",
      },
    )
  }
}

async function textOf(stored: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of stored) {
    bytes += piece.length
    if (bytes > MAX_TEXT_BYTES) throw new IntegrityError("it is too long to be a sealed value")
    pieces.push(piece)
  }
  try {
    return fromUtf8(concat(...pieces))
  } catch {
    throw new HarpocratesRefusedError("not base64")
  }
}
