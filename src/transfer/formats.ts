import { AGCM2, Agcm2Format, type Agcm2Reader } from "../compat/agcm2.ts"
import type { Format, Reader } from "../compat/format.ts"
import { HarpocratesStreamFormat } from "../compat/harpocrates.ts"
import { HarpocratesValueFormat } from "../compat/harpocrates-value-format.ts"
import { PlaintextFormat } from "../compat/plaintext.ts"
import { S3EncryptionProxyFormat } from "../compat/s3-encryption-proxy.ts"
import type { RawKey } from "../crypto/raw-key.ts"
import { type Envelope, openEnvelope } from "../envelope/envelope.ts"
import { fromUserMetadata } from "../envelope/metadata.ts"
import { IntegrityError, KeyMissingError } from "../errors.ts"
import type { ObjectAddress } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { unwrapEnvelope } from "./keks.ts"

/** What formats need of a context. */
export type FormatContext = Pick<TransferContext, "keys" | "keyrings" | "reading">

export type NativeReader = Agcm2Reader<Envelope>

/**
 * Every format there is, ours first: what carries an envelope of ours is never taken for anything else.
 *
 * @param address - of the object that is to be read; a file in its place has none.
 */
export function formatsOf(context: FormatContext, address?: ObjectAddress): readonly Format[] {
  const { reading } = context
  const rawKeys = () => rawKeysOf(context)
  if (reading?.sealedValue) return [new HarpocratesValueFormat(rawKeys, reading.sealedValue.aad)]
  return [
    nativeFormat(context, address),
    new S3EncryptionProxyFormat({ keys: rawKeys, prefix: reading?.proxyPrefix }),
    new HarpocratesStreamFormat(rawKeys),
    ...(reading?.plaintext ? [new PlaintextFormat()] : []),
  ]
}

/** Our own format, with the envelopes of `envelope/` and the KEKs of `keys/`. */
function nativeFormat(context: FormatContext, address?: ObjectAddress): Agcm2Format<Envelope> {
  const { readers } = context.keys
  return new Agcm2Format({
    find: envelopeOf,
    keks: ({ recipients }) => recipients.map(({ kek, alg }) => ({ kek, alg })),
    open: (envelope, objectKey) =>
      address ? unwrapEnvelope(context, address, envelope) : openEnvelope(envelope, { objectKey, readers }),
  })
}

/**
 * Every key that a format of others may try, one after the other: reading one may take a file, or ask somebody.
 * Borrowed from the context.
 */
async function* rawKeysOf({ keys, reading }: FormatContext): AsyncGenerator<RawKey, void, undefined> {
  yield* reading?.rawKeys ?? []
  const failures: unknown[] = []
  for (const kek of keys.readers) {
    try {
      const raw = await kek.raw?.()
      if (raw) yield raw
    } catch (error) {
      if (!(error instanceof KeyMissingError)) throw error
      failures.push(error) // another one may fit
    }
  }
  if (failures.length > 0) throw failures[0]
}

/** Whether a reader is our own format's. */
export function isNative(reader: Reader): reader is NativeReader {
  return reader.format === AGCM2
}

/**
 * The envelope of an object, from its metadata. One that is bound to nothing belongs into a file: in a bucket it would
 * open under whatever key it was put.
 *
 * @throws {IntegrityError} if it is damaged, bound to no key, or of a format that this version does not know.
 */
export function envelopeOf(metadata: Readonly<Record<string, string>>): Envelope | null {
  const envelope = fromUserMetadata(metadata)
  if (envelope && envelope.bind !== "key") {
    throw new IntegrityError(
      "its envelope is bound to no key: somebody put that of a local file in its place",
    )
  }
  return envelope
}
