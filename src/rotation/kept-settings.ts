import { UnsupportedError } from "../errors.ts"
import type { CustomerKey, ObjectInfo, ObjectSettings } from "../store/store.ts"
import type { TransferContext } from "../transfer/context.ts"
import type { ReadRequest } from "../transfer/fetch.ts"
import { type Extras, type ExtrasReader, settingsOf } from "./kept.ts"

/** What is sent with the object, and what has to be looked after, since not every service takes it that way. */
export interface KeptSettings {
  readonly settings: ObjectSettings
  readonly extras: Extras
}

/**
 * All that an object has beside its bytes, for the one that is written of it. What belongs to its bucket (ACL, the
 * service's encryption, Object Lock) stays behind if that goes to another one.
 *
 * @param request - what the object was found with; `info` is what came of it.
 * @param metadata - the user's own.
 * @throws {DeniedError} if its tags or its ACL may not be read: they would be lost.
 */
export async function keptSettings(
  context: TransferContext,
  extras: ExtrasReader,
  request: ReadRequest,
  info: ObjectInfo,
  metadata: Readonly<Record<string, string>>,
  { sameBucket }: { readonly sameBucket: boolean },
): Promise<KeptSettings> {
  const { address, customerKey } = request
  const options = { customerKey, nowMs: context.clock.now() }
  const tags = await tagsOf(context, request, info)
  if (!sameBucket) {
    const { grants, encryption, retention, legalHold, ...kept } = settingsOf(info, metadata, {}, options)
    return { settings: { ...kept, tags, ...underCustomerKey(customerKey) }, extras: { tags } }
  }
  const { acl } = await extras.read(address, { ...info, tagCount: 0 })
  const kept = settingsOf(info, metadata, { acl }, options)
  return { settings: { ...kept, tags, ...underCustomerKey(customerKey) }, extras: { tags, acl } }
}

function underCustomerKey(key: CustomerKey | undefined): Pick<ObjectSettings, "encryption"> {
  return key ? { encryption: { kind: "sse-c", key } } : {}
}

// A service tells how many there are, if at all, to those who may ask for them.
async function tagsOf(
  { store, signal }: TransferContext,
  { address, requesterPays, customerKey }: ReadRequest,
  { tagCount, versionId }: ObjectInfo,
): Promise<Readonly<Record<string, string>> | undefined> {
  if (tagCount === 0) return undefined
  try {
    const tags = await store.getTags(address, { versionId, requesterPays, customerKey, signal })
    return Object.keys(tags).length === 0 ? undefined : tags
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined
    throw error
  }
}
