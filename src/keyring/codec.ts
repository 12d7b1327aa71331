import { fromBase64url, fromUtf8 } from "../bytes.ts"
import { IntegrityError } from "../errors.ts"
import type { Recipient } from "../keys/kek.ts"
import {
  EPOCH_STATES,
  type Epoch,
  type EpochState,
  type Keyring,
  type KeyringRecipient,
  type SealedKeyring,
} from "./keyring.ts"

/** Twenty years of monthly epochs for a dozen recipients of the largest kind. */
export const MAX_KEYRING_BYTES = 8_388_608
export const MAX_RECIPIENTS = 1000
export const MAX_EPOCHS = 1000
export const MAX_NAME_CHARACTERS = 64
const MAX_ID_CHARACTERS = 512
const MAX_PUBLIC_CHARACTERS = 16_384
const MAC_CHARACTERS = 43

// No character that JSON escapes, so that a text has one spelling; and none that a terminal would act on.
const PRINTABLE = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/
const KEYRING_ID = /^[0-9a-f]{32}$/
const EPOCH_ID = /^aes:[0-9a-f]{32}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** A keyring in its one spelling, without its MAC: what the MAC is over. */
export function encodeKeyring(keyring: Keyring): string {
  return JSON.stringify(ordered(keyring))
}

/** A keyring in its one spelling: what is stored. */
export function encodeSealed(keyring: SealedKeyring): string {
  return JSON.stringify({ ...ordered(keyring), mac: keyring.mac })
}

/** Whether a recipient can be called that. */
export function isRecipientName(name: string): boolean {
  return isText(name, MAX_NAME_CHARACTERS) && !name.includes(" ")
}

/**
 * Read a keyring that anyone may have written. Nothing of it is authenticated yet: see `openKeyring`.
 *
 * @param json - the stored bytes: exactly what `encodeSealed` makes of what they say.
 * @throws {IntegrityError} if they are no keyring of version 1, or another spelling of one.
 */
export function parseKeyring(json: Uint8Array): SealedKeyring {
  if (json.length > MAX_KEYRING_BYTES) {
    throw damaged(`it has ${json.length} bytes, and ${MAX_KEYRING_BYTES} is the most`)
  }
  const { text, value } = parseJson(json)
  const { v, id, seed, generation, updated, recipients, epochs, mac } = membersOf(value, "it")
  if (v !== 1) {
    if (typeof v === "number" && v > 1) {
      throw new IntegrityError(`it has version ${v}, newer than this s3ep knows`, { hint: "upgrade s3ep" })
    }
    throw damaged("its version is not 1")
  }
  if (typeof id !== "string" || !KEYRING_ID.test(id)) throw damaged("it has no id")
  if (typeof seed !== "string" || !KEYRING_ID.test(seed)) throw damaged("it has no seed")
  if (!isCount(generation) || generation === 0) throw damaged("it has no generation")
  if (!isTime(updated)) throw damaged("it does not say when it was changed")
  if (!isMac(mac)) throw damaged("it has no MAC")
  const readers = listOf(recipients, "recipients", MAX_RECIPIENTS).map(parseRecipient)
  if (hasTwins(readers)) throw damaged("a recipient is in it twice")
  const keyring: SealedKeyring = {
    v,
    id,
    seed,
    generation,
    updated,
    recipients: readers,
    epochs: listOf(epochs, "epochs", MAX_EPOCHS).map((epoch, index) => parseEpoch(epoch, index, readers)),
    mac,
  }
  if (hasTwins(keyring.epochs)) throw damaged("an epoch is in it twice")
  if (keyring.epochs.filter(({ state }) => state === "active").length !== 1) {
    throw damaged("not one of its epochs is the active one")
  }
  // Members nobody knows, members twice, blanks, other orders: the MAC is over one spelling.
  if (encodeSealed(keyring) !== text) throw damaged("it is not spelled as s3ep does")
  return keyring
}

function ordered({ v, id, seed, generation, updated, recipients, epochs }: Keyring): Keyring {
  return {
    v,
    id,
    seed,
    generation,
    updated,
    recipients: recipients.map(({ kek, name, pub }) => ({ kek, name, ...(pub !== undefined && { pub }) })),
    epochs: epochs.map(({ kek, state, created, wraps }) => ({
      kek,
      state,
      created,
      wraps: wraps.map(orderedWrap),
    })),
  }
}

