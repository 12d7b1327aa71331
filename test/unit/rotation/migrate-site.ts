import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { openStream } from "../../../src/agcm/stream.ts"
import { concat } from "../../../src/bytes.ts"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { openEnvelope } from "../../../src/envelope/envelope.ts"
import { fromUserMetadata } from "../../../src/envelope/metadata.ts"
import { openPrivateMetadata, type PrivateMetadata } from "../../../src/envelope/private-metadata.ts"
import { aesKek } from "../../../src/keys/aes.ts"
import type { Kek } from "../../../src/keys/kek.ts"
import { type MigrateRequest, type MigrationItem, migrate } from "../../../src/rotation/migrate.ts"
import type { ObjectSettings, ObjectStore } from "../../../src/store/store.ts"
import type { TransferContext } from "../../../src/transfer/context.ts"
import { harpocratesSeal } from "../../support/harpocrates-vectors.ts"
import type { MemoryStoreOptions } from "../../support/memory-store.ts"
import { keysOf, openSite, type Site, slices } from "../transfer/upload-site.ts"

const OLD_KEY = new Uint8Array(32).fill(7)

/** A bucket with objects of Harpocrates', the key they were sealed with, and one to write with. */
export interface MigrateSite extends AsyncDisposable {
  readonly site: Site
  context(over?: Partial<TransferContext>): TransferContext
  /** Store an AGCM v1 stream. */
  put(key: string, plaintext: Uint8Array, settings?: Partial<ObjectSettings>): Promise<void>
  /** Store bytes as they are. */
  putRaw(key: string, bytes: Uint8Array, settings?: Partial<ObjectSettings>): Promise<void>
  /** Migrate below `in/` to `to`; in place if not given. @returns what became of each object. */
  run(
    over?: Partial<MigrateRequest>,
    store?: ObjectStore,
    reading?: TransferContext["reading"],
  ): Promise<MigrationItem[]>
  /** What an object of our format holds, opened where it is. */
  opened(key: string): Promise<Uint8Array>
  private(key: string): Promise<PrivateMetadata | null>
  /** All keys there are, versions that are not current included. */
  keys(): Promise<string[]>
  /** Journals that are left. */
  journals(): Promise<string[]>
}

export async function openMigrateSite(options: MemoryStoreOptions = {}): Promise<MigrateSite> {
  const site = await openSite(options)
  const { store } = site
  const keks: Kek[] = [site.kek, aesKek(new SecretBytes(OLD_KEY.slice()), "old")]
  const context = (over: Partial<TransferContext> = {}) =>
    site.context({ keys: { ...keysOf(...keks), writers: [site.kek] }, ...over })
  const putRaw: MigrateSite["putRaw"] = async (key, bytes, settings = {}) => {
    await store.put({ bucket: "vault", key }, bytes, { settings: { metadata: {}, ...settings } })
  }
  const envelopeOf = async (key: string) => {
    const envelope = fromUserMetadata(store.settings(key).metadata)
    if (!envelope) throw new Error(`${key} is not of our format`)
    return { envelope, ...(await openEnvelope(envelope, { objectKey: key, readers: [site.kek] })) }
  }
  return {
    site,
    context,
    putRaw,
    put: (key, plaintext, settings) =>
      putRaw(key, harpocratesSeal(OLD_KEY, new Uint8Array(12).fill(3), 1024, plaintext), settings),
    async run(over = {}, through = store, reading = {}) {
      const items: MigrationItem[] = []
      const place = { bucket: "vault", key: "in/" }
      await migrate(context({ store: through, reading }), {
        source: place,
        target: place,
        recursive: true,
        concurrency: 1,
        onItem: (item) => items.push(item),
        ...over,
      })
      return items
    },
    async opened(key) {
      const { dek } = await envelopeOf(key)
      const chunks: Uint8Array[] = []
      for await (const chunk of openStream(dek, slices(store.bytes(key)))) chunks.push(chunk)
      return concat(...chunks)
    },
    async private(key) {
      const { envelope, dek } = await envelopeOf(key)
      return openPrivateMetadata(envelope, dek)
    },
    async keys() {
      const found: string[] = []
      for await (const { key } of store.listVersions("vault")) found.push(key)
      return found.sort()
    },
    journals: () => readdir(join(site.directory, "state", "migrations")),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  }
}
