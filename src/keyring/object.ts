import { concat, equalSecret, utf8 } from "../bytes.ts"
import { IntegrityError, NotFoundError, PreconditionError, UnavailableError } from "../errors.ts"
import type { Conditions, ObjectBody } from "../store/store.ts"
import { encodeSealed, MAX_KEYRING_BYTES, parseKeyring } from "./codec.ts"
import type { KeyringContext, KeyringOptions } from "./context.ts"
import type { SealedKeyring } from "./keyring.ts"
import { type KeyringPlace, keyringAddress, keyringUri, prefixUri } from "./place.ts"

/** A keyring as it was found; nothing of it is authenticated. */
export interface StoredKeyring {
  readonly place: KeyringPlace
  readonly keyring: SealedKeyring
  readonly etag: string
}

type Reading = Pick<KeyringContext, "store" | "signal">

// One value for one content: how a repeated request is told from somebody else's write.
const MAC_METADATA = "s3ep-keyring-mac"

/**
 * Fetch a keyring.
 *
 * @returns null if there is none.
 * @throws {IntegrityError} if what is there is none; {DeniedError} if it may not be read.
 */
export async function fetchKeyring(
  context: Reading,
  place: KeyringPlace,
  options: KeyringOptions = {},
): Promise<StoredKeyring | null> {
  const found = await fetchBytes(context, place, options)
  if (!found) return null
  try {
    return { place, keyring: parseKeyring(found.bytes), etag: found.etag }
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error
    const hint = error.hint ?? "if the bucket keeps versions, put the last good one back"
    throw new IntegrityError(`cannot read the keyring ${keyringUri(place)}: ${error.message}`, {
      cause: error,
      hint,
    })
  }
}

/**
 * Store a keyring, on the condition that it replaces what was read: `before`, or nothing. An answer that got lost is
 * settled by reading it back.
 *
 * @throws {PreconditionError} if somebody else was faster.
 * @throws {UnavailableError} if it was not stored, or nobody can say.
 */
export async function storeKeyring(
  context: KeyringContext,
  place: KeyringPlace,
  keyring: SealedKeyring,
  before: { readonly etag: string } | null,
  { requesterPays }: KeyringOptions = {},
): Promise<StoredKeyring> {
  const { store, signal } = context
  const bytes = utf8(encodeSealed(keyring))
  if (bytes.length > MAX_KEYRING_BYTES) {
    throw new PreconditionError(`the keyring ${keyringUri(place)} would be larger than any reader takes`)
  }
  const conditions = await conditionsFor(context, place, before, { requesterPays })
  try {
    const { etag } = await store.put(keyringAddress(place), bytes, {
      settings: { metadata: { [MAC_METADATA]: keyring.mac }, contentType: "application/json" },
      conditions,
      signal,
      requesterPays,
    })
    return { place, keyring, etag }
  } catch (error) {
    // A condition on what is not there any more fails as "not found".
    const failed =
      error instanceof PreconditionError || (error instanceof NotFoundError && error.what === "object")
    if (!(failed || error instanceof UnavailableError) || signal.aborted) throw error
    const found = await fetchBytes(context, place, { requesterPays })
    if (found && equalSecret(found.bytes, bytes)) return { place, keyring, etag: found.etag }
    throw failed ? changedMeanwhile(place, before, error) : error
  }
}

// Where the service checks nothing, a look right before the write is better than none, and no more than that.
async function conditionsFor(
  context: KeyringContext,
  place: KeyringPlace,
  before: { readonly etag: string } | null,
  options: KeyringOptions,
): Promise<Conditions | undefined> {
  const { store, signal } = context
  const { requesterPays } = options
  const { conditionalPut } = await store.limits(place.bucket, { signal, requesterPays })
  if (conditionalPut) return before ? { ifMatch: before.etag } : { ifNoneMatch: "*" }
  const now = await fetchBytes(context, place, options)
  if (now?.etag !== before?.etag) throw changedMeanwhile(place, before)
  context.onProgress({
    type: "notice",
    message: `the service checks no conditions: the keyring ${keyringUri(place)} was looked at just before it was written`,
    hint: "let one administrator at a time change it: two at the same moment would not notice each other",
  })
  return undefined
}

async function fetchBytes(
  { store, signal }: Reading,
  place: KeyringPlace,
  { requesterPays }: KeyringOptions,
): Promise<{ bytes: Uint8Array; etag: string } | null> {
  let answer: ObjectBody
  try {
    answer = await store.get(keyringAddress(place), { signal, requesterPays })
  } catch (error) {
    if (error instanceof NotFoundError && error.what === "object") return null
    throw error
  }
  return { bytes: await readUpTo(answer.body, MAX_KEYRING_BYTES + 1), etag: answer.info.etag }
}

/** All of a body, or as much of it as is wanted and no more. */
async function readUpTo(body: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of body) {
    pieces.push(piece)
    bytes += piece.length
    if (bytes >= most) break
  }
  return concat(...pieces)
}

function changedMeanwhile(
  place: KeyringPlace,
  before: { readonly etag: string } | null,
  cause?: unknown,
): PreconditionError {
  if (!before) return existsAlready(place, cause)
  return new PreconditionError(
    `cannot change the keyring ${keyringUri(place)}: somebody else changed it meanwhile`,
    {
      cause,
      hint: `look at it with \`s3ep keyring show ${prefixUri(place)}\`, then run the same command again`,
    },
  )
}

/** There can be one keyring in a place. */
export function existsAlready(place: KeyringPlace, cause?: unknown): PreconditionError {
  return new PreconditionError(`cannot make the keyring ${keyringUri(place)}: there is one already`, {
    cause,
    hint: `\`s3ep keyring show ${prefixUri(place)}\` shows it`,
  })
}
