import { stat } from "node:fs/promises"
import { expect, test } from "vitest"
import { SecretBytes } from "../../../src/crypto/secret.ts"
import { createEnvelope } from "../../../src/envelope/envelope.ts"
import { toUserMetadata } from "../../../src/envelope/metadata.ts"
import { systemRandom } from "../../../src/keys/random.ts"
import { withRetry } from "../../../src/store/retry.ts"
import type { UploadedPart } from "../../../src/store/store.ts"
import { startCountingProxy } from "../../support/counting-proxy.ts"
import { openS3Fixture } from "../../support/s3-fixture.ts"
import { inspectEnvelope } from "./inspect-envelope.ts"
import { kinds, NOW, openRotationSite } from "./rotation-site.ts"

const MiB = 1024 ** 2
const PART = 64 * MiB
const PARTS = 96

// Ciphertext is not sparse, so the body is a hole in its stead: rotation never looks at it. The envelope is real, and
// so is everything else about the object; the server keeps the hole as a hole, or this would need a disk of its own.
test("an object of 6 GiB moves by a copy in parts, and not a byte of it passes through this machine", async () => {
  await using fixture = await openS3Fixture({ dialect: { etags: "opaque" } })
  await using proxy = await startCountingProxy(fixture.server.endpoint)
  const direct = fixture.store
  const bucket = "vault"
  const store = withRetry(fixture.open({ endpoint: proxy.endpoint }), {
    delay: async () => undefined,
    random: () => 0,
  })
  const site = await openRotationSite(store, bucket)
  using dek = new SecretBytes(systemRandom(32))
  const key = "six GiB"
  const envelope = await createEnvelope({
    dek,
    bind: "key",
    objectKey: key,
    writers: [site.old],
    privateMetadata: { name: "disk.img" },
    random: systemRandom,
  })
  const metadata = toUserMetadata(envelope, await direct.limits(bucket), { theirs: "kept" })
  const hole = { bucket, key: "hole" }
  await direct.put(hole, new Uint8Array(PART), { settings: { metadata: {} } })
  const address = { bucket, key }
  const settings = { metadata, contentType: "text/x-kept", tags: { a: "b" } }
  const uploadId = await direct.createUpload(address, { settings, checksum: "none" })
  const parts: UploadedPart[] = []
  for (let partNumber = 1; partNumber <= PARTS; partNumber += 1) {
    parts.push(await direct.uploadPartCopy({ address: hole }, address, uploadId, partNumber, {}))
  }
  await direct.completeUpload(address, uploadId, parts, {})
  const before = await direct.head(address)
  expect(before.bytes).toBe(6 * 1024 * MiB)

  const targets = [{ kind: "object", address }] as const
  expect(kinds(await site.rotate({ targets }))).toEqual({ [key]: "copy-in-parts" })

  const after = await direct.head(address)
  expect({ ...after, etag: "", versionId: "", lastModified: NOW, metadata: {} }).toEqual({
    ...before,
    etag: "",
    versionId: "",
    lastModified: NOW,
    metadata: {},
  })
  expect(after.metadata["theirs"]).toBe("kept")
  expect(await direct.partSizes(address, after)).toEqual(Array.from({ length: PARTS }, () => PART))
  expect(await direct.getTags(address)).toEqual({ a: "b" })
  const opened = await inspectEnvelope(after, key, [site.fresh])
  expect(Buffer.from(opened.dek.bytes).equals(Buffer.from(dek.bytes))).toBe(true)
  expect(opened.private).toEqual({ name: "disk.img" })
  await expect(inspectEnvelope(after, key, [site.old])).rejects.toThrow("no key")
  // Some 60 requests and their answers, headers and all.
  expect(proxy.sent + proxy.received).toBeLessThan(MiB)
  const { blocks } = await stat(fixture.server.storedFile(bucket, key))
  expect(blocks * 512).toBeLessThan(64 * MiB)
}, 120_000)
