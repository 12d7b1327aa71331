import { IntegrityError, KeyMissingError } from "../../errors.ts"
import { noKeyring, trusted, trustKeyring } from "../../keyring/admin.ts"
import type { SealedKeyring } from "../../keyring/keyring.ts"
import { fetchKeyring, type StoredKeyring } from "../../keyring/object.ts"
import { OpenKeyring } from "../../keyring/open.ts"
import { type KeyringPlace, keyringPlace, keyringUri, placesAbove, prefixUri } from "../../keyring/place.ts"
import { type SeenKeyring, SeenKeyrings } from "../../keyring/seen.ts"
import type { TransferContext } from "../../transfer/context.ts"
import { parseAddress } from "../address.ts"
import { type ConfirmOptions, confirm } from "../confirm.ts"
import type { Session } from "../session.ts"
import { contextWith } from "./keyring.ts"

/** `keyring show`: the keyring that is responsible for a prefix, its own or one above it. */
export async function showKeyring(session: Session, target: string): Promise<void> {
  const context = await contextWith(session, await session.keys("read"))
  const { requesterPays } = session.settings
  const asked = keyringPlace(parseAddress(target))
  const stored = await nearest(context, asked, requesterPays)
  if (!stored) throw await noKeyring(context, asked)
  const { problem, opener, vouched } = await verify(context, stored)
  const { place, keyring } = stored
  const { id, generation, updated, recipients, epochs } = keyring
  const line = {
    type: "keyring",
    uri: keyringUri(place),
    prefix: prefixUri(place),
    id,
    generation,
    updated,
    verified: problem === null,
    vouched,
    openedWith: opener,
    recipients: recipients.map(({ kek, name, pub }) => ({ kek, name, public: pub !== undefined })),
    epochs: epochs.map(({ kek, state, created }) => ({ kek, state, created })),
  }
  session.output.answer(line, ({ verified }) =>
    [
      keyringUri(place),
      `  id:          ${id}`,
      `  generation:  ${generation}, of ${updated}`,
      `  verified:    ${verified && opener ? `yes, with ${opener.name} (${opener.id})` : "no"}`,
      ...rows("recipients", recipients, ({ kek, name }) => `${name} (${kek})`),
      ...rows("epochs", epochs, ({ kek, state, created }) => `${kek}  ${state.padEnd(7)}  made ${created}`),
    ].join("\n"),
  )
  if (opener && !vouched) {
    session.output.notice(
      `anybody can wrap to ${opener.id}, and so make a keyring that it opens: nothing is encrypted to it from here before you say that this is the right one`,
      `compare its id with who made it, then \`s3ep keyring trust ${prefixUri(place)}\``,
    )
  }
  if (problem instanceof KeyMissingError) {
    session.output.notice(
      "no key at hand opens this keyring: whether a recipient wrote it cannot be told, and who can write to the bucket could have",
      problem.hint,
    )
  } else if (problem) throw problem
}

/** `keyring trust`: the way out when what the store gives does not follow on what was seen. */
export async function trustAgain(session: Session, target: string, options: ConfirmOptions): Promise<void> {
  const { output, settings } = session
  const place = keyringPlace(parseAddress(target))
  const context = await contextWith(session, await session.keys("read"))
  const seen = await new SeenKeyrings(context.stateDirectory, context.store.endpoint).get(place)
  const stored = await fetchKeyring(context, place, settings)
  if (!seen && !stored) throw await noKeyring(context, place)
  if (stored) (await OpenKeyring.open(stored, context.keys.readers))[Symbol.dispose]()
  const line = {
    type: options.dryRun ? "planned" : "change",
    action: "trust",
    uri: keyringUri(place),
    seen: seen && { id: seen.id, generation: seen.generation },
    found: stored && { id: stored.keyring.id, generation: stored.keyring.generation },
  }
  output.report(line, () => [keyringUri(place), ...comparison(seen, stored?.keyring ?? null)].join("\n"))
  if (options.dryRun) return
  await confirm(session, "trust what the store has now?", options)
  await trustKeyring(context, place, stored)
  output.report({ type: "changed", uri: keyringUri(place) }, () =>
    stored
      ? `generation ${stored.keyring.generation} is what this machine goes by now`
      : "this machine remembers no keyring there any more",
  )
}

async function nearest(
  context: TransferContext,
  { bucket, prefix }: KeyringPlace,
  requesterPays: boolean,
): Promise<StoredKeyring | null> {
  for (const place of placesAbove({ bucket, key: prefix })) {
    const stored = await fetchKeyring(context, place, { requesterPays })
    if (stored) return stored
  }
  return null
}

async function verify(
  context: TransferContext,
  stored: StoredKeyring,
): Promise<{
  readonly problem: KeyMissingError | IntegrityError | null
  readonly opener: { readonly id: string; readonly name: string } | null
  /** Whether it would be written to. */
  readonly vouched: boolean
}> {
  try {
    using open = await trusted(context, stored)
    const { id, name } = open.opener
    const seen = await new SeenKeyrings(context.stateDirectory, context.store.endpoint).get(open.place)
    const vouched = open.vouched || (seen?.id === open.keyring.id && seen.vouched)
    return { problem: null, opener: { id, name }, vouched }
  } catch (error) {
    if (error instanceof KeyMissingError || error instanceof IntegrityError) {
      return { problem: error, opener: null, vouched: false }
    }
    throw error
  }
}

/** What was seen and what is found, side by side. */
function comparison(seen: SeenKeyring | null, found: SealedKeyring | null): string[] {
  const side = (which: string, keyring: SeenKeyring | SealedKeyring | null) =>
    keyring
      ? [
          `  ${which}  id ${keyring.id}, generation ${keyring.generation}`,
          ...keyring.recipients.map(({ kek, name }) => `    recipient ${name} (${kek})`),
          ...keyring.epochs.map(({ kek, state }) => `    epoch ${kek}, ${state}`),
        ]
      : [`  ${which}  none`]
  return [...side("seen here:   ", seen), ...side("in the store:", found)]
}

function rows<T>(title: string, items: readonly T[], text: (item: T) => string): string[] {
  return items.map(
    (item, index) => `  ${index === 0 ? `${title}:`.padEnd(12) : " ".repeat(12)} ${text(item)}`,
  )
}
