import { join, relative } from "node:path"
import { forEachConcurrent } from "../../transfer/concurrent.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { settleCreations } from "../../transfer/late-creations.ts"
import { LeftBehind } from "../../transfer/left-behind.ts"
import { objectUri } from "../../transfer/naming.ts"
import { PartMemory } from "../../transfer/part-memory.ts"
import { BUFFER_BUDGET_BYTES } from "../../transfer/plan.ts"
import { openSource } from "../../transfer/source.ts"
import { uploadFile } from "../../transfer/upload.ts"
import type { UploadOptions } from "../../transfer/upload-request.ts"
import { STORED_ALREADY, type UploadTreeItem, uploadTree } from "../../transfer/upload-tree.ts"
import { Batch } from "../batch.ts"
import type { Session } from "../session.ts"
import { readWriteOptions } from "../write-options.ts"
import { expectManyObjects } from "../young-generation.ts"
import { exists, type PutItem, type PutOptions, refuseExisting } from "./put-plan.ts"
import { proxyUploads } from "./put-proxy.ts"
import { leftAlone, plannedStore, stored } from "./stored.ts"

/** Of several sources; the parts of each go in parallel anyway. */
const FILES_AT_ONCE = 4

/** `put` of files and trees. */
export async function putFiles(
  session: Session,
  items: readonly PutItem[],
  options: PutOptions,
): Promise<void> {
  const wishes = await readWriteOptions(session, options)
  const proxy = await proxyUploads(session, options)
  const expected = items.length === 1 ? items.map(({ address }) => address) : []
  const context = await session.transfer(options.dryRun || proxy ? "none" : "both", expected)
  const upload = proxy?.ofFile ?? uploadFile
  if (!options.dryRun && items.some(({ kind }) => kind === "file")) await settleCreations(context)
  const memory = new PartMemory(BUFFER_BUDGET_BYTES)
  const batch = new Batch(session, "file")
  const [only] = items
  const one = (item: PutItem) => putFile(session, context, item, options, wishes, memory, upload)
  if (only?.kind === "file" && items.length === 1) return one(only)
  await forEachConcurrent(items, FILES_AT_ONCE, async (item) => {
    if (item.kind === "file") await batch.run(item.source, () => one(item))
  })
  for (const tree of items.filter(({ kind }) => kind === "tree")) {
    await putTree(session, context, tree, options, { ...wishes, upload }, batch)
  }
  batch.finish()
}

async function putFile(
  session: Session,
  context: TransferContext,
  { source, path, address }: PutItem,
  options: PutOptions,
  wishes: Omit<UploadOptions, "address">,
  memory: PartMemory,
  upload: typeof uploadFile,
): Promise<void> {
  const uri = objectUri(address)
  if (options.skipExisting && (await exists(context, address, wishes))) {
    if (!options.dryRun) await (await LeftBehind.ofUploads(context)).forgetUpload({ ...wishes, address })
    leftAlone(session, source, uri, STORED_ALREADY)
    return
  }
  if (!options.dryRun) {
    const result = await upload(context, { ...wishes, path, address, item: source }, memory)
    stored(session, source, result)
    return
  }
  await using file = await openSource(path)
  await refuseExisting(context, address, options, wishes)
  plannedStore(session, { source, uri, bytes: file.bytes })
}

async function putTree(
  session: Session,
  context: TransferContext,
  { source, path: root, address }: PutItem,
  { include, exclude, skipExisting, dryRun }: PutOptions,
  {
    concurrency: partConcurrency,
    ...wishes
  }: Omit<UploadOptions, "address"> & {
    readonly upload: typeof uploadFile
  },
  batch: Batch,
): Promise<void> {
  const { bucket, key: prefix } = address
  const { symlinks } = session.settings
  const filters = { include, exclude, symlinks, skipExisting, dryRun }
  const onItem = ({ path, address, result, error, outcome, why, bytes }: UploadTreeItem): void => {
    const shown = join(source, relative(root, path))
    if (error) {
      batch.failed(shown, error)
      return
    }
    batch.succeeded()
    if (result) stored(session, shown, result)
    else if (outcome === "planned") plannedStore(session, { source: shown, uri: objectUri(address), bytes })
    // Of what else is left out, a notice told people.
    else if (why === STORED_ALREADY || session.output.json)
      leftAlone(session, shown, objectUri(address), why ?? "")
  }
  expectManyObjects()
  await uploadTree(context, { ...wishes, ...filters, root, bucket, prefix, partConcurrency, onItem })
}
