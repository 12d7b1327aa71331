import type { EpochState, Keyring, KeyringRecipient } from "./keyring.ts"

/** What one state of a keyring has that another has not. */
export interface KeyringDiff {
  readonly generation: { readonly from: number; readonly to: number }
  readonly added: readonly KeyringRecipient[]
  readonly removed: readonly KeyringRecipient[]
  /** The same name and kind under another id: a passphrase with another salt, or a key put in another's place. */
  readonly renewed: readonly { readonly name: string; readonly from: string; readonly to: string }[]
  readonly epochs: readonly EpochChange[]
}

export interface EpochChange {
  readonly kek: string
  /** Null if there was no such epoch. */
  readonly from: EpochState | null
  /** Null if it is gone. */
  readonly to: EpochState | null
}

/** @param before - null where there was none. */
export function diffKeyrings(before: Keyring | null, after: Keyring): KeyringDiff {
  const was = before?.recipients ?? []
  const removed = was.filter(({ kek }) => !after.recipients.some((other) => other.kek === kek))
  const added = after.recipients.filter(({ kek }) => !was.some((other) => other.kek === kek))
  const renewed: { name: string; from: string; to: string }[] = []
  for (const recipient of removed.slice()) {
    const at = added.findIndex(
      ({ kek, name }) => name === recipient.name && kindOf(kek) === kindOf(recipient.kek),
    )
    const [successor] = at < 0 ? [] : added.splice(at, 1)
    if (!successor) continue
    removed.splice(removed.indexOf(recipient), 1)
    renewed.push({ name: recipient.name, from: recipient.kek, to: successor.kek })
  }
  const ids = new Set([...(before?.epochs ?? []), ...after.epochs].map(({ kek }) => kek))
  const stateOf = (keyring: Keyring | null, id: string) =>
    keyring?.epochs.find(({ kek }) => kek === id)?.state ?? null
  return {
    generation: { from: before?.generation ?? 0, to: after.generation },
    added,
    removed,
    renewed,
    epochs: [...ids]
      .map((kek) => ({ kek, from: stateOf(before, kek), to: stateOf(after, kek) }))
      .filter(({ from, to }) => from !== to),
  }
}

function kindOf(kek: string): string {
  return kek.slice(0, kek.indexOf(":"))
}
