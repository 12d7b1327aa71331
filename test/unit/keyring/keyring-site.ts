import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { utf8 } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { changeKeyring, commitChange, newKeyring, openTrusted } from "../../../src/keyring/admin.ts"
import type { KeyringChange } from "../../../src/keyring/change.ts"
import type { KeyringContext, KeyringNotice } from "../../../src/keyring/context.ts"
import type { SealedKeyring } from "../../../src/keyring/keyring.ts"
import { type KeyringPlace, keyringAddress } from "../../../src/keyring/place.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import type { Kek, KeySet } from "../../../src/keys/kek.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import { MemoryStore, type MemoryStoreOptions } from "../../support/memory-store.ts"

/** One machine that works on keyrings of a store, with a state directory of its own. */
export interface Machine {
  readonly context: KeyringContext
  readonly notices: KeyringNotice[]
  readonly stateDirectory: string
}

export const PLACE: KeyringPlace = { bucket: "vault", prefix: "photos/" }
export const KEY = keyringAddress(PLACE).key

export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return new MemoryStore(options)
}

/** A KEK whose bytes are all the same: its own key for every number. */
export function kekOf(name: string, fill: number): Kek {
  return aesKek(new SecretBytes(new Uint8Array(32).fill(fill)), name)
}

/** A KEK that anybody can wrap to, as far as anybody asks it. */
export function publicKek(kek: Kek): Kek {
  return {
    id: kek.id,
    name: kek.name,
    matches: (recipient) => kek.matches(recipient),
    wrap: (...args) => kek.wrap(...args),
    unwrap: (...args) => kek.unwrap(...args),
    publicText: async () => `${kek.id}\n`,
    [Symbol.dispose]: () => kek[Symbol.dispose](),
  }
}

export function keysOf(...keks: Kek[]): KeySet {
  return { readers: keks, writers: keks, [Symbol.dispose]: () => undefined }
}

export async function openMachine(
  store: KeyringContext["store"],
  keks: readonly Kek[],
  over: Partial<KeyringContext> = {},
): Promise<Machine> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "s3ep-keyring-"))
  onTestFinished(() => rm(stateDirectory, { recursive: true, force: true }))
  const notices: KeyringNotice[] = []
  const context: KeyringContext = {
    store,
    keys: keysOf(...keks),
    random: systemRandom,
    clock: { now: () => Date.UTC(2026, 2, 1, 12) },
    stateDirectory,
    onProgress: (notice) => notices.push(notice),
    signal: new AbortController().signal,
    ...over,
  }
  return { context, notices, stateDirectory }
}

/** Make a keyring for some keys. */
export async function init(context: KeyringContext, ...keks: Kek[]): Promise<SealedKeyring> {
  using change = await newKeyring(
    context,
    PLACE,
    keks.map((kek) => ({ kek })),
  )
  return await commitChange(context, change)
}

/** Change the keyring. */
export async function change(
  context: KeyringContext,
  work: (change: KeyringChange) => Promise<void> | void,
): Promise<SealedKeyring> {
  using open = await openTrusted(context, PLACE)
  using change = changeKeyring(context, open)
  await work(change)
  return await commitChange(context, change)
}

/** Put bytes in the keyring's place, as whoever can write to the bucket can. */
export async function plant(store: KeyringContext["store"], bytes: Uint8Array | string): Promise<void> {
  const content = typeof bytes === "string" ? utf8(bytes) : bytes
  await store.put(keyringAddress(PLACE), content, { settings: { metadata: {} } })
}
