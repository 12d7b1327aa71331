import { fromUtf8, utf8 } from "../bytes.ts"
import { SecretBytes } from "../crypto/secret.ts"

/** A key written down: what a key file, an entry of the keychain or an identity file holds. */
export interface KeyMaterial extends Disposable {
  /** `type:fingerprint`. */
  readonly id: string
  /** The key in the one spelling it is kept in: ASCII, whole lines. */
  readonly text: SecretBytes
  /** Whether whoever has `text` can read. A public key is no secret, nor is the name of a key that a service keeps. */
  readonly secret: boolean
  /** Whether it opens what it wraps; a public key does not. */
  readonly reads: boolean
  /** What those get who are to write to this key; null where only the key itself would do. */
  readonly publicText: string | null
}

/** @param text - owned by the material from now on, and wiped with it. */
export function keyMaterial(facts: Omit<KeyMaterial, typeof Symbol.dispose>): KeyMaterial {
  const { text } = facts
  return { ...facts, [Symbol.dispose]: () => text[Symbol.dispose]() }
}

/** What may be handed out, which is all there is of it. */
export function publicMaterial(id: string, text: string, { reads }: { reads: boolean }): KeyMaterial {
  return keyMaterial({ id, text: new SecretBytes(utf8(text)), secret: false, reads, publicText: text })
}

/**
 * The lines of a text that are neither blank nor comments (`#`), without the white space around them.
 *
 * @returns null if it is not text.
 */
export function linesOf(content: Uint8Array): string[] | null {
  let text: string
  try {
    text = fromUtf8(content)
  } catch {
    return null
  }
  const lines = text.split("\n").map((line) => line.trim())
  return lines.filter((line) => line !== "" && !line.startsWith("#"))
}
