import { forEachConcurrent } from "../../transfer/concurrent.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { objectUri } from "../../transfer/naming.ts"
import { PartMemory } from "../../transfer/part-memory.ts"
import { BUFFER_BUDGET_BYTES } from "../../transfer/plan.ts"
import { openSource } from "../../transfer/source.ts"
import { uploadFile } from "../../transfer/upload.ts"
import type { UploadOptions } from "../../transfer/upload-request.ts"
import { Batch } from "../batch.ts"
import type { Session } from "../session.ts"
import { readWriteOptions } from "../write-options.ts"
import { type PutItem, type PutOptions, refuseExisting } from "./put.ts"
import { plannedStore, stored } from "./stored.ts"

/** Of several sources; the parts of each go in parallel anyway. */
const FILES_AT_ONCE = 4

/** `put` of files and trees. */
export async function putFiles(
  session: Session,
  items: readonly PutItem[],
  options: PutOptions,
): Promise<void> {
  const wishes = await readWriteOptions(session, options)
  const context = await session.transfer(options.dryRun ? "none" : "both")
  const memory = new PartMemory(BUFFER_BUDGET_BYTES)
  const batch = new Batch(session, "file")
  const [only] = items
  const one = (item: PutItem) => putFile(session, context, item, options, wishes, memory)
  if (only?.kind === "file" && items.length === 1) return one(only)
  await forEachConcurrent(items, FILES_AT_ONCE, async (item) => {
    if (item.kind === "file") await batch.run(item.source, () => one(item))
  })
  batch.finish()
}

async function putFile(
  session: Session,
  context: TransferContext,
  { source, path, address }: PutItem,
  options: PutOptions,
  wishes: Omit<UploadOptions, "address">,
  memory: PartMemory,
): Promise<void> {
  if (!options.dryRun) {
    const result = await uploadFile(context, { ...wishes, path, address, item: source }, memory)
    stored(session, source, result)
    return
  }
  await using file = await openSource(path)
  await refuseExisting(context, address, options)
  plannedStore(session, { source, uri: objectUri(address), bytes: file.bytes })
}
