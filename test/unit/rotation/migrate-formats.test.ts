import { describe, expect, test } from "vitest"
import { IntegrityError } from "../../../src/errors.ts"
import type { TransferContext } from "../../../src/transfer/context.ts"
import { downloadStream } from "../../../src/transfer/download-stream.ts"
import {
  type ProxyVector,
  proxyKeysOf,
  proxyPlaintext,
  proxyVectors,
  storeProxyVector,
} from "../../support/proxy-vectors.ts"
import { openMigrateSite } from "./migrate-site.ts"

/** What a reader makes of a vector: its plaintext, or what it is refused with. */
async function read(context: TransferContext, key: string): Promise<Buffer | Error> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of downloadStream(context, { address: { bucket: "vault", key } }))
      pieces.push(piece)
    return Buffer.concat(pieces)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

const small = proxyVectors.filter(({ plaintext }) => (plaintext?.size ?? 0) < 200_000)

describe("objects of S3 Encryption Proxy", () => {
  test.each(small.map((vector): [string, ProxyVector] => [vector.id, vector]))(
    "%s becomes what get makes of it, or is refused as get refuses it and stays",
    async (_, vector) => {
      await using site = await openMigrateSite()
      const { store } = site.site
      const source = await storeProxyVector(store, vector)
      const reading = { rawKeys: proxyKeysOf(vector), proxyPrefix: vector.metadataPrefix }
      const before = store.bytes(source.key)
      const expected = await read(site.context({ reading }), source.key)
      const place = { source, target: source, recursive: false }
      const outcome = await site.run(place, store, reading).catch((error: unknown) => error)
      if (expected instanceof Error) {
        expect(outcome).toBeInstanceOf(expected.constructor)
        expect(Buffer.from(store.bytes(source.key)).equals(before)).toBe(true)
        return
      }
      expect(outcome).toMatchObject([{ outcome: "migrated", bytes: expected.length }])
      expect(Buffer.from(await site.opened(source.key)).equals(expected)).toBe(true)
      if (vector.kind === "positive") {
        expect(expected.equals(Buffer.from(proxyPlaintext(vector)))).toBe(true)
      }
      // What the proxy kept beside it is gone; what the user did is there still.
      const names = Object.keys(store.settings(source.key).metadata)
      expect(names.filter((name) => /encrypted-dek|dek-algorithm|hmac$/.test(name))).toEqual([])
      const own = Object.entries(vector.object.metadata).filter(([name]) => name.startsWith("user-"))
      expect(store.settings(source.key).metadata).toMatchObject(Object.fromEntries(own))
    },
  )

  test("what nothing authenticates is migrated only if that is allowed", async () => {
    await using site = await openMigrateSite()
    const vector = proxyVectors.find(({ id }) => id === "aes-ctr-off-5000-meta")
    if (!vector) throw new Error("the vector is gone")
    const source = await storeProxyVector(site.site.store, vector)
    const reading = { rawKeys: proxyKeysOf(vector) }
    const place = { source, target: source, recursive: false }
    await expect(site.run(place, undefined, reading)).rejects.toThrow(IntegrityError)
    await site.run(place, undefined, { ...reading, allowUnauthenticated: true })
    expect(await site.opened(source.key)).toEqual(proxyPlaintext(vector))
  })
})
