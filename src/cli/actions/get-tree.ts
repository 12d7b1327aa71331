import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { type DownloadTreeItem, downloadTree } from "../../transfer/download-tree.ts"
import { Filter } from "../../transfer/filter.ts"
import { objectUri } from "../../transfer/naming.ts"
import { parseAddress } from "../address.ts"
import { Batch } from "../batch.ts"
import type { Session } from "../session.ts"
import { expectManyObjects } from "../young-generation.ts"
import { fetched, type GetOptions, planned, skipped } from "./fetched.ts"
import { nothingThere } from "./verify.ts"

/** `get -r`: what lies below each prefix, into one directory. */
export async function getTree(
  session: Session,
  sources: readonly string[],
  dest: string,
  options: GetOptions,
): Promise<void> {
  const addresses = sources.map(parseAddress)
  const { include, exclude, preserve, dryRun } = options
  const filter = new Filter({ include, exclude })
  const context = await session.transfer(dryRun ? "none" : "read", [], options)
  const { requesterPays, concurrency } = session.settings
  const customerKey = await session.customerKey()
  expectManyObjects()
  const batch = new Batch(session, "object")
  for (const address of addresses) {
    const result = await downloadTree(context, {
      bucket: address.bucket,
      prefix: address.key,
      target: resolve(session.io.cwd, dest),
      include: (relative) => filter.wants(relative),
      existing: options.skipExisting ? "skip" : options.clobber ? "replace" : "fail",
      dryRun,
      concurrency,
      preserve,
      customerKey,
      requesterPays,
      onItem: (item) => report(session, batch, item),
    })
    const { done, skipped, failed } = result
    if (done + skipped + failed.length === 0 && address.key !== "") throw nothingThere(address)
  }
  batch.finish()
}

function report(session: Session, batch: Batch, item: DownloadTreeItem): void {
  const { outcome, target, bytes, storedBytes, format, error } = item
  const uri = objectUri(item.address)
  if (error) batch.failed(uri, error)
  else batch.succeeded()
  if (error || target === null) return
  if (outcome === "skipped") skipped(session, uri, target)
  else if (outcome === "planned") planned(session, { uri, target, storedBytes, replaces: existsSync(target) })
  else fetched(session, { uri, target, bytes, format })
}
