import { type Listed, listObjects } from "../../transfer/list.ts"
import { objectUri } from "../../transfer/naming.ts"
import { parseAddress } from "../address.ts"
import { Batch } from "../batch.ts"
import type { Session } from "../session.ts"
import { formatBytes } from "../text.ts"

export interface ListOptions {
  readonly recursive?: boolean
  readonly storedSizes?: boolean
}

const SIZE_COLUMNS = 10

/** `ls`. */
export async function list(
  session: Session,
  targets: readonly string[],
  options: ListOptions,
): Promise<void> {
  const addresses = targets.map(parseAddress)
  const context = await session.transfer("none")
  const { concurrency, requesterPays } = session.settings
  const batch = new Batch(session, "object")
  const customerKey = await session.customerKey()
  for (const { bucket, key } of addresses) {
    const request = {
      recursive: options.recursive,
      plaintextSizes: !options.storedSizes,
      concurrency,
      requesterPays,
      customerKey,
    }
    for await (const entry of listObjects(context, bucket, key, request)) {
      print(session, bucket, entry, options)
      batch.succeeded()
      if (entry.kind === "object" && entry.problem) {
        session.output.notice(
          `cannot tell the size of ${objectUri({ bucket, key: entry.key })}: ${entry.problem.message}`,
        )
      }
    }
  }
  batch.finish()
}

function print({ output }: Session, bucket: string, entry: Listed, { storedSizes }: ListOptions): void {
  const uri = objectUri({ bucket, key: entry.key })
  if (entry.kind === "prefix") {
    output.count("prefixes", 1)
    output.answer({ type: "prefix", uri, key: entry.key }, (line) => row("", "", line.uri))
    return
  }
  const { key, bytes, storedBytes, encrypted, format, lastModified, storageClass, etag } = entry
  output.count("objects", 1)
  output.count("storedBytes", storedBytes)
  if (bytes !== null) output.count("bytes", bytes)
  const line = {
    type: "object",
    uri,
    key,
    bytes,
    storedBytes,
    encrypted,
    format,
    lastModified: lastModified?.toISOString() ?? null,
    storageClass: storageClass ?? null,
    etag,
  }
  output.answer(line, ({ uri }) => {
    const size = storedSizes ? storedBytes : bytes
    const unknown = encrypted === false ? "not s3ep" : "?"
    const foreign = format === null || format === "agcm2" ? "" : `  (${format})`
    const time = lastModified ? localTime(lastModified) : ""
    return row(time, size === null ? unknown : formatBytes(size), `${uri}${foreign}`)
  })
}

function row(time: string, size: string, uri: string): string {
  return `${time.padEnd("2026-03-01 12:00:00".length)}  ${size.padStart(SIZE_COLUMNS)}  ${uri}`
}

/** As `aws s3 ls` has it: the time of this machine, without its zone. */
function localTime(date: Date): string {
  const pad = (value: number) => String(value).padStart(2, "0")
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
}
