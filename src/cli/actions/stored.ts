import { objectUri } from "../../transfer/naming.ts"
import type { UploadResult } from "../../transfer/upload-request.ts"
import type { Session } from "../session.ts"
import { counted, formatBytes } from "../text.ts"

/** An object that was stored. @param source - as the user wrote it; `-` is standard input. */
export function stored({ output }: Session, source: string, result: UploadResult): void {
  const { address, bytes, storedBytes, etag, versionId = null, parts, resumedParts, kek } = result
  const uri = objectUri(address)
  const line = { type: "stored", source, uri, bytes, storedBytes, etag, versionId, parts, resumedParts, kek }
  output.report(line, ({ source, uri, bytes, parts, resumedParts }) => {
    const resumed = resumedParts === 0 ? "" : `, ${resumedParts} of them sent by an earlier run`
    const how = parts > 1 || resumedParts > 0 ? `, ${counted(parts, "part")}${resumed}` : ""
    return `stored ${source} as ${uri} (${formatBytes(bytes)}${how})`
  })
  output.count("stored", 1)
  output.count("bytes", bytes)
  output.count("storedBytes", storedBytes)
}

/** A file that was left alone. */
export function leftAlone({ output }: Session, source: string, uri: string, reason: string): void {
  output.report(
    { type: "skipped", source, uri, reason },
    ({ source, reason }) => `skipped ${source}: ${reason}`,
  )
  output.count("skipped", 1)
}

/** What a dry run would store. */
export function plannedStore(
  { output }: Session,
  plan: { readonly source: string; readonly uri: string; readonly bytes: number | null },
): void {
  output.report({ type: "planned", action: "store", ...plan }, ({ source, uri, bytes }) => {
    const size = bytes === null ? "" : ` (${formatBytes(bytes)})`
    return `would store ${source}${size} as ${uri}`
  })
  output.count("planned", 1)
  if (plan.bytes !== null) output.count("bytes", plan.bytes)
}
