import type { Kek, Recipient } from "./kek.ts"
import { isUnreadable } from "./stored.ts"

/** Something that is at hand encrypted, and those who can open it. */
export interface KeyNeed {
  /** What it is: `the unfinished upload of s3://vault/a.tar`. */
  readonly what: string
  readonly recipients: readonly Recipient[]
}

/** Finds out about things that need keys. What it cannot look at, it leaves out. */
export type Witness = () => Promise<readonly KeyNeed[]>

/**
 * What could not be opened any more without a key.
 *
 * @param id - of the key that is to go, under whatever name.
 * @param others - all other KEKs at hand.
 */
export function needsOnly(id: string, others: readonly Kek[], needs: readonly KeyNeed[]): KeyNeed[] {
  const readers = others.filter((kek) => kek.id !== id && !kek.writesOnly && !isUnreadable(kek))
  return needs.filter(
    ({ recipients }) =>
      recipients.some(({ kek }) => kek === id) &&
      !readers.some((kek) => recipients.some((recipient) => kek.matches(recipient))),
  )
}
