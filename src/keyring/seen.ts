import { readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { hex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/kdf.ts"
import { IntegrityError, LocalIoError } from "../errors.ts"
import { errnoOf, localError } from "../files/local-error.ts"
import { replaceFile } from "../files/replace-file.ts"
import { activeEpoch, EPOCH_STATES, type EpochState, type SealedKeyring } from "./keyring.ts"
import { type KeyringPlace, keyringUri, prefixUri } from "./place.ts"

/** What is remembered of a keyring that was opened here. Nothing of it is secret. */
export interface SeenKeyring extends KeyringPlace {
  readonly v: 1
  readonly endpoint: string
  readonly id: string
  readonly generation: number
  readonly mac: string
  readonly recipients: readonly { readonly kek: string; readonly alg: string; readonly name: string }[]
  readonly epochs: readonly { readonly kek: string; readonly state: EpochState }[]
  /** Whether it may be written to: a key vouched for it, it was made here, or somebody said so. */
  readonly vouched: boolean
  /** ISO 8601. */
  readonly seen: string
}

/**
 * The keyrings this machine has opened, one file for each place: what tells that the store gives an older one back,
 * another one, or none any more.
 */
export class SeenKeyrings {
  readonly #directory: string
  readonly #endpoint: string

  /** @param endpoint - of the store they are in. */
  constructor(stateDirectory: string, endpoint: string) {
    this.#directory = directoryIn(stateDirectory)
    this.#endpoint = endpoint
  }

  /** @returns null if none was ever opened there. @throws {LocalIoError} if that cannot be found out. */
  get(place: KeyringPlace): Promise<SeenKeyring | null> {
    return readSeen(this.#pathOf(place))
  }

  /**
   * Remember a keyring that was opened, unless a later generation of it is remembered.
   *
   * @param vouched - or was before, for the same keyring.
   * @throws {LocalIoError} if it cannot be written down.
   */
  async remember(
    { bucket, prefix }: KeyringPlace,
    keyring: SealedKeyring,
    { vouched, now }: { readonly vouched: boolean; readonly now: number },
  ): Promise<void> {
    const { id, generation, mac, recipients, epochs } = keyring
    const { wraps } = activeEpoch(keyring)
    const known = await this.get({ bucket, prefix })
    if (known?.id === id && known.generation > generation) return // another process has seen a later one meanwhile
    const seen: SeenKeyring = {
      v: 1,
      endpoint: this.#endpoint,
      bucket,
      prefix,
      id,
      generation,
      mac,
      recipients: recipients.map(({ kek, name }, at) => ({ kek, alg: wraps[at]?.alg ?? "", name })),
      epochs: epochs.map(({ kek, state }) => ({ kek, state })),
      vouched: vouched || (known?.id === id && known.vouched),
      seen: new Date(now).toISOString(),
    }
    const path = this.#pathOf({ bucket, prefix })
    await replaceFile(path, `${JSON.stringify(seen)}\n`).catch((error: unknown) => {
      throw localError("write", path, error)
    })
  }

  /** Forget whatever was there. */
  async forget(place: KeyringPlace): Promise<void> {
    const path = this.#pathOf(place)
    await rm(path, { force: true }).catch((error: unknown) => {
      throw localError("forget what", path, error)
    })
  }

  #pathOf({ bucket, prefix }: KeyringPlace): string {
    const place = hex(sha256(utf8([this.#endpoint, bucket, prefix].join("\0")))).slice(0, 32)
    return join(this.#directory, `${place}.json`)
  }
}

/**
 * All keyrings this machine has opened, of every endpoint: who can open them is in `recipients`.
 *
 * @throws {LocalIoError} if they cannot be read.
 */
export async function listSeenKeyrings(stateDirectory: string): Promise<SeenKeyring[]> {
  const directory = directoryIn(stateDirectory)
  let files: string[]
  try {
    files = await readdir(directory)
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return []
    throw localError("list", directory, error)
  }
  const found: SeenKeyring[] = []
  for (const file of files.filter((name) => name.endsWith(".json")).sort()) {
    const seen = await readSeen(join(directory, file))
    if (seen) found.push(seen)
  }
  return found
}

/**
 * Hold what the store gives against what was seen before.
 *
 * @throws {IntegrityError} if it is older, another one, or has an epoch back in a state it had left.
 */
export function checkSuccession(place: KeyringPlace, seen: SeenKeyring | null, found: SealedKeyring): void {
  if (!seen) return
  const refuse = (why: string): never => {
    throw notTheSuccessor(place, `the keyring ${keyringUri(place)} is not to be trusted: ${why}`)
  }
  if (found.id !== seen.id) refuse(`it is another one (${found.id}) than was seen before (${seen.id})`)
  if (found.generation < seen.generation) {
    refuse(`it has generation ${found.generation}, and generation ${seen.generation} was seen before`)
  }
  if (found.generation === seen.generation && found.mac !== seen.mac) {
    refuse(`there are two of generation ${seen.generation}`)
  }
  for (const { kek, state } of seen.epochs) {
    const now = found.epochs.find((epoch) => epoch.kek === kek)?.state
    if (now === undefined) refuse(`the epoch ${kek} is gone`)
    else if (EPOCH_STATES.indexOf(now) < EPOCH_STATES.indexOf(state)) {
      refuse(`the epoch ${kek}, which was ${state}, is ${now} again`)
    }
  }
}

/** A keyring that was seen is not there any more. */
export function goneKeyring(place: KeyringPlace, { generation }: SeenKeyring): IntegrityError {
  return notTheSuccessor(
    place,
    `the keyring ${keyringUri(place)} is gone: generation ${generation} of it was seen before`,
  )
}

function notTheSuccessor(place: KeyringPlace, message: string): IntegrityError {
  return new IntegrityError(message, {
    hint: `somebody who can write to the bucket put it there; if that was right, say so with \`s3ep keyring trust ${prefixUri(place)}\``,
  })
}

function directoryIn(stateDirectory: string): string {
  return join(stateDirectory, "keyrings")
}

async function readSeen(path: string): Promise<SeenKeyring | null> {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null
    throw localError("read", path, error)
  }
  try {
    const seen: SeenKeyring = JSON.parse(text)
    if (isSeen(seen)) return seen
  } catch {
    // below
  }
  // Taken for absent, it would let a rollback pass.
  throw new LocalIoError(`cannot read what was seen of a keyring: ${path} is damaged`, {
    hint: "remove that file to begin anew, after a look at the keyring with `s3ep keyring show`",
  })
}

function isSeen(seen: SeenKeyring): boolean {
  const { v, endpoint, bucket, prefix, id, generation, mac, recipients, epochs, vouched } = seen
  return (
    v === 1 &&
    [endpoint, bucket, prefix, id, mac].every((text) => typeof text === "string") &&
    Number.isSafeInteger(generation) &&
    typeof vouched === "boolean" &&
    recipients.every(({ kek, alg, name }) => [kek, alg, name].every((text) => typeof text === "string")) &&
    epochs.every(({ kek, state }) => typeof kek === "string" && EPOCH_STATES.includes(state))
  )
}
