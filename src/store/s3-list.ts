import { callInput } from "./s3-inputs.ts"
import type { ListingOutput } from "./s3-listing-document.ts"
import { etagOf } from "./s3-outputs.ts"
import { keyDecoder, lengthOf, Pages } from "./s3-pages.ts"
import type { S3Session, Sending } from "./s3-session.ts"
import type { ListedObject, ListOptions } from "./store.ts"

export async function* listObjects(
  session: S3Session,
  bucket: string,
  options: ListOptions = {},
): AsyncGenerator<ListedObject> {
  const action = `list s3://${bucket}/${options.prefix ?? ""}`
  const sending: Sending = { action, bucket, about: "bucket", signal: options.signal }
  const pages = new Pages(action)
  for (let token: string | undefined, more = true; more; ) {
    const page = await session.list(sending, {
      Bucket: bucket,
      ...callInput(options),
      // Keys may hold what XML cannot.
      EncodingType: "url",
      ...(options.prefix !== undefined && { Prefix: options.prefix }),
      ...(options.delimiter && { Delimiter: options.delimiter }),
      ...(options.startAfter !== undefined && { StartAfter: options.startAfter }),
      ...(token !== undefined && { ContinuationToken: token }),
    })
    pages.turn(
      [page.Name, page.KeyCount, page.IsTruncated],
      token,
      page.IsTruncated && page.NextContinuationToken,
    )
    for (const entry of entriesOf(page, action)) {
      if (!pages.key(entry.key, options.prefix)) continue // a common prefix that two pages have
      yield entry
    }
    token = page.NextContinuationToken
    more = (page.IsTruncated ?? false) && token !== undefined
  }
}

/** A page's objects and prefixes come in two lists; together they are in order. */
function entriesOf(page: ListingOutput, action: string): ListedObject[] {
  const key = keyDecoder(page.EncodingType, action)
  const objects = (page.Contents ?? []).map(
    (one): ListedObject => ({
      kind: "object",
      key: key(one.Key),
      bytes: lengthOf(one.Size, action),
      etag: etagOf(one.ETag),
      lastModified: one.LastModified,
      storageClass: one.StorageClass,
    }),
  )
  const prefixes = (page.CommonPrefixes ?? []).map(
    (one): ListedObject => ({ kind: "prefix", key: key(one.Prefix) }),
  )
  if (prefixes.length === 0) return objects
  return [...objects, ...prefixes].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
}
