import { aesKind } from "./aes-kind.ts"
import type { Recipient } from "./kek.ts"
import type { KekKind } from "./kind.ts"
import { passphraseKind } from "./passphrase-kind.ts"

/** Every kind of KEK there is, cheap ones first. */
export const KEK_KINDS: readonly KekKind[] = [aesKind, passphraseKind]

const MAX_HINTS = 3

/** What to do about an object that no KEK at hand opens; to stand after "hint: ". */
export function hintToOpen(recipients: readonly Recipient[]): string {
  const hints = new Set(
    recipients.map(({ kek }) => {
      const kind = KEK_KINDS.find(({ type }) => kek.startsWith(`${type}:`))
      return kind?.hint(kek) ?? `it was wrapped by KEK ${kek}, of a kind this s3ep does not know`
    }),
  )
  const shown = [...hints].slice(0, MAX_HINTS)
  if (hints.size > MAX_HINTS) shown.push(`${hints.size - MAX_HINTS} more KEKs would do`)
  return shown.join("; or ")
}
