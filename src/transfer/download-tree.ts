import { join } from "node:path"
import { InterruptedError, S3epError } from "../errors.ts"
import type { CustomerKey, ListedObject, ObjectAddress } from "../store/store.ts"
import { AdaptiveLimit } from "./adaptive-limit.ts"
import { forEachConcurrent } from "./concurrent.ts"
import type { TransferContext } from "./context.ts"
import { DirectorySyncs } from "./directory-syncs.ts"
import { type DownloadRun, downloadTo } from "./download.ts"
import type { ObjectFormat } from "./inspect.ts"
import { LeftBehind } from "./left-behind.ts"
import { withoutReserved } from "./list.ts"
import { objectUri } from "./naming.ts"
import { existsAlready } from "./replace.ts"
import { kindOf, safeTarget } from "./target.ts"
import { TemporaryFiles } from "./temporaries.ts"
import { TreeDirectories } from "./tree-directories.ts"

/** At once at first, and at most. */
const OBJECTS_AT_FIRST = 16
const OBJECTS_AT_MOST = 32
/** Of one object: most are small, and the large ones share the line with the others. */
const WINDOWS_AT_ONCE = 2

export interface DownloadTreeRequest {
  readonly bucket: string
  /** The directory of the bucket to get; "" for all of it. A missing "/" at its end is added. */
  readonly prefix: string
  /** The directory it is put into; made if it is not there. */
  readonly target: string
  /** Whether to get an object, by its name below the prefix; all if not given. */
  readonly include?: ((relative: string) => boolean) | undefined
  /** What becomes of files that are there: replaced (if not given), left alone, or a failure. */
  readonly existing?: "replace" | "skip" | "fail" | undefined
  /** Says what would be done, by the listing alone. */
  readonly dryRun?: boolean | undefined
  /** Objects at once; found out if not given. */
  readonly concurrency?: number | undefined
  readonly preserve?: boolean | undefined
  readonly resume?: boolean | undefined
  readonly customerKey?: CustomerKey | undefined
  readonly requesterPays?: boolean | undefined
  /** Called when an object is done with, in no order. */
  readonly onItem?: ((result: DownloadTreeItem) => void) | undefined
}

export interface DownloadTreeItem {
  readonly address: ObjectAddress
  /** `planned` is what a dry run would get. */
  readonly outcome: "done" | "skipped" | "planned" | "failed"
  /** Null if there can be no such file. */
  readonly target: string | null
  /** Plaintext; 0 of what was not got. */
  readonly bytes: number
  readonly storedBytes: number
  /** Of what was got. */
  readonly format?: ObjectFormat | undefined
  readonly error: S3epError | null
}

/** Counts of objects; `done` counts those a dry run would get. */
export interface DownloadTreeResult {
  readonly done: number
  readonly skipped: number
  readonly failed: readonly { readonly item: string; readonly error: S3epError }[]
  /** Plaintext that was got. */
  readonly bytes: number
}

/**
 * Get all objects below a prefix into a directory, several at once. What fails is collected and does not stop the
 * others; a key that ends in "/" stands for a directory, and what s3ep keeps for itself is left out. No name leads
 * out of the target directory.
 *
 * @throws {NotFoundError} if there is no such bucket; {InterruptedError} when interrupted; {LocalIoError} if the names
 * of files that were got could not be brought to the disk.
 */
