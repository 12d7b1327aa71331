import { readFile } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { type Geometry, isGeometry, layoutOfPlaintext, SALT_BYTES, SEAL_BYTES } from "../agcm/layout.ts"
import { fromHex, utf8 } from "../bytes.ts"
import { parseEnvelope } from "../envelope/codec.ts"
import type { Envelope } from "../envelope/envelope.ts"
import { IntegrityError, UsageError } from "../errors.ts"
import type { Checksum, ChecksumChoice, Conditions } from "../store/store.ts"
import { errnoOf, localError } from "./local-error.ts"
import type { SourceIdentity } from "./source.ts"
import type { StoredSettings } from "./stored-settings.ts"

const VERSION = 1

/** The first line of a journal: everything needed to go on. No secrets: the DEK is in the envelope, wrapped. */
export interface JournalHead {
  readonly v: typeof VERSION
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

/** An attempt that is about to be sent; the CRC-32 is missing where the part is streamed, and in the first run. */
export interface AttemptLine {
  readonly attempt: number
  /** 24 bytes, hexadecimal. */
  readonly salt: string
  /** Of the whole part. */
  readonly crc32?: number | undefined
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

/** A journal as an earlier run left it. */
export interface LoadedJournal {
  readonly state: "whole"
  readonly head: JournalHead
  /** The last line of each part. */
  readonly parts: ReadonlyMap<number, PartLine>
  readonly attempts: ReadonlyMap<number, readonly AttemptLine[]>
  /** Whether more than one run wrote it: the first one's unsynced lines may be missing then. */
  readonly resumed: boolean
  /** Whether Complete was asked for, or was about to be. */
  readonly completing: boolean
  /** Of its whole lines. */
  readonly bytes: number
}

/** A journal that cannot be gone on with. */
export interface DamagedJournal {
  readonly state: "damaged"
  readonly why: string
  /** If its first line is whole. */
  readonly head: JournalHead | null
}

/**
 * A line ends in a check of itself: a changed salt would make an object nobody can open, and a changed line is
 * told from a torn one.
 */
export function encodeLine(line: object): string {
  const body = JSON.stringify(line).slice(0, -1)
  return `${body},"check":"${check(body)}"}\n`
}

/**
 * Read a journal. What follows the last line's end is a write that never finished, and is left out.
 *
 * @returns null if there is none.
 * @throws {UsageError} if a newer s3ep wrote it: it is left alone.
 * @throws {LocalIoError} if it cannot be read.
 */
export async function loadJournal(path: string): Promise<LoadedJournal | DamagedJournal | null> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null
    throw localError("read", path, error)
  }
  const bytes = content.lastIndexOf(0x0a) + 1
  const whole = content.subarray(0, bytes).toString("utf8")
  const [first, ...rest] = whole === "" ? [] : whole.slice(0, -1).split("\n")
  const head = first === undefined ? null : parseHead(first, path)
  if (!head) return { state: "damaged", why: "its first line is not whole", head: null }
  const parts = new Map<number, PartLine>()
  const attempts = new Map<number, AttemptLine[]>()
  let resumed = false
  let completing = false
  for (const [index, text] of rest.entries()) {
    const line = decodeLine(text)
    if (line && isPart(line)) parts.set(line.part, line)
    else if (line && isAttempt(line))
      attempts.set(line.attempt, [...(attempts.get(line.attempt) ?? []), line])
    else if (line && "resumed" in line) resumed = true
    else if (line && "completing" in line) completing = true
    else return { state: "damaged", why: `its line ${index + 2} is not as it was written`, head }
  }
  return { state: "whole", head, parts, attempts, resumed, completing, bytes }
}

function parseHead(text: string, path: string): JournalHead | null {
  const line = decodeLine(text)
  if (!line) return null
  if ("v" in line && typeof line.v === "number" && line.v > VERSION) {
    throw new UsageError(`${path} was written by a newer s3ep`, {
      hint: "upgrade s3ep, or remove the upload with the s3ep that began it",
    })
  }
  // The check says that a version 1 wrote this line; what is looked at here is what a flipped bit cannot explain.
  const head = line as JournalHead
  if (head.v !== VERSION || head.kind !== "upload" || !isGeometry(head.geometry)) return null
  try {
    layoutOfPlaintext(head.plaintextBytes, head.geometry)
    return { ...head, envelope: parseEnvelope(utf8(JSON.stringify(head.envelope))) }
  } catch (error) {
    if (error instanceof RangeError || error instanceof IntegrityError) return null
    throw error
  }
}

/** @returns what `encodeLine` was given; null if the line is not as it was written. */
export function decodeLine(text: string): object | null {
  const match = /^(\{.*),"check":"([0-9a-f]{8})"\}$/.exec(text)
  const body = match?.[1]
  if (body === undefined || check(body) !== match?.[2]) return null
  try {
    const line: unknown = JSON.parse(`${body}}`)
    return typeof line === "object" ? line : null
  } catch {
    return null
  }
}

function isPart(line: object): line is PartLine {
  return "part" in line && typeof line.part === "number" && hasSalt(line)
}

function isAttempt(line: object): line is AttemptLine {
  return "attempt" in line && typeof line.attempt === "number" && hasSalt(line)
}

function hasSalt(line: object): boolean {
  const salt = "salt" in line && typeof line.salt === "string" ? fromHex(line.salt) : null
  const seal = !("seal" in line) || (typeof line.seal === "string" && line.seal.length === 2 * SEAL_BYTES)
  return salt?.length === SALT_BYTES && seal
}

function check(body: string): string {
  return crc32(body).toString(16).padStart(8, "0")
}
