import { base32crockford } from "@scure/base"
import { concat, equalSecret, fromUtf8, utf8 } from "../bytes.ts"
import { KEY_BYTES } from "../crypto/aead.ts"
import { sha256 } from "../crypto/kdf.ts"
import { SecretBytes } from "../crypto/secret.ts"
import { KeyMissingError } from "../errors.ts"
import type { PackedKey } from "./kind.ts"

const CHECK_BYTES = 7
const SHEET_BYTES = 1 + KEY_BYTES + CHECK_BYTES
const LINE_BYTES = 10
const LINE_SYMBOLS = (LINE_BYTES * 8) / 5 + 1
const GROUP_SYMBOLS = 4
/** What the key of a sheet is written in. */
export const PAPER_LINES = SHEET_BYTES / LINE_BYTES
const SHEET_LABEL = utf8("s3ep recovery sheet\0")
const LINE_LABEL = utf8("s3ep recovery sheet line\0")
const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
const CODE_PREFIX = "S3EP:"

/**
 * A key as the four lines of a recovery sheet: tag(1) ‖ key(32) ‖ the first 7 bytes of SHA-256("s3ep recovery sheet" ‖
 * 0x00 ‖ tag ‖ key), ten bytes to a line, in Crockford's base32, each line ending in a symbol that checks it.
 *
 * @returns lines like `04HQ 8KAB …  7`; secret.
 */
export function encodePaper({ tag, bytes }: PackedKey): string[] {
  using sheet = new SecretBytes(withCheck(tag, bytes))
  return Array.from({ length: PAPER_LINES }, (_, index) => {
    const part = sheet.bytes.subarray(index * LINE_BYTES, (index + 1) * LINE_BYTES)
    const symbols = base32crockford.encode(part)
    const groups = symbols.match(new RegExp(`.{${GROUP_SYMBOLS}}`, "g")) ?? []
    return [...groups, checkSymbol(index, part)].join(" ")
  })
}

/** The same as the code on the sheet holds it; secret. */
export function paperCode(lines: readonly string[]): string {
  return `${CODE_PREFIX}${lines.join("").replaceAll(" ", "")}`
}

/**
 * Whether a line was typed as it stands on the sheet. Case, spaces and hyphens do not matter, O is 0, I and L are 1.
 *
 * @param index - from 0.
 */
export function isPaperLine(typed: Uint8Array, index: number): boolean {
  return decodeLine(symbolsOf(typed) ?? "", index) !== null
}

/**
 * Read a recovery sheet back: typed, or what its code holds.
 *
 * @param content - borrowed.
 * @returns null if it is something else.
 * @throws {KeyMissingError} if it was mistyped; says in which line.
 */
export function decodePaper(content: Uint8Array): PackedKey | null {
  const lines = typedLines(content)
  if (!lines) return null
  const parts = lines.map((line, index) => {
    const part = decodeLine(line, index)
    if (part) return part
    throw new KeyMissingError(`line ${index + 1} of the recovery sheet is mistyped`, {
      hint: "each line has four groups of four and one symbol that checks it; there is no U",
    })
  })
  using sheet = new SecretBytes(concat(...parts))
  for (const part of parts) part.fill(0)
  const [tag = 0] = sheet.bytes
  const bytes = new SecretBytes(sheet.bytes.slice(1, 1 + KEY_BYTES))
  using whole = new SecretBytes(withCheck(tag, bytes))
  if (equalSecret(whole.bytes, sheet.bytes)) return { tag, bytes }
  bytes[Symbol.dispose]()
  throw new KeyMissingError("the recovery sheet is mistyped: its lines do not belong together")
}

function withCheck(tag: number, bytes: SecretBytes): Uint8Array<ArrayBuffer> {
  const key = concat(Uint8Array.of(tag), bytes.bytes)
  const check = sha256(SHEET_LABEL, key).subarray(0, CHECK_BYTES)
  const whole = concat(key, check)
  key.fill(0)
  return whole
}

// With the line's number, so that two lines that changed places are found too.
function checkSymbol(index: number, part: Uint8Array): string {
  const [byte = 0] = sha256(LINE_LABEL, Uint8Array.of(index), part)
  return SYMBOLS[byte % SYMBOLS.length] ?? ""
}

function decodeLine(symbols: string, index: number): Uint8Array | null {
  if (symbols.length !== LINE_SYMBOLS) return null
  const part = base32crockford.decode(symbols.slice(0, -1))
  if (part.length === LINE_BYTES && checkSymbol(index, part) === symbols.at(-1)) return part
  part.fill(0)
  return null
}

/** The four lines of what looks like a sheet, whether or not they are right. */
function typedLines(content: Uint8Array): string[] | null {
  const text = asciiOf(content)
  if (text === null) return null
  const written = text.split("\n").filter((line) => line.trim() !== "" && !line.trimStart().startsWith("#"))
  const lines = written.map((line) => symbolsOf(utf8(line.trim().replace(/^S3EP:/i, ""))))
  const all = lines.every((line) => line !== null) ? lines.join("") : null
  if (all?.length === PAPER_LINES * LINE_SYMBOLS) {
    return Array.from({ length: PAPER_LINES }, (_, at) =>
      all.slice(at * LINE_SYMBOLS, (at + 1) * LINE_SYMBOLS),
    )
  }
  // A symbol too few or too many, or one that does not exist: the other lines show that it is a sheet.
  const right = lines.filter((line, index) => line !== null && decodeLine(line, index) !== null)
  return lines.length === PAPER_LINES && right.length > 0 ? lines.map((line) => line ?? "") : null
}

function symbolsOf(typed: Uint8Array): string | null {
  const text = asciiOf(typed)?.toUpperCase().replaceAll(/[\s-]/g, "")
  const symbols = text?.replaceAll("O", "0").replaceAll(/[IL]/g, "1")
  return symbols !== undefined && /^[0-9A-HJKMNP-TV-Z]*$/.test(symbols) ? symbols : null
}

function asciiOf(bytes: Uint8Array): string | null {
  return bytes.every((byte) => byte < 0x80) ? fromUtf8(bytes) : null
}
