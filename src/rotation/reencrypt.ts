import { HEADER_BYTES, segmentPlaintextBytes } from "../agcm/layout.ts"
import { PreconditionError } from "../errors.ts"
import { openObject } from "../transfer/inspect.ts"
import { objectUri } from "../transfer/naming.ts"
import type { PartMemory } from "../transfer/part-memory.ts"
import { uploadSource } from "../transfer/upload.ts"
import type { Movable } from "./assess.ts"
import type { BegunLine } from "./journal.ts"
import { othersOf, settingsOf } from "./kept.ts"
import { type Mover, settle } from "./rewrap.ts"
import { storedSource } from "./stored-source.ts"

/**
 * Give an object a new DEK, and so a new body: read, verified, sealed anew and written by this machine, in parts of
 * the size it had, and only if it is still the one that was looked at. Interrupted, the next run goes on with it.
 *
 * @throws {PreconditionError} if the object changed meanwhile.
 */
export async function reencrypt(mover: Mover, object: Movable, memory: PartMemory): Promise<void> {
  const { request, journal } = mover
  const { address, info, writers } = object
  const context = {
    ...mover.context,
    keys: { ...mover.context.keys, writers },
    keyrings: onlyReading(mover.context.keyrings),
  }
  const extras = await mover.extras.read(address, info)
  const customerKey = info.customerEncrypted ? request.customerKey : undefined
  const { requesterPays } = request
  await using opened = await openObject(context, { address, requesterPays, customerKey }, HEADER_BYTES)
  if (opened.kind !== "native" || opened.info.etag !== info.etag)
    throw new PreconditionError(`${objectUri(address)} changed meanwhile`)
  await using source = storedSource(context, opened)
  const { layout } = opened
  const kept = settingsOf(info, othersOf(info), extras, { customerKey, nowMs: context.clock.now() })
  const uploaded = await uploadSource(
    context,
    {
      address,
      path: source.path,
      item: objectUri(address),
      settings: { ...kept, tags: extras.tags },
      conditions: { ifMatch: info.etag },
      privateMetadata: opened.private ?? {},
      requesterPays,
      chunkBytes: layout.chunkBytes,
      ...(layout.segments > 1 && { partBytes: segmentPlaintextBytes(layout) }),
    },
    source,
    memory,
  )
  if (!extras.tags && !extras.acl) return
  const { store, signal } = context
  const written = await store.head(address, { signal, requesterPays, customerKey })
  if (written.etag !== uploaded.etag) return
  const line: BegunLine = {
    begun: address.key,
    bucket: address.bucket,
    etag: info.etag,
    metadata: written.metadata,
    ...extras,
  }
  await journal.begin(line)
  await settle(mover, { address, info: written, metadata: written.metadata }, line)
}

/** The KEKs to write to are decided. */
function onlyReading(keyrings: Mover["context"]["keyrings"]): Mover["context"]["keyrings"] {
  return (
    keyrings && {
      writersFor: async () => null,
      readersFor: (address, recipients) => keyrings.readersFor(address, recipients),
    }
  )
}
