import { ListObjectVersionsCommand, type ListObjectVersionsCommandOutput } from "@aws-sdk/client-s3"
import { callInput } from "./s3-inputs.ts"
import { etagOf } from "./s3-outputs.ts"
import { keyDecoder, Pages } from "./s3-pages.ts"
import type { S3Session, Sending } from "./s3-session.ts"
import type { CallOptions, ListedVersion } from "./store.ts"

export async function* listVersions(
  session: S3Session,
  bucket: string,
  options: { prefix?: string } & CallOptions = {},
): AsyncGenerator<ListedVersion> {
  const action = `list the versions in s3://${bucket}/${options.prefix ?? ""}`
  const sending: Sending = { action, bucket, about: "bucket", signal: options.signal }
  const pages = new Pages(action)
  let markers: { KeyMarker?: string; VersionIdMarker?: string } = {}
  for (let more = true; more; ) {
    const page = await session.run(sending, (client, http) =>
      client.send(
        new ListObjectVersionsCommand({
          Bucket: bucket,
          ...callInput(options),
          EncodingType: "url",
          ...(options.prefix !== undefined && { Prefix: options.prefix }),
          ...markers,
        }),
        http,
      ),
    )
    const key = keyDecoder(page.EncodingType, action)
    const { NextKeyMarker, NextVersionIdMarker } = page
    const asked = markers.KeyMarker && [markers.KeyMarker, markers.VersionIdMarker].join("\0")
    const next = page.IsTruncated && NextKeyMarker && [key(NextKeyMarker), NextVersionIdMarker].join("\0")
    pages.turn([page.Name, page.IsTruncated], asked, next)
    for (const version of versionsOf(page, key)) {
      pages.key(version.key, options.prefix)
      pages.progress() // one key may have pages of them
      yield version
    }
    markers = {
      ...(NextKeyMarker !== undefined && { KeyMarker: key(NextKeyMarker) }),
      ...(NextVersionIdMarker !== undefined && { VersionIdMarker: NextVersionIdMarker }),
    }
    more = (page.IsTruncated ?? false) && NextKeyMarker !== undefined
  }
}

/** A page's versions and markers come in two lists, each in order; of one key, times tell which is newer. */
function versionsOf(
  page: ListObjectVersionsCommandOutput,
  key: (key: string | undefined) => string,
): ListedVersion[] {
  const versions = (page.Versions ?? []).map((one) => ({
    kind: "version" as const,
    key: key(one.Key),
    versionId: one.VersionId || "null",
    isLatest: one.IsLatest ?? false,
    bytes: one.Size ?? 0,
    etag: etagOf(one.ETag),
    lastModified: one.LastModified,
    storageClass: one.StorageClass,
  }))
  const markers = (page.DeleteMarkers ?? []).map((one) => ({
    kind: "marker" as const,
    key: key(one.Key),
    versionId: one.VersionId || "null",
    isLatest: one.IsLatest ?? false,
    bytes: 0,
    etag: "",
    lastModified: one.LastModified,
    storageClass: undefined,
  }))
  if (markers.length === 0) return versions
  const age = ({ isLatest, lastModified }: ListedVersion) =>
    isLatest ? Number.POSITIVE_INFINITY : (lastModified?.getTime() ?? 0)
  return [...versions, ...markers].sort(
    (a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || age(b) - age(a) || 0,
  )
}
