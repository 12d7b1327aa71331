import { type IntegrityError, LocalIoError, NotFoundError } from "../errors.ts"
import { type ChangeSources, KeyringChange, type NewRecipient, type PublicKek } from "./change.ts"
import type { KeyringContext, KeyringOptions } from "./context.ts"
import type { EpochState, SealedKeyring } from "./keyring.ts"
import { existsAlready, fetchKeyring, type StoredKeyring, storeKeyring } from "./object.ts"
import { OpenKeyring } from "./open.ts"
import { type KeyringPlace, keyringUri, prefixUri } from "./place.ts"
import { checkSuccession, goneKeyring, SeenKeyrings } from "./seen.ts"

/**
 * Open the keyring of a place and hold it against what was seen of it before.
 *
 * @returns a keyring whose keys the caller wipes.
 * @throws {NotFoundError} if there is none; {KeyMissingError} if no key at hand opens it; {IntegrityError} if it was
 * altered, rolled back or replaced.
 */
export async function openTrusted(
  context: KeyringContext,
  place: KeyringPlace,
  options: KeyringOptions = {},
): Promise<OpenKeyring> {
  const stored = await fetchKeyring(context, place, options)
  if (!stored) throw await noKeyring(context, place)
  return trusted(context, stored, options)
}

/** `openTrusted`, of a keyring that was fetched already; what it opens may be a later generation of it. */
export async function trusted(
  context: KeyringContext,
  fetched: StoredKeyring,
  options: KeyringOptions = {},
): Promise<OpenKeyring> {
  const { place } = fetched
  const seen = new SeenKeyrings(context.stateDirectory, context.store.endpoint)
  const before = await seen.get(place)
  let stored = fetched
  if (before && before.generation > stored.keyring.generation) {
    // Perhaps it was changed from here while keys were asked for: look again before crying rollback.
    stored = (await fetchKeyring(context, place, options)) ?? stored
  }
  const { keyring } = stored
  checkSuccession(place, before, keyring)
  const open = await OpenKeyring.open(stored, context.keys.readers)
  // Only now is it known that a recipient wrote it.
  if (before?.mac !== keyring.mac || (open.vouched && !before.vouched)) {
    await remember(context, place, keyring, open.vouched)
  }
  return open
}

/**
 * Make a keyring, before any of it is stored.
 *
 * @throws {PreconditionError} if there is one; {IntegrityError} if one was seen there before, which is gone; as
 * `KeyringChange.create` otherwise.
 */
export async function newKeyring(
  context: KeyringContext,
  place: KeyringPlace,
  recipients: readonly NewRecipient[],
  options: KeyringOptions = {},
): Promise<KeyringChange> {
  if (await fetchKeyring(context, place, options)) throw existsAlready(place)
  const gone = await new SeenKeyrings(context.stateDirectory, context.store.endpoint).get(place)
  if (gone) throw goneKeyring(place, gone)
  return KeyringChange.create(place, recipients, sourcesOf(context))
}

/** Begin to change a keyring. @param before - borrowed until the change is disposed of. */
export function changeKeyring(
  context: KeyringContext,
  before: OpenKeyring,
  publicKek?: PublicKek,
): KeyringChange {
  return KeyringChange.of(before, { ...sourcesOf(context), publicKek })
}

/**
 * Store a change, on the condition that nobody else changed the keyring since it was read, and remember it.
 *
 * @throws {PreconditionError} if somebody did; see `storeKeyring`.
 */
export async function commitChange(
  context: KeyringContext,
  change: KeyringChange,
  options: KeyringOptions = {},
): Promise<SealedKeyring> {
  const { place, before } = change
  const keyring = await change.seal()
  await storeKeyring(context, place, keyring, before, options)
  await remember(context, place, keyring, before?.vouched ?? true)
  return keyring
}

/**
 * Give a keyring a new epoch: one small object is written, whatever lies below the prefix.
 *
 * @param options.previous - what becomes of the epoch that was active; retired if not given.
 * @throws as `openTrusted`, `KeyringChange.newEpoch` and `commitChange`.
 */
export async function newEpoch(
  context: KeyringContext,
  place: KeyringPlace,
  options: KeyringOptions & {
    readonly previous?: Exclude<EpochState, "active"> | undefined
    readonly publicKek?: PublicKek | undefined
  } = {},
): Promise<SealedKeyring> {
  using open = await openTrusted(context, place, options)
  using change = changeKeyring(context, open, options.publicKek)
  await change.newEpoch(options.previous)
  return await commitChange(context, change, options)
}

/**
 * Take what the store has now for right, whatever was seen before; nothing, if it has none.
 *
 * @param stored - as it was looked at and agreed to.
 * @throws {KeyMissingError}, {IntegrityError} if it does not open: what nobody wrote cannot be trusted.
 */
export async function trustKeyring(
  context: KeyringContext,
  place: KeyringPlace,
  stored: StoredKeyring | null,
): Promise<void> {
  const seen = new SeenKeyrings(context.stateDirectory, context.store.endpoint)
  if (!stored) return seen.forget(place)
  using open = await OpenKeyring.open(stored, context.keys.readers)
  await seen.forget(place)
  await seen.remember(place, open.keyring, { vouched: true, now: context.clock.now() })
}

// A machine that cannot remember works all the same, as one that sees the keyring for the first time does.
async function remember(
  context: KeyringContext,
  place: KeyringPlace,
  keyring: SealedKeyring,
  vouched: boolean,
): Promise<void> {
  const seen = new SeenKeyrings(context.stateDirectory, context.store.endpoint)
  try {
    await seen.remember(place, keyring, { vouched, now: context.clock.now() })
  } catch (error) {
    if (!(error instanceof LocalIoError)) throw error
    context.onProgress({
      type: "notice",
      message: `the generation of the keyring ${keyringUri(place)} is not remembered: ${error.message}`,
      hint: "should the store give an older one back, this machine does not notice",
    })
  }
}

/** Why there is none: it was never there, or it is gone. */
export async function noKeyring(
  context: KeyringContext,
  place: KeyringPlace,
): Promise<NotFoundError | IntegrityError> {
  const seen = await new SeenKeyrings(context.stateDirectory, context.store.endpoint).get(place)
  if (seen) return goneKeyring(place, seen)
  return new NotFoundError(`there is no keyring ${keyringUri(place)}`, {
    what: "object",
    hint: `make one with \`s3ep keyring init ${prefixUri(place)}\``,
  })
}

function sourcesOf({ random, clock, keys }: KeyringContext): ChangeSources {
  return { random, clock, readers: keys.readers }
}
