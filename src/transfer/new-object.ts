import { basename } from "node:path"
import { KEY_BYTES } from "../crypto/aead.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { createEnvelope, type Envelope } from "../envelope/envelope.ts"
import { toUserMetadata } from "../envelope/metadata.ts"
import { formatMtime, type PrivateMetadata } from "../envelope/private-metadata.ts"
import { isReserved } from "../envelope/reserved.ts"
import { UsageError } from "../errors.ts"
import type { ObjectSettings, StoreLimits } from "../store/store.ts"
import type { TransferContext } from "./context.ts"
import { writersOf } from "./keks.ts"
import { objectUri } from "./naming.ts"
import type { Source } from "./source.ts"
import type { UploadOptions } from "./upload-request.ts"

/** A DEK of its own, its envelope, and the settings the object is stored with. */
export interface NewObject extends Disposable {
  readonly dek: SecretBytes
  readonly envelope: Envelope
  /** The user's, with the envelope in the metadata. */
  readonly settings: ObjectSettings
}

/**
 * Draw a DEK for one write of one object and wrap it to the writers.
 *
 * @throws {UsageError} if envelope and metadata are more than the service keeps, or the key is one s3ep keeps for
 * itself; {KeyMissingError} without writers.
 */
export async function newObject(
  context: TransferContext,
  { address, settings, privateMetadata: given }: UploadOptions,
  limits: StoreLimits,
  privateMetadata: PrivateMetadata,
): Promise<NewObject> {
  if (isReserved(address.key)) {
    throw new UsageError(`cannot write ${objectUri(address)}: what lies in .s3ep/ is s3ep's own`)
  }
  const dek = new SecretBytes(context.random(KEY_BYTES))
  try {
    const envelope = await createEnvelope({
      dek,
      bind: "key",
      objectKey: address.key,
      writers: await writersOf(context, address),
      privateMetadata:
        given ??
        (settings.contentType === undefined
          ? privateMetadata
          : { ...privateMetadata, type: settings.contentType }),
      random: context.random,
    })
    const metadata = toUserMetadata(envelope, limits, settings.metadata)
    return {
      dek,
      envelope,
      settings: { ...settings, metadata },
      [Symbol.dispose]: () => dek[Symbol.dispose](),
    }
  } catch (error) {
    dek[Symbol.dispose]()
    throw error
  }
}

/** What a reader who can open the object learns of the file. */
export function fileMetadata({ path, bytes, mode, mtimeNs }: Source): PrivateMetadata {
  const mtime = formatMtime(mtimeNs)
  return { name: basename(path), size: bytes, mode, ...(mtime !== undefined && { mtime }) }
}
