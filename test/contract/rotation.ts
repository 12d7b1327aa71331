import { randomBytes } from "node:crypto"
import { PutBucketVersioningCommand, type S3Client } from "@aws-sdk/client-s3"
import { describe, expect, test } from "vitest"
import { withRetry } from "../../src/store/retry.ts"
import type { ObjectSettings, ObjectStore } from "../../src/store/store.ts"
import { everythingAbout } from "../support/kept-objects.ts"
import { kinds, openRotationSite } from "../unit/rotation/rotation-site.ts"

export interface RotationServer extends AsyncDisposable {
  readonly store: ObjectStore
  readonly client: S3Client
  /** Has Object Lock, and keeps versions. */
  readonly bucket: string
  /** What the server can do besides: SSE-C and SSE-KMS copies, storage classes, checksums that are shown. */
  readonly full: boolean
}

const MiB = 1024 ** 2

const everything: Partial<ObjectSettings> = {
  metadata: { theirs: "kept as it is", "another-one": "2" },
  contentType: "text/x-kept",
  cacheControl: "no-cache, max-age=7",
  contentDisposition: 'inline; filename="a b.txt"',
  contentEncoding: "br",
  contentLanguage: "de, en",
  expires: "Tue, 01 Jan 2030 00:00:00 GMT",
  websiteRedirect: "/elsewhere",
  acl: "public-read",
  tags: { owner: "them", "two words": "a+b=c/d" },
}

/** Rotation loses nothing: embedded server and real services alike. */
export function describeRotation(name: string, open: () => Promise<RotationServer>): void {
  describe(`rotation: ${name}`, () => {
    const rotating = async (settings: Partial<ObjectSettings>, bytes: number, maxCopyBytes?: number) => {
      await using server = await open()
      const { bucket, client } = server
      const store = withRetry(server.store, { delay: async () => undefined, random: () => 0 })
      const prefix = `rotated-${randomBytes(6).toString("hex")}/`
      const cut = bytes > 5 * MiB ? { chunkBytes: 65_536, partBytes: 6 * MiB } : {}
      const site = await openRotationSite(store, bucket, prefix, cut)
      const body = randomBytes(bytes / 2).toString("hex")
      await site.put("a b+c.tar", body, settings)
      const key = `${prefix}a b+c.tar`
      // Some services forget the tags of an upload in parts.
      if (settings.tags) await store.putTags({ bucket, key }, settings.tags)
      const { encryption } = settings
      const customerKey = encryption?.kind === "sse-c" ? encryption.key : undefined
      const read = customerKey && {
        SSECustomerAlgorithm: "AES256",
        SSECustomerKey: Buffer.from(customerKey.bytes).toString("base64"),
      }
      const before = await everythingAbout(client, bucket, key, read)
      const outcomes = await site.rotate({ maxCopyBytes, customerKey })
      const after = await everythingAbout(client, bucket, key, read)
      const readable = customerKey ? null : await site.read("a b+c.tar", [site.fresh]).catch(String)
      for await (const version of store.listVersions(bucket, { prefix })) {
        const { versionId } = version
        await store
          .delete({ bucket, key: version.key }, { versionId, bypassGovernance: true })
          .catch(() => undefined)
      }
      return {
        before,
        after,
        outcome: kinds(outcomes)[key],
        same: readable === null || readable === body,
        server,
      }
    }

    test("one copy keeps everything", async () => {
      const { before, after, outcome, same } = await rotating(everything, 1000)
      expect(outcome).toBe("copy")
      expect(after).toEqual(before)
      expect(before).toMatchObject({
        tags: expect.arrayContaining(["owner=them"]),
        CacheControl: "no-cache, max-age=7",
      })
      expect(String(before["acl"])).toContain("AllUsers READ")
      expect(same).toBe(true)
    })

    test("a copy in parts keeps everything, and the parts where the service tells them", async () => {
      const { before, after, outcome, same } = await rotating(everything, 14 * MiB, 8 * MiB)
      expect(outcome).toBe("copy-in-parts")
      const { ETag: e1, ...rest } = before
      const { ETag: e2, ...kept } = after
      expect(kept).toEqual(rest)
      expect(e2).toMatch(/-\d+"$/)
      expect(String(e1)).toMatch(/-\d+"$/)
      expect(same).toBe(true)
    })

    test("Object Lock is on the new version too", async () => {
      const until = new Date(Date.now() + 20_000)
      const settings = { retention: { mode: "GOVERNANCE", until } as const }
      const { before, after, outcome, same } = await rotating(settings, 100)
      expect(outcome).toBe("copy")
      expect(after).toEqual(before)
      expect(before["ObjectLockMode"]).toBe("GOVERNANCE")
      expect(same).toBe(true)
    })

    test("server-side encryption stays what it is, or the object stays where it is", async () => {
      const key = { bytes: randomBytes(32) }
      for (const encryption of [
        { kind: "sse-c", key },
        { kind: "sse-kms", keyId: "testkey-1" },
      ] as const) {
        const { before, after, outcome, same, server } = await rotating({ encryption }, 100)
        expect(outcome).toMatch(server.full ? /^copy$/ : /^(copy|failed: .*)$/)
        const { ETag: _1, ...rest } = before
        const { ETag: _2, ...kept } = after
        expect(kept).toEqual(rest)
        expect(same || outcome !== "copy").toBe(true)
      }
    })
  })
}

/** Versions are kept in a bucket that was made with Object Lock; some servers want to be told. */
export async function keepVersions(client: S3Client, Bucket: string): Promise<void> {
  const VersioningConfiguration = { Status: "Enabled" } as const
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
}
