import { fromBase64url, fromUtf8 } from "../bytes.ts"
import { IntegrityError } from "../errors.ts"
import type { Recipient } from "../keys/kek.ts"
import type { Envelope } from "./envelope.ts"

/** No writer comes near: a thousand recipients of the largest kind would, and belong into a keyring. */
export const MAX_ENVELOPE_BYTES = 65_536
const MAX_RECIPIENTS = 1000
const MAX_ID_CHARACTERS = 512

// Ids are printed: nothing a terminal would act on may be in one, nor what separates them elsewhere.
const PRINTABLE = /^[\x21-\x7e]+$/

/** The envelope as JSON, its members in one order, so that equal envelopes are equal text. */
export function encodeEnvelope({ v, fmt, bind, recipients, meta }: Envelope): string {
  const ordered = recipients.map(({ kek, alg, ct, ...others }) => ({
    kek,
    alg,
    ct,
    ...Object.fromEntries(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1))),
  }))
  return JSON.stringify({ v, fmt, bind, recipients: ordered, meta })
}

/**
 * Read an envelope that anyone may have written.
 *
 * Members of the envelope that this version does not know are left out. Recipients of kinds it does not know are
 * kept whole, for others to open; two recipients may name one KEK. A recipient's members are strings and numbers.
 *
 * @param json - UTF-8, at most 64 KiB, at most 1,000 recipients.
 * @throws {IntegrityError} if it is no envelope of version 2, in whatever way.
 */
export function parseEnvelope(json: Uint8Array): Envelope {
  if (json.length > MAX_ENVELOPE_BYTES) {
    throw damaged(`it has ${json.length} bytes, and ${MAX_ENVELOPE_BYTES} is the most`)
  }
  const value = membersOf(parseJson(json), "it")
  const v = value.get("v")
  if (v !== 2) {
    if (typeof v === "number" && v > 2) {
      throw new IntegrityError(`its envelope has version ${v}, newer than this s3ep knows`, {
        hint: "upgrade s3ep",
      })
    }
    throw damaged("its version is not 2")
  }
  if (value.get("fmt") !== "agcm2") throw damaged("the format it names is not agcm2")
  const bind = value.get("bind")
  if (bind !== "key" && bind !== "none") throw damaged("its binding is neither key nor none")
  const recipients = parseRecipients(value.get("recipients"))
  const meta = value.get("meta")
  if (meta === undefined) return { v, fmt: "agcm2", bind, recipients }
  if (!isBase64url(meta)) throw damaged("its private metadata are not base64url")
  return { v, fmt: "agcm2", bind, recipients, meta }
}

function parseRecipients(value: unknown): Recipient[] {
  if (!Array.isArray(value) || value.length === 0) throw damaged("it has no recipients")
  if (value.length > MAX_RECIPIENTS) {
    throw damaged(`it has ${value.length} recipients, and ${MAX_RECIPIENTS} is the most`)
  }
  return value.map(parseRecipient)
}

function parseRecipient(value: unknown, index: number): Recipient {
  const what = `recipient ${index + 1}`
  const members = membersOf(value, what)
  const { kek, alg, ct } = Object.fromEntries(members)
  if (!isId(kek) || !kek.includes(":")) throw damaged(`${what} has no KEK`)
  if (!isId(alg)) throw damaged(`${what} has no algorithm`)
  if (!isBase64url(ct)) throw damaged(`${what} has no wrapped DEK in base64url`)
  const others: Record<string, string | number> = {}
  for (const [member, content] of members) {
    if (typeof content !== "string" && !(typeof content === "number" && Number.isFinite(content))) {
      throw damaged(`${what} has a member that is neither text nor a number`)
    }
    others[member] = content
  }
  return { ...others, kek, alg, ct }
}

function parseJson(json: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(json))
  } catch {
    // Not as `cause`: its message quotes what it read.
    throw damaged("it is not JSON in UTF-8")
  }
}

function membersOf(value: unknown, what: string): Map<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw damaged(`${what} is not an object`)
  }
  const members = new Map(Object.entries(value))
  // Assigned to an object, this name would change what the object is.
  if (members.has("__proto__")) throw damaged(`${what} has a member __proto__`)
  return members
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_ID_CHARACTERS && PRINTABLE.test(value)
}

function isBase64url(value: unknown): value is string {
  return typeof value === "string" && value !== "" && fromBase64url(value) !== null
}

function damaged(why: string): IntegrityError {
  return new IntegrityError(`its envelope is damaged: ${why}`)
}
