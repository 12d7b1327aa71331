import { readFile } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { layoutOfPlaintext } from "../agcm/layout.ts"
import { utf8 } from "../bytes.ts"
import { parseEnvelope } from "../envelope/codec.ts"
import { IntegrityError, UsageError } from "../errors.ts"
import {
  type AttemptLine,
  isAttempt,
  isHead,
  isPart,
  JOURNAL_VERSION,
  type JournalHead,
  type PartLine,
} from "./journal-shapes.ts"

export type { AttemptLine, JournalHead, PartLine } from "./journal-shapes.ts"

import { lstatIfAny } from "../files/calls.ts"
import { errnoOf, localError } from "../files/local-error.ts"

/** A journal as an earlier run left it. */
export interface LoadedJournal {
  readonly state: "whole"
  readonly head: JournalHead
  /** The last line of each part. */
  readonly parts: ReadonlyMap<number, PartLine>
  readonly attempts: ReadonlyMap<number, readonly AttemptLine[]>
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
    if (!(await lstatIfAny(path))) return null // asked for every file of a tree, most of which have none
    content = await readFile(path)
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null
    throw localError("read", path, error)
  }
  return parseJournal(content, path)
}

/**
 * Read the content of a journal, which may have been cut anywhere.
 *
 * @param path - for the message.
 * @throws {UsageError} if a newer s3ep wrote it.
 */
export function parseJournal(content: Uint8Array, path: string): LoadedJournal | DamagedJournal {
  const bytes = content.lastIndexOf(0x0a) + 1
  const whole = Buffer.from(content.buffer, content.byteOffset, bytes).toString("utf8")
  const [first, ...rest] = whole === "" ? [] : whole.slice(0, -1).split("\n")
  const head = first === undefined ? null : parseHead(first, path)
  if (!head) return { state: "damaged", why: "its first line is not whole", head: null }
  const { segments } = layoutOfPlaintext(head.plaintextBytes, head.geometry)
  const parts = new Map<number, PartLine>()
  const attempts = new Map<number, AttemptLine[]>()
  let completing = false
  for (const [index, text] of rest.entries()) {
    const line = decodeLine(text)
    if (line && isPart(line, segments)) parts.set(line.part, line)
    else if (line && isAttempt(line, segments)) {
      const known = attempts.get(line.attempt)
      if (known) known.push(line)
      else attempts.set(line.attempt, [line])
    } else if (line && "completing" in line) completing = true
    else if (!line || !("resumed" in line))
      return { state: "damaged", why: `its line ${index + 2} is not as it was written`, head }
  }
  return { state: "whole", head, parts, attempts, completing, bytes }
}

function parseHead(text: string, path: string): JournalHead | null {
  const line = decodeLine(text)
  if (!line) return null
  if ("v" in line && typeof line.v === "number" && line.v > JOURNAL_VERSION) {
    throw new UsageError(`${path} was written by a newer s3ep`, {
      hint: "upgrade s3ep, or remove the upload with the s3ep that began it",
    })
  }
  // The check is no authentication: whoever may write the file can write it, and so can a damaged newer version.
  if (!isHead(line)) return null
  try {
    layoutOfPlaintext(line.plaintextBytes, line.geometry)
    return { ...line, envelope: parseEnvelope(utf8(JSON.stringify(line.envelope))) }
  } catch (error) {
    if (error instanceof RangeError || error instanceof IntegrityError) return null
    throw error
  }
}

const CHECK_CHARACTERS = `,"check":"00000000"}`.length

/** @returns what `encodeLine` was given; null if the line is not as it was written. */
export function decodeLine(text: string): object | null {
  // A journal may have twenty thousand lines: no pattern over all of each.
  const body = text.slice(0, -CHECK_CHARACTERS)
  if (!body.startsWith("{") || text.slice(body.length) !== `,"check":"${check(body)}"}`) return null
  try {
    const line: unknown = JSON.parse(`${body}}`)
    return typeof line === "object" ? line : null
  } catch {
    return null
  }
}

function check(body: string): string {
  return crc32(body).toString(16).padStart(8, "0")
}
