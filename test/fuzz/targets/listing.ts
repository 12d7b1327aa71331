import { isDeepStrictEqual } from "node:util"
import { parseListing } from "../../../src/store/s3-listing-document.ts"
import { listedBySdk, usedOf } from "../sdk-listing.ts"
import { textOf } from "../support.ts"

/** The page of a listing: left to the SDK, or read as the SDK reads it. */
export async function fuzz(data: Uint8Array): Promise<void> {
  const document = textOf(data)
  const page = parseListing(document)
  if (Object.keys(Object.prototype).length > 0) throw new Error("a prototype was changed")
  if (page === null) return
  const bySdk = await listedBySdk(document).catch(() => null) // it looks into members that are skipped here
  if (bySdk === null || isDeepStrictEqual(usedOf(page), usedOf(bySdk))) return
  throw new Error(`read as ${JSON.stringify(usedOf(page))}, by the SDK as ${JSON.stringify(usedOf(bySdk))}`)
}
