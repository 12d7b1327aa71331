import { createHash } from "node:crypto"
import { CtrStream } from "../../../src/crypto/ctr.ts"
import type { RawKey } from "../../../src/crypto/raw-key.ts"
import type { ProgressEvent, ReadingOptions, TransferContext } from "../../../src/transfer/context.ts"
import { makeSite, type Site } from "./download-fixture.ts"

export interface ForeignSite extends Site {
  /** A context that reads objects of others with these keys. */
  reading(keys: readonly RawKey[], options?: Omit<ReadingOptions, "rawKeys">): TransferContext
  /** Messages of the notices that were told. */
  notices(): string[]
}

/** A site without keys of ours. */
export async function makeForeignSite(options: Parameters<typeof makeSite>[0] = {}): Promise<ForeignSite> {
  const site = await makeSite(options)
  const keys = { readers: [], writers: [], [Symbol.dispose]: () => undefined }
  return {
    ...site,
    reading: (rawKeys, options) => ({ ...site.context, keys, reading: { rawKeys, ...options } }),
    notices: () =>
      site.events.flatMap((event: ProgressEvent) => (event.type === "notice" ? [event.message] : [])),
  }
}

/** Bytes that repeat nowhere, made faster than those for small objects are. */
export function plaintextOf(bytes: number): Uint8Array {
  return new CtrStream(new Uint8Array(32), new Uint8Array(16)).update(new Uint8Array(bytes))
}

export async function digestOf(
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256")
  let bytes = 0
  for await (const piece of pieces) {
    hash.update(piece)
    bytes += piece.length
  }
  return { bytes, sha256: hash.digest("hex") }
}

export async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const gathered: Uint8Array[] = []
  for await (const piece of pieces) gathered.push(piece)
  return Buffer.concat(gathered)
}
