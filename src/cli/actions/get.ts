import { stat } from "node:fs/promises"
import { resolve } from "node:path"
import { UsageError } from "../../errors.ts"
import { lstatIfAny } from "../../files/calls.ts"
import { localError } from "../../files/local-error.ts"
import { makeDirectories } from "../../files/make-directories.ts"
import type { ByteRange, ObjectAddress, ObjectInfo } from "../../store/store.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { downloadFile } from "../../transfer/download.ts"
import { downloadStream } from "../../transfer/download-stream.ts"
import type { ReadRequest } from "../../transfer/fetch.ts"
import { inspectObject, type ObjectFormat } from "../../transfer/inspect.ts"
import { LeftBehind } from "../../transfer/left-behind.ts"
import { objectUri } from "../../transfer/naming.ts"
import { existsAlready } from "../../transfer/replace.ts"
import { nameInDirectory } from "../../transfer/target.ts"
import { isPrefix, parseObject, parsePlace } from "../address.ts"
import { forEachItem } from "../batch.ts"
import { counting, deliverToFile } from "../deliver.ts"
import { readExpectation } from "../expectation.ts"
import { writeData } from "../output.ts"
import { parseRange, type WantedRange } from "../range.ts"
import type { Session } from "../session.ts"
import { type Fetched, fetched, type GetOptions, planned, skipped } from "./fetched.ts"
import { getTree } from "./get-tree.ts"

/** `get`. */
export async function get(session: Session, paths: readonly string[], options: GetOptions): Promise<void> {
  const dest = paths.at(-1)
  const sources = paths.slice(0, -1)
  if (dest === undefined || sources.length === 0) {
    throw new UsageError("get needs something to get and somewhere to put it", {
      hint: "s3ep get s3://BUCKET/KEY FILE, or - instead of FILE for standard output",
    })
  }
  const place = parsePlace(dest)
  if (place.kind === "object") {
    throw new UsageError(`get writes files, and ${dest} is not one`, { hint: "to upload, use `s3ep put`" })
  }
  const range = options.range === undefined ? undefined : parseRange(options.range)
  const tree = options.recursive || sources.some((source) => isTree(source))
  const expect = readExpectation(options, !tree && sources.length === 1)
  if (tree) {
    if (place.kind === "stdio") throw new UsageError("a tree cannot go to standard output")
    if (range || options.versionId !== undefined) {
      throw new UsageError("--range and --version-id are for one object, not for a tree")
    }
    return getTree(session, sources, place.path, options)
  }
  const addresses = sources.map(parseObject)
  const reading = { ...options, expect }
  if (place.kind === "stdio") return toStdout(session, addresses, range, reading)
  if (addresses.length > 1 && (range || options.versionId !== undefined)) {
    throw new UsageError("--range and --version-id are for one object", { hint: "get that object alone" })
  }
  return toFiles(session, addresses, place.path, range, reading)
}

function isTree(source: string): boolean {
  const place = parsePlace(source)
  return place.kind === "object" && isPrefix(place.address)
}

async function toFiles(
  session: Session,
  addresses: readonly ObjectAddress[],
  dest: string,
  range: WantedRange | undefined,
  options: GetOptions,
): Promise<void> {
  const given = resolve(session.io.cwd, dest)
  const into = dest.endsWith("/") || addresses.length > 1 || (await isDirectory(given))
  if (into && !options.dryRun) await makeDirectory(given)
  const context = await session.transfer(options.dryRun ? "none" : "read", [], options)
  const common = await readOptions(session, options)
  await forEachItem(session, "object", addresses, objectUri, async (address) => {
    const uri = objectUri(address)
    const target = into ? nameInDirectory(given, address.key) : given
    const existing = (await lstatIfAny(target)) !== null
    if (into && (await isDirectory(target))) throw existsAlready(target) // or it would go into that
    if (options.skipExisting && existing) {
      if (!options.dryRun) {
        await (await LeftBehind.ofDownloads(context)).forgetDownload(address, options.versionId, target)
      }
      return skipped(session, uri, target)
    }
    if (options.dryRun) {
      if (existing && !options.clobber) throw existsAlready(target)
      const { bytes: storedBytes } = await context.store.head(address, { ...common, signal: session.signal })
      return planned(session, { uri, target, storedBytes, replaces: existing })
    }
    const result = range
      ? await rangeToFile(context, { ...common, address }, range, target, options.clobber)
      : await downloadFile(context, {
          ...common,
          address,
          target,
          concurrency: session.settings.concurrency,
          overwrite: options.clobber,
          preserve: options.preserve,
        })
    fetched(session, { uri, ...result })
  })
}

async function rangeToFile(
  context: TransferContext,
  request: ReadRequest,
  wanted: WantedRange,
  target: string,
  overwrite: boolean,
): Promise<Fetched> {
  let opened: { readonly info: ObjectInfo; readonly format: ObjectFormat } | undefined
  const { pieces, bytes } = counting(
    downloadStream(context, {
      ...request,
      range: await rangeOf(context, request, wanted),
      onOpen: (object) => {
        opened = object
      },
    }),
  )
  const written = await deliverToFile(context, pieces, target, overwrite)
  const { etag, versionId } = opened?.info ?? { etag: "" }
  return { target: written, bytes: bytes(), etag, versionId, format: opened?.format }
}

async function toStdout(
  session: Session,
  [address, ...others]: readonly ObjectAddress[],
  wanted: WantedRange | undefined,
  options: GetOptions,
): Promise<void> {
  const { io, output } = session
  if (address === undefined || others.length > 0) {
    throw new UsageError("standard output takes one object", { hint: "get the others into a directory" })
  }
  const context = await session.transfer(options.dryRun ? "none" : "read", [], options)
  const request = { ...(await readOptions(session, options)), address }
  const uri = objectUri(address)
  session.interruptionHint = "run the same command again: what went to standard output is not kept"
  if (options.dryRun) {
    const { bytes: storedBytes } = await context.store.head(address, { ...request, signal: session.signal })
    return planned(session, { uri, target: "-", storedBytes, replaces: false })
  }
  output.reserveStdout()
  const range = wanted && (await rangeOf(context, request, wanted))
  const { concurrency } = session.settings
  let format: ObjectFormat | undefined
  const onOpen = (object: { readonly format: ObjectFormat }) => {
    format = object.format
  }
  const { pieces, bytes } = counting(downloadStream(context, { ...request, range, concurrency, onOpen }))
  await writeData(io.stdout, pieces, session.signal)
  if (output.json) fetched(session, { uri, target: "-", bytes: bytes(), format })
}

// The last bytes are counted from the end, which the object is asked for; the stream then proves that it is one.
async function rangeOf(
  context: TransferContext,
  { address, ...options }: ReadRequest,
  wanted: WantedRange,
): Promise<ByteRange> {
  if (!("last" in wanted)) return wanted
  const { plaintextBytes } = await inspectObject(context, address, options)
  if (plaintextBytes === null) {
    throw new UsageError(`how long ${objectUri(address)} is, only reading all of it tells`, {
      hint: "count the range from its beginning: --range FIRST-LAST",
    })
  }
  return { start: Math.max(0, plaintextBytes - wanted.last) }
}

async function readOptions(
  session: Session,
  { versionId }: GetOptions,
): Promise<Omit<ReadRequest, "address">> {
  const { requesterPays } = session.settings
  return { versionId, requesterPays, customerKey: await session.customerKey() }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await makeDirectories(path)
  } catch (error) {
    throw localError("write", path, error)
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
