import { stat } from "node:fs/promises"
import { basename, resolve } from "node:path"
import { parseSize } from "../../config/size.ts"
import { UsageError } from "../../errors.ts"
import type { ObjectAddress } from "../../store/store.ts"
import { objectUri } from "../../transfer/naming.ts"
import { runProducer } from "../../transfer/producer.ts"
import { uploadStream } from "../../transfer/upload-stream.ts"
import { checkKey, isPrefix, parseAddress, parsePlace } from "../address.ts"
import { standardInput } from "../input.ts"
import type { Session } from "../session.ts"
import { readWriteOptions } from "../write-options.ts"
import { putFiles } from "./put-files.ts"
import { type PutItem, type PutOptions, refuseExisting } from "./put-plan.ts"
import { proxyUploads } from "./put-proxy.ts"
import { plannedStore, stored } from "./stored.ts"

/** `put`. */
export async function put(session: Session, paths: readonly string[], options: PutOptions): Promise<void> {
  if (options.fromCommand) return putProducer(session, paths, options)
  if (options.expectedSize !== undefined && !paths.includes("-")) {
    throw new UsageError("--expected-size is for standard input; the size of a file is known")
  }
  const dest = paths.at(-1)
  const sources = paths.slice(0, -1)
  if (dest === undefined || sources.length === 0) {
    throw new UsageError("put needs something to put and somewhere to put it", {
      hint: "s3ep put FILE s3://BUCKET/KEY, or - instead of FILE for standard input",
    })
  }
  const address = parseAddress(dest)
  if (!sources.includes("-"))
    return putFiles(session, await itemsOf(session, sources, address, options), options)
  if (sources.length > 1) throw new UsageError("standard input (-) is put alone, to one object")
  const { io, signal } = session
  await putStream(session, "-", address, options, () => standardInput(io.stdin, signal))
}

async function putProducer(session: Session, [dest, ...command]: readonly string[], options: PutOptions) {
  if (dest === undefined || command.length === 0) {
    throw new UsageError("--from-command needs a destination before it and a command after it", {
      hint: "s3ep put s3://BUCKET/KEY --from-command COMMAND ARGUMENT…",
    })
  }
  const { signal } = session
  const source = command.join(" ")
  await putStream(session, source, parseAddress(dest), options, () => runProducer(command, { signal }))
}

async function putStream(
  session: Session,
  source: string,
  address: ObjectAddress,
  options: PutOptions,
  open: () => AsyncIterable<Uint8Array>,
): Promise<void> {
  if (isPrefix(address)) {
    throw new UsageError(`${objectUri(address)} is a prefix: what comes from a pipe has no name of its own`, {
      hint: `name the object: ${objectUri(address)}NAME`,
    })
  }
  if (options.recursive) throw new UsageError("-r is for directories")
  const expectedBytes = options.expectedSize === undefined ? undefined : parseSize(options.expectedSize)
  session.interruptionHint =
    "run the same command again: what comes from a pipe cannot be gone on with, and nothing of it was kept"
  const wishes = await readWriteOptions(session, options)
  if (options.dryRun) {
    await refuseExisting(await session.transfer("none"), address, options, wishes)
    return plannedStore(session, { source, uri: objectUri(address), bytes: expectedBytes ?? null })
  }
  const proxy = await proxyUploads(session, options)
  const context = proxy ? await session.transfer("none") : await session.transfer("write", [address])
  const upload = proxy?.ofStream ?? uploadStream
  const result = await upload(context, {
    ...wishes,
    address,
    source: open(),
    ownMemory: true,
    item: source,
    expectedBytes,
  })
  stored(session, source, result)
}

async function itemsOf(
  { io }: Session,
  sources: readonly string[],
  { bucket, key }: ObjectAddress,
  { recursive }: PutOptions,
): Promise<PutItem[]> {
  const several = sources.length > 1
  const prefix = key === "" || key.endsWith("/") ? key : `${key}/`
  const items: PutItem[] = []
  for (const source of sources) {
    const place = parsePlace(source)
    if (place.kind !== "path") {
      throw new UsageError(`put takes files, and ${source} is not one`, {
        hint: "to download, use `s3ep get`",
      })
    }
    const path = resolve(io.cwd, place.path)
    if (!(await isDirectory(path))) {
      const name = several || isPrefix({ bucket, key }) ? `${prefix}${basename(path)}` : key
      items.push({ source, path, kind: "file", address: checked({ bucket, key: name }) })
    } else if (recursive) {
      const below = several ? `${prefix}${basename(path)}/` : prefix
      items.push({ source, path, kind: "tree", address: checked({ bucket, key: below }) })
    } else {
      throw new UsageError(`${source} is a directory`, { hint: "add -r to store what is in it" })
    }
  }
  return items
}

function checked(address: ObjectAddress): ObjectAddress {
  checkKey(address.key)
  return address
}

// What cannot be looked at fails when its turn comes, like what cannot be read.
async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