export async function downloadTree(
  context: TransferContext,
  request: DownloadTreeRequest,
): Promise<DownloadTreeResult> {
  const { bucket } = request
  const prefix = request.prefix === "" || request.prefix.endsWith("/") ? request.prefix : `${request.prefix}/`
  const failed: { item: string; error: S3epError }[] = []
  let [done, skipped, bytes] = [0, 0, 0]
  const settle = (result: DownloadTreeItem): void => {
    if (result.error) failed.push({ item: objectUri(result.address), error: result.error })
    else if (result.outcome === "skipped") skipped++
    else done++
    bytes += result.bytes
    request.onItem?.(result)
  }
  const { requesterPays, concurrency } = request
  const { store, signal } = context
  const left = await LeftBehind.ofDownloads(context)
  await using files = new TemporaryFiles(context)
  const syncs = new DirectorySyncs()
  const named = (directory: string) => syncs.add(directory)
  const limit = new AdaptiveLimit(concurrency ?? OBJECTS_AT_FIRST, concurrency ?? OBJECTS_AT_MOST)
  const run: TreeRun = { left, files, named, limit, directories: new TreeDirectories(request.target, named) }
  try {
    await forEachConcurrent(
      wanted(withoutReserved(store.list(bucket, { prefix, requesterPays, signal })), prefix, request),
      limit,
      async (found, signal) => {
        const result = await getOne({ ...context, signal }, found, request, run)
        limit.finished(result?.bytes ?? 0)
        if (result?.outcome === "skipped" && result.target !== null && !request.dryRun)
          await left.forgetDownload(result.address, undefined, result.target)
        if (result) settle(result)
      },
      { signal },
    )
  } catch (error) {
    await syncs.flush().catch(() => undefined) // what has its name is there to stay
    throw error
  }
  await syncs.flush()
  return { done, skipped, failed, bytes }
}

interface TreeRun extends DownloadRun {
  readonly limit: AdaptiveLimit
  readonly directories: TreeDirectories
}

interface Found {
  readonly key: string
  /** Below the prefix. */
  readonly relative: string
  readonly storedBytes: number
}

async function* wanted(
  entries: AsyncIterable<ListedObject>,
  prefix: string,
  { include }: DownloadTreeRequest,
): AsyncGenerator<Found, void, undefined> {
  for await (const entry of entries) {
    const relative = entry.key.slice(prefix.length)
    if (entry.kind !== "object" || relative === "") continue
    if (!include || include(relative)) yield { key: entry.key, relative, storedBytes: entry.bytes }
  }
}

async function getOne(
  context: TransferContext,
  { key, relative, storedBytes }: Found,
  request: DownloadTreeRequest,
  run: TreeRun,
): Promise<DownloadTreeItem | null> {
  const { bucket, dryRun, existing = "replace", preserve, resume, customerKey, requesterPays } = request
  const address = { bucket, key }
  let target: string | null = null
  const about = () => ({ address, target, storedBytes, bytes: 0, error: null })
  try {
    if (relative.endsWith("/")) {
      const name = relative.slice(0, -1)
      await (dryRun ? safeTarget(request.target, name, { directory: true }) : run.directories.directory(name))
      return null
    }
    if (dryRun) {
      target = await safeTarget(request.target, relative)
      const kept = existing === "skip" && (await kindOf(target)) !== "nothing"
      return { ...about(), outcome: kept ? "skipped" : "planned" }
    }
    const { path, kind } = await run.directories.file(relative)
    target = join(request.target, relative)
    if (existing === "skip" && kind !== "nothing") return { ...about(), outcome: "skipped" }
    if (kind === "other") throw existsAlready(path)
    const wishes = { overwrite: existing === "replace", preserve, resume, customerKey, requesterPays }
    const item = objectUri(address)
    const windows = run.limit.current > OBJECTS_AT_FIRST ? 1 : WINDOWS_AT_ONCE
    const { bytes, format } = await downloadTo(
      context,
      { address, target, item, concurrency: windows, listedBytes: storedBytes, ...wishes },
      { path, exists: kind === "file" },
      run,
    )
    return { ...about(), outcome: "done", bytes, format }
  } catch (error) {
    // What was interrupted did not fail, and what is no error of ours is a bug.
    if (context.signal.aborted || error instanceof InterruptedError || !(error instanceof S3epError))
      throw error
    return { ...about(), outcome: "failed", error }
  }
}
