import { NotPlainError, PlainXml } from "./s3-plain-xml.ts"

/** A page of a listing in the SDK's words: those that have a use here. */
export interface ListingOutput {
  readonly Name?: string | undefined
  /** "url" if keys and prefixes are encoded. */
  readonly EncodingType?: string | undefined
  readonly KeyCount?: number | undefined
  readonly IsTruncated?: boolean | undefined
  readonly NextContinuationToken?: string | undefined
  readonly Contents?: readonly ListingEntry[] | undefined
  readonly CommonPrefixes?: readonly { readonly Prefix?: string | undefined }[] | undefined
}

export interface ListingEntry {
  readonly Key?: string | undefined
  readonly LastModified?: Date | undefined
  /** In quotation marks, mostly. */
  readonly ETag?: string | undefined
  /** Bytes. */
  readonly Size?: number | undefined
  readonly StorageClass?: string | undefined
}

/** Members that hold text and are there once. */
const PAGE = new Set([
  "Name",
  "Prefix",
  "Delimiter",
  "StartAfter",
  "ContinuationToken",
  "NextContinuationToken",
  "KeyCount",
  "MaxKeys",
  "IsTruncated",
  "EncodingType",
])
const ENTRY = new Set(["Key", "LastModified", "ETag", "Size", "StorageClass", "ChecksumType"])
const COMMON_PREFIX = new Set(["Prefix"])

const COUNT = /^\d{1,15}$/
const TIME = /^\d{4}-\d\d-(\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/

/**
 * Read a page of a listing as S3 writes it.
 *
 * @param document - without a mark of its byte order in front.
 * @returns null if anything in it is not as plain as that: then it is for a real parser of XML.
 * @see ListObjectsV2 in the S3 API reference
 */
export function parseListing(document: string): ListingOutput | null {
  try {
    return readPage(new PlainXml(document))
  } catch (error) {
    if (error instanceof NotPlainError) return null
    throw error
  }
}

function readPage(xml: PlainXml): ListingOutput {
  const Contents: ListingEntry[] = []
  const CommonPrefixes: { Prefix: string }[] = []
  const page = new Map<string, string>()
  xml.root("ListBucketResult", (name) => {
    if (name === "Contents") Contents.push(readEntry(xml))
    else if (name === "CommonPrefixes") CommonPrefixes.push({ Prefix: readPrefix(xml) })
    else readMember(xml, name, PAGE, page)
  })
  count(page.get("MaxKeys"))
  return {
    Name: page.get("Name"),
    EncodingType: page.get("EncodingType"),
    KeyCount: count(page.get("KeyCount")),
    IsTruncated: flag(page.get("IsTruncated")),
    NextContinuationToken: page.get("NextContinuationToken"),
    Contents,
    CommonPrefixes,
  }
}

function readEntry(xml: PlainXml): ListingEntry {
  const entry = new Map<string, string>()
  xml.children("Contents", (name) => readMember(xml, name, ENTRY, entry))
  return {
    Key: needed(entry.get("Key")),
    LastModified: time(entry.get("LastModified")),
    ETag: entry.get("ETag"),
    Size: count(entry.get("Size")),
    StorageClass: entry.get("StorageClass"),
  }
}

function readPrefix(xml: PlainXml): string {
  const prefix = new Map<string, string>()
  xml.children("CommonPrefixes", (name) => readMember(xml, name, COMMON_PREFIX, prefix))
  return needed(prefix.get("Prefix"))
}

/** Others than the known members are left out. */
function readMember(
  xml: PlainXml,
  name: string,
  known: ReadonlySet<string>,
  members: Map<string, string>,
): void {
  if (!known.has(name)) {
    xml.skip(name)
    return
  }
  if (members.has(name)) throw new NotPlainError()
  members.set(name, xml.text(name))
}

function needed(value: string | undefined): string {
  if (value === undefined) throw new NotPlainError()
  return value
}

function count(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!COUNT.test(value)) throw new NotPlainError()
  return Number(value)
}

function flag(value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined
  if (value !== "true" && value !== "false") throw new NotPlainError()
  return value === "true"
}

function time(value: string | undefined): Date | undefined {
  if (value === undefined) return undefined
  const day = TIME.exec(value)?.[1]
  const at = new Date(value)
  // There is no February 30, for which the engine takes March 2; for other nonsense it takes no time at all.
  if (day === undefined || at.getUTCDate() !== Number(day)) throw new NotPlainError()
  return at
}
