import type { RawKey } from "../crypto/raw-key.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import type { Finding, Format, Found, OpenBody, Reader } from "./format.ts"
import {
  isStreamHeader,
  openHarpocratesStream,
  parseStreamHeader,
  STREAM_HEADER_BYTES,
  streamPlaintextBytes,
  streamRecords,
} from "./harpocrates-stream.ts"

export const HARPOCRATES_AGCM1 = "harpocrates-agcm-v1"

const NONCE_REUSE: Finding = {
  code: "nonce-reuse",
  message:
    "AGCM v1 seals every chunk under one nonce: whoever had a copy can read it without the key as soon as they know one " +
    "chunk of it, and can have altered it. Treat what it holds as disclosed, and do not trust it",
  hint: "move it to a safe format with `s3ep migrate`, then change the secrets that it held",
}

const OPEN_END: Finding = {
  code: "unproven-end",
  message:
    "AGCM v1 does not say where it ends or in which order: chunks that were taken from its end, swapped or repeated " +
    "cannot be noticed",
  hint: "if you know how long it was or its digest, say so with --expect-bytes or --expect-sha256",
}

/**
 * AGCM v1 streams of Harpocrates: for moving away from, so they are read, with a warning, and never written.
 *
 * @see man/s3ep-format.5, "Formats of others"
 */
export class HarpocratesStreamFormat implements Format {
  readonly id = HARPOCRATES_AGCM1
  readonly #rawKeys: () => AsyncIterable<RawKey>

  /** @param rawKeys - all that might open one; the AES keys among them are tried. */
  constructor(rawKeys: () => AsyncIterable<RawKey>) {
    this.#rawKeys = rawKeys
  }

  recognise({ head, bytes }: Found): Reader | null {
    if (!isStreamHeader(head)) return null
    const header = parseStreamHeader(head.subarray(0, STREAM_HEADER_BYTES))
    // Of a pipe nobody knows how much it will bring: it may be more than one record.
    const oneRecord = bytes !== null && streamRecords(bytes, header) <= 1
    return {
      format: HARPOCRATES_AGCM1,
      title: "Harpocrates AGCM v1",
      plaintextBytes: bytes === null ? null : streamPlaintextBytes(bytes, header),
      ranges: false,
      proof: "piece",
      verdict: "broken",
      findings: oneRecord ? [OPEN_END] : [NONCE_REUSE, OPEN_END],
      keks: [],
      mayBeFramed: false,
      isOwnMetadata: () => false,
      open: async () => this.#open(),
    }
  }

  // Which key it is, only the first record tells.
  #open(): OpenBody {
    const rawKeys = this.#rawKeys
    return {
      kek: null,
      decrypt: (stored, ownMemory) => openHarpocratesStream(aesKeys(rawKeys()), stored, { ownMemory }),
      [Symbol.dispose]: () => undefined,
    }
  }
}

async function* aesKeys(rawKeys: AsyncIterable<RawKey>): AsyncGenerator<SecretBytes, void, undefined> {
  for await (const raw of rawKeys) if (raw.type === "aes") yield raw.key
}