function orderedWrap({ kek, alg, ct, ...others }: Recipient): Recipient {
  const sorted = Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1))
  return { kek, alg, ct, ...Object.fromEntries(sorted) }
}

function parseRecipient(value: unknown, index: number): KeyringRecipient {
  const what = `recipient ${index + 1}`
  const { kek, name, pub } = membersOf(value, what)
  if (!isKekId(kek)) throw damaged(`${what} has no KEK`)
  if (typeof name !== "string" || !isRecipientName(name)) throw damaged(`${what} has no name`)
  if (pub === undefined) return { kek, name }
  if (!isText(pub, MAX_PUBLIC_CHARACTERS) || fromBase64url(pub) === null) {
    throw damaged(`the public key of ${what} is not base64url`)
  }
  return { kek, name, pub }
}

function parseEpoch(value: unknown, index: number, recipients: readonly KeyringRecipient[]): Epoch {
  const what = `epoch ${index + 1}`
  const { kek, state, created, wraps } = membersOf(value, what)
  if (typeof kek !== "string" || !EPOCH_ID.test(kek)) throw damaged(`${what} has no KEK`)
  if (!isState(state)) throw damaged(`${what} is in no state there is`)
  if (!isTime(created)) throw damaged(`${what} does not say when it was made`)
  const wrapped = listOf(wraps, `wraps of ${what}`, MAX_RECIPIENTS).map((wrap) => parseWrap(wrap, what))
  const whole =
    wrapped.length === recipients.length && wrapped.every((wrap, at) => wrap.kek === recipients[at]?.kek)
  if (!whole) throw damaged(`${what} is not wrapped to every recipient, in their order`)
  return { kek, state, created, wraps: wrapped }
}

function parseWrap(value: unknown, what: string): Recipient {
  const members = membersOf(value, `a wrap of ${what}`)
  const { kek, alg, ct } = members
  if (!isKekId(kek)) throw damaged(`a wrap of ${what} has no KEK`)
  if (!isText(alg, MAX_ID_CHARACTERS)) throw damaged(`a wrap of ${what} has no algorithm`)
  if (typeof ct !== "string" || ct === "" || fromBase64url(ct) === null) {
    throw damaged(`a wrap of ${what} is not base64url`)
  }
  const others: Record<string, string | number> = {}
  for (const [member, content] of Object.entries(members)) {
    // What JavaScript sorts like a number would change its place.
    const named = isText(member, MAX_ID_CHARACTERS) && !/^\d/.test(member)
    if (!named || !(isText(content, MAX_PUBLIC_CHARACTERS) || isCount(content))) {
      throw damaged(`a wrap of ${what} has a member that is neither text nor a count`)
    }
    others[member] = content
  }
  return { ...others, kek, alg, ct }
}

function parseJson(json: Uint8Array): { text: string; value: unknown } {
  try {
    const text = fromUtf8(json)
    return { text, value: JSON.parse(text) }
  } catch {
    // Not as `cause`: its message quotes what it read.
    throw damaged("it is not JSON in UTF-8")
  }
}

function membersOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw damaged(`${what} is not an object`)
  }
  // Assigned to an object, this name would change what the object is.
  if (Object.hasOwn(value, "__proto__")) throw damaged(`${what} has a member __proto__`)
  return { ...value }
}

function listOf(value: unknown, what: string, most: number): unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw damaged(`it has no ${what}`)
  if (value.length > most) throw damaged(`it has ${value.length} ${what}, and ${most} is the most`)
  return value
}

function hasTwins(items: readonly { readonly kek: string }[]): boolean {
  return new Set(items.map(({ kek }) => kek)).size < items.length
}

function isKekId(value: unknown): value is string {
  return isText(value, MAX_ID_CHARACTERS) && /^[^ :]+:[^ ]+$/.test(value)
}

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length <= most && PRINTABLE.test(value)
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
}

function isTime(value: unknown): value is string {
  return typeof value === "string" && TIME.test(value) && !Number.isNaN(Date.parse(value))
}

function isState(value: unknown): value is EpochState {
  return EPOCH_STATES.some((state) => state === value)
}

function isMac(value: unknown): value is string {
  return typeof value === "string" && value.length === MAC_CHARACTERS && fromBase64url(value) !== null
}

function damaged(why: string): IntegrityError {
  return new IntegrityError(`it is damaged: ${why}`)
}
