import { parseHeader } from "../agcm/header.ts"
import { HEADER_BYTES, type Layout, layoutOfCiphertext, SEAL_BYTES } from "../agcm/layout.ts"
import { RefusedError } from "../agcm/refused.ts"
import { openStream } from "../agcm/stream.ts"
import { TAG_BYTES } from "../crypto/aead.ts"
import type { SecretBytes } from "../crypto/secret.ts"
import { UsageError } from "../errors.ts"
import type { Format, Found, OpenBody, Reader, ReaderKek } from "./format.ts"

export const AGCM2 = "agcm2"

/** How envelopes are read and opened, which this folder leaves to `envelope/` and `keys/`. */
export interface Envelopes<E> {
  /**
   * The envelope of an object, from its metadata.
   *
   * @returns null if there is none. @throws {IntegrityError} if it is damaged, or may not be where it was found.
   */
  find(metadata: Readonly<Record<string, string>>): E | null
  keks(envelope: E): readonly ReaderKek[]
  /**
   * @param objectKey - where the object was found.
   * @throws {KeyMissingError}, {IntegrityError} as `Reader.open`.
   */
  open(envelope: E, objectKey: string): Promise<OpenEnvelope>
}

/** A DEK, owned by the caller, and what opened it. */
export interface OpenEnvelope {
  readonly dek: SecretBytes
  readonly kek: { readonly id: string; readonly name: string }
}

/** One object of our own format. */
export interface Agcm2Reader<E> extends Reader {
  readonly format: typeof AGCM2
  readonly envelope: E
  readonly layout: Layout
  /** Of segment 0, 80 bytes. */
  readonly header: Uint8Array
}

/** Our own format. `transfer/` reads its objects in parallel and resumes them; here they are read in order. */
export class Agcm2Format<E> implements Format {
  readonly id = AGCM2
  readonly #envelopes: Envelopes<E>

  constructor(envelopes: Envelopes<E>) {
    this.#envelopes = envelopes
  }

  recognise({ metadata, bytes, head, objectKey }: Found): Agcm2Reader<E> | null {
    const envelopes = this.#envelopes
    const envelope = envelopes.find(metadata)
    if (!envelope) return null
    if (bytes === null) {
      throw new UsageError("how long it is has to be known before it is read", {
        hint: "read it from a file",
      })
    }
    if (bytes < HEADER_BYTES + TAG_BYTES + SEAL_BYTES) throw new RefusedError("too short")
    const header = head.slice(0, HEADER_BYTES)
    const layout = layoutOfCiphertext(bytes, parseHeader(header, { segmentIndex: 0 }))
    if (!layout) throw new RefusedError("length")
    return {
      format: AGCM2,
      title: AGCM2,
      envelope,
      layout,
      header,
      plaintextBytes: layout.plaintextBytes,
      ranges: true,
      proof: "piece",
      verdict: "sound",
      findings: [],
      keks: envelopes.keks(envelope),
      mayBeFramed: false,
      isOwnMetadata: (name) => name.startsWith("s3ep-"),
      open: async () => openBody(await envelopes.open(envelope, objectKey ?? "")),
    }
  }
}

function openBody({ dek, kek }: OpenEnvelope): OpenBody {
  return {
    kek,
    decrypt: (stored, ownMemory) => openStream(dek, stored, ownMemory),
    [Symbol.dispose]: () => dek[Symbol.dispose](),
  }
}
