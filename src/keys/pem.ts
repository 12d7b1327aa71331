import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"
import { KeyMissingError } from "../errors.ts"
import type { WrittenPlace } from "./kind.ts"

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[\s\S]*?-----END \1-----/g
const PRIVATE = ["PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
const PUBLIC = ["PUBLIC KEY", "RSA PUBLIC KEY"]

/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  readonly label: string
  readonly text: string
}

/** The blocks of a PEM file; none if it is something else. */
export function pemBlocks(content: Uint8Array): PemBlock[] {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("latin1")
  return Array.from(text.matchAll(BLOCK), ([text, label = ""]) => ({ label, text }))
}

/** Whether a block holds one half of a key pair, in a form that is read here: PKCS#1, PKCS#8 or SPKI. */
export function isKeyBlock({ label }: PemBlock): boolean {
  return PRIVATE.includes(label) || PUBLIC.includes(label)
}

export function isPrivateBlock({ label }: PemBlock): boolean {
  return PRIVATE.includes(label)
}

/**
 * Read a key of a PEM file, decrypting it if it is encrypted.
 *
 * @throws {KeyMissingError} if it is damaged, or its passphrase is wrong or cannot be had.
 */
export async function readPemKey(block: PemBlock, place: WrittenPlace): Promise<KeyObject> {
  const encrypted =
    block.label === "ENCRYPTED PRIVATE KEY" || /^Proc-Type:\s*4,\s*ENCRYPTED/m.test(block.text)
  if (!encrypted) {
    try {
      return isPrivateBlock(block) ? createPrivateKey(block.text) : createPublicKey(block.text)
    } catch (error) {
      throw new KeyMissingError(`${place.origin} is a damaged PEM key (${codeOf(error)})`)
    }
  }
  if (!place.unlock)
    throw new KeyMissingError(`${place.origin} is encrypted, and nobody gives its passphrase`)
  using passphrase = await place.unlock(place.origin)
  try {
    return createPrivateKey({ key: block.text, passphrase: Buffer.from(passphrase.bytes.buffer) })
  } catch (error) {
    throw new KeyMissingError(
      `cannot decrypt ${place.origin}: the passphrase is wrong, or it is damaged (${codeOf(error)})`,
    )
  }
}

// Never the error itself: what a parser says may quote what it read.
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unreadable"
}
