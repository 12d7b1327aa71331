import { type Inspection, inspectObject } from "../../transfer/inspect.ts"
import { objectUri } from "../../transfer/naming.ts"
import { parseObject } from "../address.ts"
import { forEachItem } from "../batch.ts"
import type { Session } from "../session.ts"
import { formatBytes } from "../text.ts"

export interface DescribeOptions {
  readonly versionId?: string
}

/** `stat`. */
export async function describe(
  session: Session,
  targets: readonly string[],
  { versionId }: DescribeOptions,
): Promise<void> {
  const addresses = targets.map(parseObject)
  const context = await session.transfer("read")
  const { requesterPays } = session.settings
  const customerKey = await session.customerKey()
  await forEachItem(session, "object", addresses, objectUri, async (address) => {
    const found = await inspectObject(context, address, { versionId, requesterPays, customerKey })
    session.output.answer(objectLine(found), describeLine)
    session.output.count("objects", 1)
  })
}

function objectLine(found: Inspection) {
  const { address, info, format, plaintextBytes, recipients, private: sealed, kek, metadata } = found
  const { retention } = info
  const native = found.kind === "native" ? found : null
  return {
    type: "object" as const,
    uri: objectUri(address),
    format: format.id,
    formatTitle: format.title,
    verdict: format.verdict,
    findings: format.findings.map(({ code, message }) => ({ code, message })),
    bytes: plaintextBytes,
    storedBytes: info.bytes,
    chunkBytes: native?.layout.chunkBytes ?? null,
    segments: native?.layout.segments ?? null,
    bind: native?.envelope.bind ?? null,
    recipients: recipients.map(({ kek, alg }) => ({ kek, alg })),
    openedWith: kek,
    original: sealed,
    etag: info.etag,
    versionId: info.versionId ?? null,
    lastModified: info.lastModified?.toISOString() ?? null,
    contentType: info.contentType ?? null,
    storageClass: info.storageClass ?? null,
    serverSideEncryption: info.serverSideEncryption ?? null,
    retention: retention ? { mode: retention.mode, until: retention.until?.toISOString() ?? null } : null,
    legalHold: info.legalHold,
    metadata,
  }
}

function describeLine(line: ReturnType<typeof objectLine>): string {
  const { original, openedWith, retention } = line
  const exact = (bytes: number) =>
    bytes < 1024 ? formatBytes(bytes) : `${formatBytes(bytes)} (${bytes} bytes)`
  const facts: [string, string | null | undefined][] = [
    ["size", line.bytes === null ? "not known before it is read" : exact(line.bytes)],
    ["stored", `${exact(line.storedBytes)}${inSegments(line.segments)}`],
    [
      "format",
      `${line.formatTitle}${line.chunkBytes === null ? "" : `, chunks of ${formatBytes(line.chunkBytes)}`}`,
    ],
    ["strength", line.verdict === "sound" ? null : line.verdict],
    ...line.findings.map(({ message }): [string, string] => ["note", message]),
    ...line.recipients.map(({ kek, alg }): [string, string] => ["recipient", `${kek} (${alg})`]),
    ["opened with", openedWith === null ? "no key at hand" : `${openedWith.name} (${openedWith.id})`],
    ["name", original?.name],
    ["modified", original?.mtime],
    ["mode", original?.mode?.toString(8).padStart(4, "0")],
    ["type", original?.type],
    ["written", line.lastModified],
    ["etag", line.etag],
    ["version", line.versionId],
    ["content type", line.contentType],
    ["class", line.storageClass],
    ["server side", line.serverSideEncryption],
    ["retention", retention && `${retention.mode} until ${retention.until ?? "an unknown time"}`],
    ["legal hold", line.legalHold ? "yes" : null],
    ...Object.entries(line.metadata).map(([name, value]): [string, string] => [
      "metadata",
      `${name}=${value}`,
    ]),
  ]
  const lines = facts.flatMap(([name, value]) => (value ? [`  ${`${name}:`.padEnd(13)} ${value}`] : []))
  return [line.uri, ...lines].join("\n")
}

/** User metadata without the envelope. */
function inSegments(segments: number | null): string {
  if (segments === null) return ""
  return segments === 1 ? ", in one segment" : `, in ${segments} segments`
}
