import { type Geometry, isGeometry, SALT_BYTES, SEAL_BYTES } from "../agcm/layout.ts"
import type { Envelope } from "../envelope/envelope.ts"
import type { Checksum, ChecksumChoice, Conditions } from "../store/store.ts"
import type { SourceIdentity } from "./source.ts"
import type { StoredSettings } from "./stored-settings.ts"

const MD5_BYTES = 16

/** Of the journals this version writes. */
export const JOURNAL_VERSION = 1

/** The first line of a journal: everything needed to go on. No secrets: the DEK is in the envelope, wrapped. */
export interface JournalHead {
  readonly v: typeof JOURNAL_VERSION
  readonly kind: "upload"
  readonly endpoint: string
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  readonly geometry: Geometry
  readonly plaintextBytes: number
  readonly source: SourceIdentity & { readonly path: string }
  readonly envelope: Envelope
  readonly settings: StoredSettings
  readonly conditions?: Conditions | undefined
  readonly checksum?: ChecksumChoice | undefined
  readonly requesterPays?: boolean | undefined
  /** When the request that made it was sent, ISO 8601. */
  readonly created: string
}

/** An attempt that is about to be sent. */
export interface AttemptLine {
  readonly attempt: number
  /** There if it is known not to be the first one at its part, whether or not this journal knows of that. */
  readonly again?: true | undefined
  /** 24 bytes, hexadecimal. */
  readonly salt: string
  /** Of the whole part, to tell it from the other attempts; not where the part is streamed. */
  readonly crc32?: number | undefined
  /** Likewise, hexadecimal: what most services make a part's ETag of, and some list nothing else. */
  readonly md5?: string | undefined
  /** The object's seal as this attempt at the last part carries it, hexadecimal. */
  readonly seal?: string | undefined
}

/** A part the store has taken. */
export interface PartLine {
  readonly part: number
  readonly salt: string
  /** Stored bytes, the seal included. */
  readonly bytes: number
  readonly etag: string
  readonly checksum?: Checksum | undefined
  readonly seal?: string | undefined
}

// Whether parsed lines of a journal have the members, of the kinds, that a writer gives them.

/** Everything but the envelope, which has a parser of its own, and whether the size fits the geometry. */
export function isHead(line: object): line is JournalHead {
  const head: { [member in keyof JournalHead]?: unknown } = line
  const { geometry, source, settings, conditions, checksum, requesterPays } = head
  return (
    head.v === JOURNAL_VERSION &&
    head.kind === "upload" &&
    [head.endpoint, head.bucket, head.key, head.uploadId, head.created].every(isText) &&
    Number.isSafeInteger(head.plaintextBytes) &&
    isObject(geometry) &&
    isCut(geometry) &&
    isObject(source) &&
    ["path", "dev", "ino", "size", "mtimeNs", "ctimeNs"].every((member) => isText(source[member])) &&
    isObject(settings) &&
    isObject(settings["metadata"]) &&
    isObject(head.envelope) &&
    (conditions === undefined || (isObject(conditions) && Object.values(conditions).every(isText))) &&
    (checksum === undefined || isText(checksum)) &&
    (requesterPays === undefined || typeof requesterPays === "boolean")
  )
}

/** @param segments - how many parts the upload has. */
export function isPart(line: object, segments: number): line is PartLine {
  const { part, bytes, etag, checksum }: { [member in keyof PartLine]?: unknown } = line
  const sound =
    checksum === undefined || (isObject(checksum) && isText(checksum["kind"]) && isText(checksum["value"]))
  return isPartNumber(part, segments) && isLength(bytes) && isText(etag) && sound && hasSalt(line)
}

/** @param segments - how many parts the upload has. */
export function isAttempt(line: object, segments: number): line is AttemptLine {
  const { attempt, again, crc32, md5 }: { [member in keyof AttemptLine]?: unknown } = line
  const digests = (crc32 === undefined || isU32(crc32)) && (md5 === undefined || isHex(md5, MD5_BYTES))
  return (
    isPartNumber(attempt, segments) && (again === undefined || again === true) && digests && hasSalt(line)
  )
}

function isCut({
  chunkBytes,
  chunksPerSegment,
}: {
  chunkBytes?: unknown
  chunksPerSegment?: unknown
}): boolean {
  return (
    typeof chunkBytes === "number" &&
    typeof chunksPerSegment === "number" &&
    isGeometry({ chunkBytes, chunksPerSegment })
  )
}

function hasSalt(line: { salt?: unknown; seal?: unknown }): boolean {
  return isHex(line.salt, SALT_BYTES) && (line.seal === undefined || isHex(line.seal, SEAL_BYTES))
}

function isPartNumber(value: unknown, segments: number): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= segments
}

function isLength(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isU32(value: unknown): boolean {
  return isLength(value) && Number(value) < 2 ** 32
}

function isHex(value: unknown, bytes: number): boolean {
  return typeof value === "string" && value.length === 2 * bytes && /^[0-9a-f]*$/i.test(value)
}

function isText(value: unknown): value is string {
  return typeof value === "string"
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
